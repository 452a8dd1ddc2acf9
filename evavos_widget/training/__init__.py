"""Training of the networks that the project ships."""
