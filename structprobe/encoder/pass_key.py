"""What makes a pass over sentences what it is, for whatever keeps its result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from structprobe.encoder.loading import refresh
from structprobe.encoder.sentences import digest, space_sentences

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


def pass_key(encoder: Encoder, sentences: Iterable[Any]) -> dict[str, object]:
    """Say all that decides what a model makes of the tokens of sentences.

    Parameters
    ----------
    encoder : Encoder
        The model; its owner may have trained a model object since.
    sentences : iterable of Sentence or of sequences of str
        What `Encoder.encode` takes.

    Returns
    -------
    dict
        Plain values; how pieces become words is none of them.

    Raises
    ------
    EncoderError
        If there are no sentences.
    """
    return {
        "fingerprint": refresh(encoder.loaded, encoder.model).fingerprint,
        "words": digest(space_sentences(sentences, encoder.spacing)),
        **{name: encoder.origin(0)[name] for name in ("spacing", "bos", "dtype")},
    }
