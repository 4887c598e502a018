"""Results folders: writing and reading rows, predictions and probes, without a model."""
