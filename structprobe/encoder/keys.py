"""What determines word vectors, by which they are found in a cache."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from structprobe.encoder.cache.shards import count_begun
from structprobe.encoder.subwords.sentences import SentenceLike, digest, space_sentences
from structprobe.errors import EncoderError
from structprobe.models.inside.edits import edits_of
from structprobe.models.loading import LoadedModel

Encoder = Any  # whose file imports this one


_EDITED = "-edited-"


def current_fingerprint(loaded: LoadedModel) -> str:
    """Give the fingerprint of a model; within an intervention, that of the two together."""
    edits = edits_of(loaded.model)
    return f"{loaded.fingerprint}{_EDITED}{edits}" if edits else loaded.fingerprint


def store_key(origin: Mapping[str, object], words: str, cache: object = None) -> dict[str, object]:
    """Give all that determines stored vectors: the location of a model does not affect them."""
    if cache is not None and _EDITED in str(origin["fingerprint"]):
        what = f"vectors of {origin['model']!r} under an intervention are not cached"
        raise EncoderError(what, hint="leave out cache= within the block")
    left_out = ("model", "revision", "layer")
    return {name: origin[name] for name in origin if name not in left_out} | {"words": words}


def pass_key(encoder: Encoder, sentences: Iterable[SentenceLike]) -> dict[str, object]:
    """Give all that determines the vectors of the subwords of sentences, before pooling."""
    origin = encoder.origin(encoder.layers[0])
    words = digest(space_sentences(sentences, encoder.spacing))
    return {"words": words} | {k: origin[k] for k in ("fingerprint", "spacing", "bos", "dtype")}


def count_shards(
    encoder: Encoder, sentences: Iterable[SentenceLike], cache: str | os.PathLike[str]
) -> int:
    """Count the shards that the vectors of sentences were begun in; 1 if in none."""
    words = digest(space_sentences(sentences, encoder.spacing))
    return count_begun(cache, store_key(encoder.origin(encoder.layers[0]), words))
