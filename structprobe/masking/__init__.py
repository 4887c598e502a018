"""Masked copies of sentences, and the impact of hiding a word."""
