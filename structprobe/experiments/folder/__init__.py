"""Folders of results: rows, predictions, and what they keep of their runs."""
