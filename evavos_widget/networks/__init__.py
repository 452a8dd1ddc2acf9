"""Neural networks that stages and training share."""
