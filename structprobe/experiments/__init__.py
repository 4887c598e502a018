"""One run, grids of runs, comparisons of methods, and where they run."""
