"""Measurements of speed, memory and quality; run with ``python -m benchmarks``."""
