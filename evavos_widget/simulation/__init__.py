"""The robot annotator and what is measured with it."""
