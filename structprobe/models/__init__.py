"""Language models, loaded: the hub, files, limits, fingerprints and devices. It knows no words."""

from typing import Any

# What transformers gives; it exports no types for these that hold for all models.
Model = Any
Tokenizer = Any
Config = Any
