"""Tokenization: from words to the subwords a model reads, and back."""
