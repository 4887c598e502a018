"""Filling a cache of word vectors before training: completely, in parallel, or one shard of it."""

from __future__ import annotations

import inspect
import logging
import os
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from structprobe.encoder.cache.shards import Shard
from structprobe.encoder.keys import count_shards
from structprobe.errors import EncoderError
from structprobe.experiments.layers_ranks_seeds import parse_layers
from structprobe.experiments.runs.backends import Backend
from structprobe.progress import progress_bar
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
    jobs: int = 1,
    progress: bool | None = None,
) -> list[dict[str, Any]]:
    """Encode treebanks into a cache, for later sweeps.

    The same call resumes an interrupted one, with any number of jobs: what was begun in shards is
    continued in as many.

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
    jobs : int, default=1
        How many processes encode at the same time, each with a model of its own; on a machine with
        several GPUs, each takes the next one. Not together with `shard`.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    list of dict
        For each model and treebank: ``treebank``, ``untrained``, ``n_sentences``, ``n_words``,
        ``n_layers``, ``bytes`` (for the whole treebank), ``shard`` and ``missing_shards``.

    Raises
    ------
    ClusterError
        If `jobs` is not a positive integer, or processes die repeatedly.
    EncoderError
        If a treebank has no sentences, or `jobs` is given for a model object or with `shard`.
    ProbeError
        If a layer is out of range.
    StoreError
        If the folder is not a cache, is damaged or full, or does not match the shard.
    """
    backend = Backend(jobs)
    backend.check()
    if jobs > 1 and shard is not None:
        raise EncoderError(f"both jobs={jobs} and shard {shard} are given", hint="give one of them")
    if jobs > 1 and not isinstance(encoder.model, str | os.PathLike):
        hint = "pass its name or folder, or encode with one job"
        raise EncoderError("a model object cannot be sent to other processes", hint=hint)
    chosen = parse_layers(layers, encoder.n_layers)
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
                n_begun = count_shards(model, bank, cache)
                count = n_begun if n_begun > 1 else jobs
                if count == 1:
                    model.encode(bank, **how)
                else:
                    shards = [Shard(k + 1, count) for k in range(count)]
                    parts = [_Part(model, is_untrained, bank, one, how) for one in shards]
                    _encode_parts(parts, backend, progress)
            else:
                missing = model.encode_shard(bank, shard, **how)
                left = ", ".join(map(str, missing))
                told = f"still missing: {left}" if left else "no shard is missing"
                place = f"shard {shard.number} of {shard.count}"
                _log.info("%s: %s finished; %s", name, place, told)
            n_words = sum(map(len, bank))
            told_of = {"treebank": name, "untrained": is_untrained, "n_sentences": len(bank)}
            told_of |= {"n_words": n_words, "n_layers": len(chosen)}
            told_of["bytes"] = n_words * len(chosen) * model.hidden_size * model.bytes_per_value
            told_of["shard"] = None if shard is None else str(shard)
            done.append({**told_of, "missing_shards": list(missing)})
    return done


@dataclass(frozen=True)
class _Part:
    """A part of a treebank to encode; in another process, by a model that is loaded there."""

    model: Encoder
    untrained: bool
    bank: Sequence[Sentence]
    shard: Shard
    how: Mapping[str, Any]

    def __call__(self) -> None:
        self.model.encode_shard(self.bank, self.shard, **self.how)

    def __reduce__(self) -> tuple[Any, ...]:
        names = [*inspect.signature(type(self.model)).parameters]
        spec = pickle.dumps({name: getattr(self.model, name) for name in names})
        how = {**self.how, "progress": False}  # the bars of several processes would mix
        return _loaded_part, (spec, self.untrained, self.bank, self.shard, how)


def _loaded_part(spec: bytes, untrained: bool, *more: Any) -> _Part:
    """Load the model of a part that was sent to this process."""
    number = more[1].number
    if number > 1:  # what is to be said of all sentences is said once
        logging.getLogger("structprobe").setLevel(logging.ERROR)
    return _Part(_load(spec, untrained, _gpu_of(number)), untrained, *more)


def _gpu_of(number: int) -> str | None:
    """Name the GPU for a shard, where there are several."""
    import torch

    count = torch.cuda.device_count()
    return f"cuda:{(number - 1) % count}" if count > 1 else None


@lru_cache(maxsize=1)  # a process does several parts with the same model
def _load(spec: bytes, untrained: bool, gpu: str | None) -> Encoder:
    """Load a model, unless its place was chosen onto this GPU."""
    from structprobe.encoder.encoder import Encoder

    given = pickle.loads(spec)  # made by `_Part`
    if gpu and given["device"] == "auto" and given["device_map"] is None:
        given["device"] = gpu
    encoder = Encoder(given.pop("model"), **given)
    return encoder.untrained(0) if untrained else encoder


def _encode_parts(
    parts: Sequence[Callable[[], None]], backend: Backend, progress: bool | None
) -> None:
    """Encode the parts of a treebank, in this process or in several."""
    shown = False if backend.is_here else progress  # each part has a bar of its own here
    with progress_bar("encode", len(parts), "shard", shown=shown) as advance:
        for _ in backend.run(parts):
            advance(1)
