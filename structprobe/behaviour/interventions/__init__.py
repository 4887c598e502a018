"""Interventions: change the vectors of words while a model reads."""
