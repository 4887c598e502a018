"""Runs and grids of runs: what they are, where they run, what they cost."""
