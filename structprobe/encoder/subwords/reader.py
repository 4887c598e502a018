"""The reader of pieces that fits a tokenizer."""

from __future__ import annotations

from typing import Any

from structprobe.encoder.subwords.fast_pieces import FastReader
from structprobe.encoder.subwords.slow_pieces import SlowReader


def make_reader(tokenizer: Any) -> FastReader | SlowReader:
    """Take character offsets where the tokenizer gives them, else go word by word."""
    gives_offsets = getattr(tokenizer, "is_fast", False) and hasattr(tokenizer, "backend_tokenizer")
    return FastReader(tokenizer) if gives_offsets else SlowReader(tokenizer)
