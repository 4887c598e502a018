"""Runs and grids of runs: planning, executing, estimating."""
