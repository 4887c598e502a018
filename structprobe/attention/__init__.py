"""Attention between words, and the analysis of attention heads."""
