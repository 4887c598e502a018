"""Perturbed masking: masked copies of sentences, and the impact of masking a word."""
