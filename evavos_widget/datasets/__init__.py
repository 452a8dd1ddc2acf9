"""Videos with ground truth: DAVIS, clips rendered from photographs, the embedded clip."""
