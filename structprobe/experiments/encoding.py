"""Fill a cache of word vectors, whole or one shard of it, before anything is trained."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from structprobe.encoder.cache.shards import Shard
from structprobe.errors import EncoderError
from structprobe.experiments.runs.grid import parse_layers
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_log = logging.getLogger(__name__)


def encode_banks(
    encoder: Encoder,
    banks: Mapping[str, Sequence[Sentence]],
    *,
    cache: str | os.PathLike[str],
    layers: str | Iterable[int] = "all",
    shard: Shard | None = None,
    untrained: bool = False,
    progress: bool | None = None,
) -> list[dict[str, Any]]:
    """Encode treebanks into a cache, where a sweep finds them.

    Parameters
    ----------
    encoder : Encoder
        The model.
    banks : mapping of str to sequence of Sentence
        The treebanks by name. Each is kept by itself, as a sweep's train, dev and test are.
    cache : path
        The folder of vectors.
    layers : str or iterable of int, default="all"
        As `parse_layers` reads them.
    shard : Shard, optional
        The part of each treebank's sentences to encode, where other processes do the others;
        all unless given.
    untrained : bool, default=False
        Whether to encode with an untrained copy of the model too.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.

    Returns
    -------
    list of dict
        One for each model and treebank: ``treebank``, ``untrained``, ``n_sentences``, ``n_words``,
        ``n_layers``, ``bytes`` (of the whole treebank's vectors), ``shard`` and
        ``missing_shards``.

    Raises
    ------
    EncoderError
        If a treebank has no sentence.
    ProbeError
        If a layer is out of range.
    StoreError
        If the cache is not ours, damaged or full, or does not fit the shard; what is there
        already stays.
    """
    chosen = parse_layers(layers, encoder.n_layers)
    for name, bank in banks.items():
        if not len(bank):
            raise EncoderError("the treebank has no sentence", where=name)
    models = {False: encoder, **({True: encoder.untrained(0)} if untrained else {})}
    done = []
    for is_untrained, model in models.items():
        for name, bank in banks.items():
            missing: tuple[int, ...] = ()
            how: dict[str, Any] = {"layers": chosen, "cache": cache, "progress": progress}
            if shard is None:
                model.encode(bank, **how)
            else:
                missing = model.encode_shard(bank, shard, **how)
                _log.info("%s: shard %s is there; %s", name, shard, _told(missing))
            n_words = sum(map(len, bank))
            done.append(
                {
                    "treebank": name,
                    "untrained": is_untrained,
                    "n_sentences": len(bank),
                    "n_words": n_words,
                    "n_layers": len(chosen),
                    "bytes": n_words * len(chosen) * model.hidden_size * model.bytes_per_value,
                    "shard": None if shard is None else str(shard),
                    "missing_shards": list(missing),
                }
            )
    return done


def _told(missing: Sequence[int]) -> str:
    """Tell what is missing in words."""
    if not missing:
        return "none is missing any more"
    return f"{len(missing)} missing still: {', '.join(map(str, missing))}"
