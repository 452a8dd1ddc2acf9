"""How good and how fast the engines are against ground truth."""
