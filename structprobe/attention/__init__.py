"""Attention from word to word: the pass, its file, and what heads do."""
