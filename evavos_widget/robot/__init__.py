"""The robot annotator: answers from the truth, as exact as its hand, at what people cost."""
