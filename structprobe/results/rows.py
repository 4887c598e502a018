"""The result row: a flat dictionary with fixed keys, read by every table and figure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from numbers import Integral, Real
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe._version import __version__

if TYPE_CHECKING:
    from structprobe.scores.result import Scores
    from structprobe.treebank.bank import Treebank

Row = dict[str, Any]

METRICS = ("uuas", "uas", "las", "clas", "root_acc", "dspr", "nspr")
_NAMES = ("UUAS", "UAS", "LAS", "CLAS", "root accuracy", "DSpr.", "NSpr.")

# How an encoder makes word vectors from a model, as its origin and a row say.
ENCODING = ("pooling", "spacing", "bos", "dtype", "lang", "model_part", "window", "site",
            "store_dtype", "quantize")  # fmt: skip

# The methods of rows of what a language model does, which have no scores of trees.
BEHAVIOUR, TESTS, INTERVENTION = OF_BEHAVIOUR = ("behaviour", "sentence-tests", "intervention")

_TOLD = {
    "key": "hash of everything that determines the result: rows with the same key are the same run",
    "method": "the recoverer's name, such as 'probe', 'linear' or 'file'",
    "uses_gold": "whether the method uses gold information when it predicts",
    "model": "hub id or folder of the model, None for methods without a model",
    "revision": "commit of the model on the hub, None for a local folder",
    "fingerprint": "hash of the model's weights, or its commit",
    "layer": "the layer, 0 = embedding output; for an attention head, its layer, from 1",
    "head": "the attention head, from 1",
    "choice": "other choices made on dev, in words",
    "why_empty": "why there are no scores, if a method could not be run",
    "warnings": "what may make the scores misleading, a list of texts; None in rows from older "
    "versions of structprobe, which did not check",
    "words_as": "how the sentences were changed: None, 'shuffled', 'swapped' or 'truncated'",
    "control": "the control task that the probe learned and was scored by: 'form', 'position' or "
    "'random'; None for the trees of the treebank",
    "train_sentences": "number of sentences that the probe was trained on, a random sample of the "
    "training set; None for all",
    "stimuli": "number of made sentences that near_word_bias was measured on, None for none",
    "rank": "rank of the probe, None for methods without one",
    "n_parameters": "how many numbers the probe, or what is fitted in its place, learned; None in "
    "rows from older versions, and for methods that learn none",
    "seed": "random state, None for methods without one",
    "recipe": "how the probe was trained, such as 'auto', 'whitened' or 'published'",
    "select": "by which dev score the recipe 'auto' chose: 'uuas' or 'loss'",
    "reads": "what the relations of a probe are read from: 'pair', 'difference' or "
    "'dependent'; None for a probe without",
    "decoding": "how trees are decoded: 'published', 'root' or 'joint'; None without relations",
    "max_steps": "the given limit on training steps, None for the recipe's default",
    "products": "precision of the two large matrix products in training, such as 'float32'",
    "pooling": "how subwords are pooled into words: 'mean', 'first' or 'last'",
    "spacing": "'words' (single spaces) or 'original'",
    "bos": "whether a beginning-of-sequence token was added",
    "dtype": "precision of the model",
    "lang": "code of the language that the model was given with the text, None for its default",
    "store_dtype": "precision of the stored vectors, None for the usual one of dtype",
    "quantize": "how the weights were quantised, with the package, such as '8bit-torchao'; None if "
    "they were not",
    "model_part": "'decoder', None for the encoder of an encoder-decoder model, or the only part",
    "window": "how many layers were averaged, None for one",
    "site": "'attention', 'mlp' or 'heads', None for the residual stream",
    "train": "file names of the training set",
    "train_fingerprint": "hash of the words and trees in train",
    "n_train": "number of sentences of the training set, or of the sample",
    "dev": "file names of the dev set, None if part of train was held out",
    "dev_fingerprint": "hash of the words and trees in dev",
    "treebank": "file names of the treebank the scores are on",
    "treebank_fingerprint": "hash of the words and trees in treebank",
    "part": "which set the scores are on: 'test', 'dev', or 'held-out' sentences of train",
    "n_sentences": "number of scored sentences",
    "n_words": "number of scored words, including punctuation",
    "n_without_tree": "number of sentences of a scored file whose heads are not a tree: "
    "their arcs are scored as they are",
    "punct": "which words are excluded from UUAS and root accuracy: 'upos', 'xpos' or 'keep'; "
    "'polar' averages over sentences",
    "min_length": "minimum sentence length for DSpr. and NSpr., in words",
    "max_length": "maximum sentence length for DSpr. and NSpr., in words",
    **{
        f"{metric}{end}": f"{name}, a fraction{told}"
        for metric, name in zip(METRICS, _NAMES, strict=True)
        for end, told in (
            ("", "; None if there was nothing to score"),
            ("_low", ": lower bound of the 95% bootstrap interval over sentences"),
            ("_high", ": upper bound of the 95% bootstrap interval over sentences"),
        )
    },
    **{
        f"{metric}_sentences": f"number of sentences that {name} was computed on"
        for metric, name in zip(METRICS, _NAMES, strict=True)
    },
    "selectivity": "UUAS of the same probe on the trees of the treebank minus that on the control "
    "task, a fraction; only in the rows of controls",
    "selectivity_low": "selectivity: lower bound of the 95% bootstrap interval over sentences",
    "selectivity_high": "selectivity: upper bound of the 95% bootstrap interval over sentences",
    "near_word_bias": "growth of the predicted distance with each further word between subject and "
    "verb, at the same distance in the tree (see `structprobe.stimuli.near_word_slope`)",
    "near_word_bias_low": "near_word_bias: lower bound of the 95% bootstrap interval over items",
    "near_word_bias_high": "near_word_bias: upper bound of the 95% bootstrap interval over items",
    "codelength": "bits of the trees of `train`, or of their distances or depths, as the method "
    "says, by the online code; those of different methods are not comparable",
    "compression": "bits of the same by the uniform code, divided by codelength",
    "suite": "name of the suite of minimal pairs, or folder of SyntaxGym suites",
    "suite_fingerprint": "hash of what the suite asks of a model",
    "lm_kind": "kind of language model that was asked: 'causal' or 'masked'",
    "scores_first": "whether the first token of a text was scored, behind a beginning-of-sequence "
    "token or by a masked model",
    "per": "what log-probabilities were divided by: 'token' or 'word'; None for sums",
    "n_pairs": "number of minimal pairs, or of items of SyntaxGym suites",
    "accuracy": "share of pairs whose grammatical sentence is preferred, or of items in which all "
    "predictions hold, a fraction",
    "accuracy_low": "accuracy: lower bound of the 95% bootstrap interval over pairs or items",
    "accuracy_high": "accuracy: upper bound of the 95% bootstrap interval over pairs or items",
    "margin": "mean difference of the log-probabilities of the two sentences of a pair, in nats",
    "margin_low": "margin: lower bound of the 95% bootstrap interval over pairs",
    "margin_high": "margin: upper bound of the 95% bootstrap interval over pairs",
    **{
        f"dev_{metric}": f"{name} on the dev set, a fraction"
        for metric, name in zip(METRICS, _NAMES, strict=True)
    },
    "dev_loss": "best L1 loss of the distance probe on the dev set",
    "dev_depth_loss": "best L1 loss of the depth probe on the dev set",
    "steps": "training steps of the distance probe",
    "cpu_seconds": "CPU time of fitting and predicting, over all threads; runs trained together "
    "share their time equally; word encoding is included only in `evaluate`, other passes through "
    "a model always, and work that several methods share counts for the first of them",
    "wall_seconds": "the same as cpu_seconds, but in elapsed time",
    "version": "version of structprobe that created the row",
    "torch_version": "version of torch, None in rows from older versions of structprobe",
    "transformers_version": "version of transformers, None in the same rows",
    "probe": "folder of the fitted probe in `probes/`, None if it was not saved",
}

ROW_KEYS: Mapping[str, str] = MappingProxyType(_TOLD)
"""Every key of a result row, in order, with its meaning."""


_WHY = "-"  # between the key of a run and that of the reason why it has no scores


def make_row(**values: object) -> Row:
    """Create a result row with all keys in order, None for missing values."""
    if unknown := sorted(set(values) - set(ROW_KEYS)):
        raise TypeError(f"not keys of a result row: {', '.join(unknown)}")
    return dict.fromkeys(ROW_KEYS) | _versions() | values


@cache
def _versions() -> Row:
    """Return the versions that a row depends on, without loading the packages."""
    others = {f"{name}_version": version(name) for name in ("torch", "transformers")}
    return {"version": __version__, **others}


def score_values(scores: Scores) -> Row:
    """Return the values of a row for scores, their intervals and their protocol."""
    from structprobe.scores.table import n_scored

    protocol = ("punct", "min_length", "max_length")
    values: Row = {name: getattr(scores.protocol, name) for name in protocol}
    by_sentence = scores.protocol.by_sentence
    for metric, interval in scores.intervals(METRICS).items():
        values[metric] = getattr(scores, metric)
        values[f"{metric}_low"], values[f"{metric}_high"] = interval or (None, None)
        values[f"{metric}_sentences"] = n_scored(scores.table, metric, by_sentence=by_sentence)
    return values


def is_of_trees(row: Mapping[str, Any]) -> bool:
    """Whether a row is one of trees, scored or not: not of codelengths, and not of behaviour."""
    return row.get("codelength") is None and row.get("method") not in OF_BEHAVIOUR


def per_cent(score: float | None) -> str:
    """Format a score in per cent."""
    return "–" if score is None else f"{100 * score:z.1f}"


def bank_name(bank: Treebank) -> str | None:
    """Name a treebank by the files it was read from."""
    return "+".join(Path(path).name for path in bank.paths) or None


def plain_number(value: object) -> int | float:
    """Convert a number of NumPy for JSON, so that a run has the same key as with Python's own."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"not a value of a row: {value!r}")


def run_key(**deciding: object) -> str:
    """Hash everything that determines the result of a run."""
    given = {name: value for name, value in deciding.items() if value is not None}
    text = json.dumps(given, sort_keys=True, ensure_ascii=False, default=plain_number)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def empty_key(key: str, why: str) -> str:
    """Give the key of a row without scores: that of its run, and the reason."""
    return f"{key}{_WHY}{run_key(why=why)[:8]}"


def without_retried(rows: Sequence[Row]) -> list[Row]:
    """Leave out rows without scores whose run succeeded afterwards."""
    keys = {row["key"] for row in rows}

    def retried(row: Row) -> bool:
        run, mark, _ = row["key"].partition(_WHY)
        return bool(mark) and row["why_empty"] is not None and run in keys

    return [row for row in rows if not retried(row)]
