"""Loading, measuring and fingerprinting language models."""

from typing import Any

# Objects of transformers, which has no common types for them.
Model = Any
Tokenizer = Any
Config = Any
