"""From a caption with a marked noun to masks of the object that it means."""
