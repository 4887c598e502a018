"""The result row: a flat mapping with fixed keys, which every table and picture reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe._version import __version__

if TYPE_CHECKING:
    from structprobe.scores.result import Scores
    from structprobe.treebank.bank import Treebank

Row = dict[str, Any]

METRICS = ("uuas", "uas", "las", "root_acc", "dspr", "nspr")

_TOLD = {
    "key": "digest of all that decides the result: two rows of one key are the same run",
    "method": "the recoverer's name, such as 'probe', 'linear' or 'file'",
    "uses_gold": "whether the method looks at gold information when it predicts",
    "model": "hub id or folder of the model, None for a method without one",
    "revision": "commit of the model on the hub, None for a folder",
    "fingerprint": "digest of the model's weights, or its commit",
    "layer": "the layer read, 0 = embedding output; of an attention head the layer it makes",
    "head": "the attention head read, counted from 1",
    "choice": "what else was chosen on dev, in words",
    "why_empty": "why there are no scores, where a method could not be run",
    "words_as": "what was done to the sentences: None for nothing, else 'shuffled', 'swapped' or "
    "'truncated'",
    "rank": "rank of the probe, None for a method without one",
    "seed": "random state, None for a method without one",
    "recipe": "how the probe was trained: 'whitened' or 'published'",
    "max_steps": "the limit on training steps that was asked for, None for the recipe's own",
    "products": "type of the two large products of a training step, such as 'float32'",
    "pooling": "how subwords are pooled into words: 'mean', 'first' or 'last'",
    "spacing": "'words' (single spaces) or 'original'",
    "bos": "whether a beginning-of-sequence token stood in front",
    "dtype": "precision of the model",
    "train": "file names of the treebank learnt from",
    "train_fingerprint": "digest of its words and trees",
    "dev": "file names of the treebank stopped by, None where a part of train was held out",
    "dev_fingerprint": "digest of its words and trees",
    "treebank": "file names of the treebank scored",
    "treebank_fingerprint": "digest of its words and trees",
    "part": "what was scored: 'test' or 'dev'",
    "n_sentences": "sentences scored",
    "n_words": "words scored, punctuation included",
    "punct": "the words left out of UUAS and root accuracy: 'upos', 'xpos' or 'keep'",
    "min_length": "shortest sentence of DSpr. and NSpr., in words",
    "max_length": "longest sentence of DSpr. and NSpr., in words",
    **{
        f"{metric}{end}": f"{metric}, a fraction{told}"
        for metric in METRICS
        for end, told in (
            ("", "; None where nothing was scored"),
            ("_low", ": lower end of the 95 % bootstrap interval over sentences"),
            ("_high", ": upper end of the 95 % bootstrap interval over sentences"),
        )
    },
    **{f"dev_{metric}": f"{metric} on the dev set, a fraction" for metric in METRICS},
    "dev_loss": "best L1 loss of the distance probe on the dev set",
    "dev_depth_loss": "best L1 loss of the depth probe on the dev set",
    "steps": "training steps taken by the distance probe",
    "cpu_seconds": "processor time of fitting and predicting, all threads; of what runs that are "
    "trained together cost, each has the same share; encoding into word vectors is in it for "
    "`evaluate` alone, other passes through a model always, what several methods share with the "
    "first of them",
    "wall_seconds": "the same by the clock on the wall",
    "version": "the version of structprobe that made the row",
    "torch_version": "the version of torch, None in a row of an older structprobe",
    "transformers_version": "the version of transformers, likewise",
    "probe": "the folder of the fitted probe in `probes/`, None where none was saved",
}

ROW_KEYS: Mapping[str, str] = MappingProxyType(_TOLD)
"""Every key of a result row, in order, with what it means."""


def make_row(**values: object) -> Row:
    """Make a result row, all keys in order, None where nothing is given."""
    if unknown := sorted(set(values) - set(ROW_KEYS)):
        raise TypeError(f"no key of a result row: {', '.join(unknown)}")
    return dict.fromkeys(ROW_KEYS) | _versions() | values


@cache
def _versions() -> Row:
    """Name the versions that a row depends on, without loading what they are of."""
    others = {f"{name}_version": version(name) for name in ("torch", "transformers")}
    return {"version": __version__, **others}


def score_values(scores: Scores) -> Row:
    """Give a row's part that tells scores, their intervals and their protocol."""
    values: Row = {
        name: getattr(scores.protocol, name) for name in ("punct", "min_length", "max_length")
    }
    for metric, interval in scores.intervals(METRICS).items():
        values[metric] = getattr(scores, metric)
        values[f"{metric}_low"], values[f"{metric}_high"] = interval or (None, None)
    return values


def per_cent(score: float | None) -> str:
    """Write a score as a log line tells it."""
    return "–" if score is None else f"{100 * score:.1f}"


def bank_name(bank: Treebank) -> str | None:
    """Name a treebank by the files it was read from."""
    return "+".join(Path(path).name for path in bank.paths) or None


def run_key(**deciding: object) -> str:
    """Digest all that decides a run's result."""
    given = {name: value for name, value in deciding.items() if value is not None}
    text = json.dumps(given, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
