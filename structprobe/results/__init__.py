"""Folders of results: rows, predictions and probes, written and read; no model is needed."""
