"""Readers of word vectors beside the structural probe: biaffine, and mixes of layers."""
