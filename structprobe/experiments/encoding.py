"""Filling a cache of word vectors, completely or one shard of it, before training."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from structprobe.encoder.cache.shards import Shard
from structprobe.errors import EncoderError
from structprobe.experiments.layers_ranks_seeds import parse_layers
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
    """Encode treebanks into a cache, for later sweeps.

    Parameters
    ----------
    encoder : Encoder
        The model.
    banks : mapping of str to sequence of Sentence
        The treebanks by name. Each is cached separately, like train, dev and test in a sweep.
    cache : path
        The folder of the cache.
    layers
        As for `sweep`.
    shard : Shard, optional
        The part of each treebank's sentences to encode, if other processes encode the rest.
    untrained : bool, default=False
        Whether to also encode with an untrained copy of the model.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    list of dict
        For each model and treebank: ``treebank``, ``untrained``, ``n_sentences``, ``n_words``,
        ``n_layers``, ``bytes`` (for the whole treebank), ``shard`` and ``missing_shards``.

    Raises
    ------
    EncoderError
        If a treebank has no sentences.
    ProbeError
        If a layer is out of range.
    StoreError
        If the folder is not a cache, is damaged or full, or does not match the shard.
    """
    chosen = parse_layers(layers, encoder.n_layers, encoder.layers)
    for name, bank in banks.items():
        if not len(bank):
            raise EncoderError("the treebank has no sentences", where=name)
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
                left = ", ".join(map(str, missing))
                told = f"still missing: {left}" if left else "no shard is missing"
                place = f"shard {shard.number} of {shard.count}"
                _log.info("%s: %s finished; %s", name, place, told)
            n_words = sum(map(len, bank))
            one = {"treebank": name, "untrained": is_untrained, "n_sentences": len(bank)}
            one |= {"n_words": n_words, "n_layers": len(chosen)}
            one["bytes"] = n_words * len(chosen) * model.hidden_size * model.bytes_per_value
            one["shard"] = None if shard is None else str(shard)
            done.append({**one, "missing_shards": list(missing)})
    return done
