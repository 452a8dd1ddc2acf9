"""Speed, memory and published code to compare with; in a checkout, `python -m benchmarks.NAME`."""
