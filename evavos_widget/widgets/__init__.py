"""Annotation in a notebook: a controller without a widget, and thin widgets around it."""
