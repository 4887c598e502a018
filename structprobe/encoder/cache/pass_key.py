"""What makes a pass over sentences what it is, for whatever keeps its result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from structprobe.encoder.subwords.sentences import digest, space_sentences
from structprobe.models.loading import refresh

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


def pass_key(encoder: Encoder, sentences: Iterable[Any]) -> dict[str, object]:
    """Say all that decides what a model makes of the tokens of sentences."""
    return {
        "fingerprint": refresh(encoder.loaded, encoder.model).fingerprint,
        "words": digest(space_sentences(sentences, encoder.spacing)),
        **{name: encoder.origin(0)[name] for name in ("spacing", "bos", "dtype")},
    }
