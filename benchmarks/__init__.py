"""Measured comparisons with what people use today; `python -m benchmarks` runs them."""
