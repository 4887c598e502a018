"""Scoring saved probes, other recoverers and parse files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any

from structprobe.errors import ScoreError
from structprobe.experiments.config import check_stimuli
from structprobe.experiments.runs.run import (
    as_bank,
    key_of,
    near_word_bias,
    sizes,
    timed,
    warn,
)
from structprobe.recoverers.base import Recoverer
from structprobe.recoverers.linear import LinearChain
from structprobe.results.frames import Rows
from structprobe.results.rows import Row, bank_name, make_row, score_values
from structprobe.scores import Scores, score
from structprobe.scores.attachment import without_subtypes
from structprobe.scores.cautions import cautions_of, same_as_train
from structprobe.scores.prediction import Prediction
from structprobe.stimuli import make_stimuli, score_stimuli
from structprobe.tree_faults import tree_fault
from structprobe.treebank import Treebank
from structprobe.treebank.sentence import Sentence

_log = logging.getLogger(__name__)


def evaluate(
    recoverers: Iterable[Recoverer],
    bank: Sequence[Sentence],
    *,
    punct: str | None = None,
    part: str = "test",
    stimuli: int = 0,
    allow_withheld: bool = False,
) -> Rows:
    """Score recoverers on a treebank.

    Parameters
    ----------
    recoverers : iterable of Recoverer
        The recoverers, fitted if necessary.
    bank : sequence of Sentence
        Sentences with heads.
    punct : {"upos", "xpos", "keep", "polar"}, optional
        Which words UUAS and root accuracy ignore, see `Protocol`.
    part : str, default="test"
        The name of the treebank in the row.
    stimuli : int, default=0
        The number of generated English sentences on which to measure the near-word bias, as for
        `SweepConfig`; 0 for none.
    allow_withheld : bool, default=False
        Whether to go on with a treebank whose text is withheld (more than 5 % of a file's words are
        ``_``).

    Returns
    -------
    Rows
        One result row per recoverer, in order: a list of dicts, shown as a table.

    Raises
    ------
    ScoreError
        If the treebank is empty or has no heads.
    TreebankError
        If the text is withheld, unless that is allowed.
    ProbeError
        If `stimuli` is neither 0 nor an integer of 2 or more.
    """
    bank = as_bank(bank, part, allow_withheld=allow_withheld)
    check_stimuli(stimuli)
    made = make_stimuli("distance", n=stimuli) if stimuli else ()
    rows = Rows()
    for recoverer in recoverers:
        with timed() as times:
            predictions = recoverer.predict(bank)
        told = recoverer.describe() | ({"stimuli": stimuli} if made else {})
        bias = near_word_bias(score_stimuli(recoverer, made)) if made else {}
        scores = score(bank, predictions, punct=punct)
        told["warnings"] = [*told.get("warnings", ()), *_unseen_relations(recoverer, bank, part)]
        rows.append(_row(told, bank, scores, part) | times | bias)
    warn(text for row in rows for text in row["warnings"])
    return rows


def _unseen_relations(recoverer: Recoverer, bank: Sequence[Sentence], part: str) -> list[str]:
    """Check for relations that the probe never saw, without subtypes, as in LAS."""
    from structprobe.probe.data.relation_labels import unseen

    probe = getattr(recoverer, "probe", None)
    known = getattr(probe, "classes_", None)
    if known is None:
        return []
    known = [*known, getattr(probe, "root_relation_", known[0])]  # a polar probe's own
    gold = without_subtypes(name for sentence in bank for name in sentence.deprels or ())
    return [*filter(None, [unseen(gold, without_subtypes(known), part)])]


def evaluate_probe(
    source: str | os.PathLike[str],
    bank: Sequence[Sentence],
    *,
    punct: str | None = None,
    part: str = "test",
    stimuli: int = 0,
    allow_withheld: bool = False,
    **loading: Any,
) -> Rows:
    """Score a saved probe and the linear chain on a treebank.

    Parameters
    ----------
    source : path or str
        The folder of a saved probe, or a hub id.
    bank, punct, part, stimuli, allow_withheld
        As for `evaluate`.
    **loading
        Further arguments of `ProbeRecoverer.from_pretrained`.

    Returns
    -------
    Rows
        The result rows of the probe and the chain.

    Raises
    ------
    ProbeError
        If there is no such probe, or it was fitted on a different model.
    ScoreError, TreebankError
        As for `evaluate`.
    """
    from structprobe.recoverers.probe import ProbeRecoverer

    how: dict[str, Any] = {"allow_withheld": allow_withheld}
    bank = as_bank(bank, part, **how)
    check_stimuli(stimuli)  # before a model is loaded
    probe = ProbeRecoverer.from_pretrained(source, **loading)
    how |= {"punct": punct, "part": part, "stimuli": stimuli}
    return evaluate([probe, LinearChain()], bank, **how)


def score_files(
    gold: str | os.PathLike[str],
    system: str | os.PathLike[str],
    *,
    punct: str | None = None,
    relations: bool = False,
    progress: bool | None = None,
) -> Row:
    """Score a parse file from any parser against the gold file.

    The trees of a parse file cover all words. Their edges between kept words count, and the root is
    the shallowest kept word, while `evaluate` decodes distances over the kept words. So UUAS and
    root accuracy of a file from ``structprobe parse`` differ slightly from those of `evaluate`.

    The heads of a parse file may form no tree, as those of a parser that predicts each head by
    itself. UAS and UUAS then count its arcs as they are, and a sentence without a root has none
    right; the row says in ``n_without_tree`` how many sentences these are.

    LAS and CLAS are not scored if all relations of the file are ``dep`` or ``root`` (without
    subtypes), as from ``structprobe parse``, unless the same is true of the gold file.

    Parameters
    ----------
    gold : path
        CoNLL-U with the gold trees.
    system : path
        CoNLL-U with the same sentences and words, and the trees, or arcs, to score.
    punct : {"upos", "xpos", "keep", "polar"}, optional
        Which words UUAS and root accuracy ignore, by the gold tags; see `Protocol`.
    relations : bool, default=False
        Whether to say how each relation was predicted, too.
    progress : bool, optional
        Whether to show progress bars for large files; by default if stderr is a terminal.

    Returns
    -------
    dict
        A result row; ``las`` and ``clas`` are None unless both files have relations, as above. With
        `relations`, it also has ``relations``, a list of dicts with the fields of
        `structprobe.scores.RelationScore` for each relation, the most frequent in `gold` first; and
        ``confusion``, a list of dicts with the number of ``words`` and of ``right_heads`` among
        them for each pair of a ``gold`` and a ``predicted`` relation, the most frequent first.

    Raises
    ------
    TreebankError
        If a file cannot be read.
    ScoreError
        If the files do not contain the same sentences and words, or `relations` are asked of files
        that have none.
    """
    # Words are compared, but no model reads them.
    own = as_bank(Treebank.read(gold, progress=progress), "gold", allow_withheld=True)
    arcs = Treebank.read(system, heads="any", progress=progress)
    gold_bank, system_bank = own, as_bank(arcs, "system", allow_withheld=True)
    for number, pair in enumerate(zip_longest(gold_bank, system_bank), start=1):
        _check_same_words(number, *pair)
    labelled = _names_relations(system_bank) or not _names_relations(gold_bank)
    predictions = [
        Prediction(one.heads, deprels=one.deprels if labelled else None)
        for one in system_bank
        if one.heads is not None
    ]
    told: Row = {"method": bank_name(system_bank), "uses_gold": False}
    heads = [[] if one.heads is None else one.heads.tolist() for one in system_bank]
    if n := sum(tree_fault(one) is not None for one in heads):
        told["n_without_tree"] = n
        what = (
            "%s: the heads of %d of %d sentences are not a tree; their arcs are scored as they are"
        )
        _log.warning(what, system, n, len(heads))
    scores = score(gold_bank, predictions, punct=punct)
    if relations and not scores.confusion:
        name = system if _names_relations(gold_bank) else gold
        what = "no relations to score: the file has none, or no others than dep and root"
        raise ScoreError(what, where=str(name))
    row = _row(told, gold_bank, scores, "test")
    warn(row["warnings"])
    return row | (_of_relations(scores) if relations else {})


def _of_relations(scores: Scores) -> Row:
    """Say how each relation was predicted, and which were confused."""
    shares = ("precision", "recall", "f1")
    of_each = [
        {"relation": name, **one._asdict(), **{key: getattr(one, key) for key in shares}}
        for name, one in scores.by_relation.items()
    ]
    pairs = sorted(scores.confusion.items(), key=lambda one: (-one[1].total, one[0]))
    confusion = [
        {"gold": gold, "predicted": found, "words": words, "right_heads": right}
        for (gold, found), (right, words) in pairs
    ]
    return {"relations": of_each, "confusion": confusion}


def _row(told: Row, bank: Treebank, scores: Scores, part: str) -> Row:
    """Make the row of scores on a treebank."""
    doubts = [*told.get("warnings", ()), *cautions_of({part: bank}, part, scores.protocol)]
    if told.get("train_fingerprint") == bank.fingerprint:
        doubts.append(same_as_train(part))
    return make_row(
        key=key_of(told, {"treebank": bank}, scores.protocol.punct),
        treebank=bank_name(bank),
        treebank_fingerprint=bank.fingerprint,
        part=part,
        **sizes(bank),
        **told | score_values(scores) | {"warnings": doubts},
    )


def _names_relations(bank: Treebank) -> bool:
    """Check whether a treebank has relations other than ``dep`` and ``root``."""
    labels = without_subtypes(chain.from_iterable(one.deprels or () for one in bank))
    return not {"dep", "root"}.issuperset(labels)


def _check_same_words(number: int, gold: Sentence | None, system: Sentence | None) -> None:
    """Refuse two sentences with different words."""
    if gold is None or system is None:
        name, other = ("gold", "system") if system is None else ("system", "gold")
        what = f"the {other} file has no sentence {number}, but the {name} file does"
        longer = system if gold is None else gold
        raise ScoreError(what, where=None if longer is None else longer.where)
    if gold.words == system.words:
        return
    pairs = enumerate(zip_longest(gold.words, system.words), start=1)
    place, pair = next((place, pair) for place, pair in pairs if pair[0] != pair[1])
    right, wrong = (word or "the end" for word in pair)
    what = f"sentence {number} differs from the gold file at word {place}: {wrong!r} instead of "
    what += f"{right!r} at {gold.where}"
    hint = "both files must contain the same sentences and words"
    raise ScoreError(what, where=system.where, hint=hint)
