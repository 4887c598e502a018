"""Saved probes: files, model card, and matrices of earlier research code."""
