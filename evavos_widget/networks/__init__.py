"""Neural networks that stages, training and simulation share."""
