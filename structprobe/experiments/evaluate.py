"""Score what is already there: saved probes, other recoverers, parse files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Any

from structprobe.errors import ScoreError
from structprobe.experiments.runs.run import as_bank, key_of, timed
from structprobe.recoverers.base import Recoverer
from structprobe.recoverers.linear import LinearChain
from structprobe.results.frames import Rows
from structprobe.results.rows import Row, bank_name, make_row, score_values
from structprobe.scores import score
from structprobe.scores.attachment import without_subtypes
from structprobe.scores.prediction import Prediction
from structprobe.treebank import Treebank
from structprobe.treebank.sentence import Sentence


def evaluate(
    recoverers: Iterable[Recoverer],
    bank: Sequence[Sentence],
    *,
    punct: str | None = None,
    part: str = "test",
) -> Rows:
    """Score recoverers on a treebank.

    Parameters
    ----------
    recoverers : iterable of Recoverer
        Fitted, where they need it.
    bank : sequence of Sentence
        Sentences with heads.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy.
    part : str, default="test"
        What the row calls the treebank.

    Returns
    -------
    Rows
        A list of dicts, which shows itself as a table: one result row each, in order.

    Raises
    ------
    ScoreError
        If the treebank is empty or lacks heads.
    """
    bank = as_bank(bank, part)
    rows = Rows()
    for recoverer in recoverers:
        with timed() as times:
            predictions = recoverer.predict(bank)
        rows.append(_row(recoverer.describe(), bank, predictions, punct, part) | times)
    return rows


def evaluate_probe(
    source: str | os.PathLike[str],
    bank: Sequence[Sentence],
    *,
    punct: str | None = None,
    part: str = "test",
    **loading: Any,
) -> Rows:
    """Score a saved probe on a treebank, the linear chain beside it.

    Parameters
    ----------
    source : path or str
        A folder that a probe was saved in, or a hub id.
    bank : sequence of Sentence
        Sentences with heads.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy.
    part : str, default="test"
        What the row calls the treebank.
    **loading
        Further arguments of `ProbeRecoverer.from_pretrained`.

    Returns
    -------
    Rows
        A list of dicts, which shows itself as a table: the probe's result row, then the chain's.

    Raises
    ------
    ProbeError
        If there is no such probe, or the model is another.
    ScoreError
        If the treebank is empty or lacks heads.
    """
    from structprobe.recoverers.probe import ProbeRecoverer

    bank = as_bank(bank, part)
    probe = ProbeRecoverer.from_pretrained(source, **loading)
    return evaluate([probe, LinearChain()], bank, punct=punct, part=part)


def score_files(
    gold: str | os.PathLike[str],
    system: str | os.PathLike[str],
    *,
    punct: str | None = None,
    progress: bool | None = None,
) -> Row:
    """Score a parse file made by anything against the gold file.

    The file holds one tree a sentence, over all its words, and no distances: of it, the edges
    between kept words count, where `evaluate` decodes the distances anew over the kept words, and
    the root is the kept word that is least deep in the tree. So UUAS and root accuracy of what
    ``structprobe parse`` wrote differ a little from those of `evaluate`.

    There is no LAS of a file whose relations are all ``dep`` and ``root`` (subtypes cut off), as
    those of ``structprobe parse`` are: its trees are unlabelled. It is scored where the gold
    file has no other relations either.

    Parameters
    ----------
    gold : path
        CoNLL-U with the gold trees.
    system : path
        CoNLL-U of the same sentences and words with the trees to score.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy, by the tags of the gold file.
    progress : bool, optional
        Whether to draw bars on stderr while large files are read; by default where that is a
        terminal.

    Returns
    -------
    dict
        A result row; ``las`` where both files have relations and those of the system file say
        something, else None.

    Raises
    ------
    TreebankError
        If a file cannot be read.
    ScoreError
        If the files do not hold the same sentences of the same words; the first difference is
        named with both lines.
    """
    gold_bank = as_bank(Treebank.read(gold, progress=progress), "gold")
    system_bank = as_bank(Treebank.read(system, progress=progress), "system")
    for number, pair in enumerate(zip_longest(gold_bank, system_bank), start=1):
        _check_same_words(number, *pair)
    labelled = _names_relations(system_bank) or not _names_relations(gold_bank)
    predictions = [
        Prediction(sentence.heads, deprels=sentence.deprels if labelled else None)
        for sentence in system_bank
        if sentence.heads is not None
    ]
    told = {"method": bank_name(system_bank), "uses_gold": False}
    return _row(told, gold_bank, predictions, punct, "test")


def _row(
    told: Row, bank: Treebank, predictions: Sequence[Prediction], punct: str | None, part: str
) -> Row:
    """Make the row of predictions on a treebank."""
    scores = score(bank, predictions, punct=punct)
    return make_row(
        key=key_of(told, {"treebank": bank}, scores.protocol.punct),
        treebank=bank_name(bank),
        treebank_fingerprint=bank.fingerprint,
        part=part,
        n_sentences=len(bank),
        n_words=bank.n_words,
        **told,
        **score_values(scores),
    )


def _names_relations(bank: Treebank) -> bool:
    """Tell whether any relation of a treebank says more than that there is an arc or a root."""
    labels = without_subtypes(chain.from_iterable(one.deprels or () for one in bank))
    return not {"dep", "root"}.issuperset(labels)


def _check_same_words(number: int, gold: Sentence | None, system: Sentence | None) -> None:
    """Refuse two sentences that are not the same words."""
    if gold is None or system is None:
        longer, name, other = (
            (gold, "gold", "system") if system is None else (system, "system", "gold")
        )
        assert longer is not None
        raise ScoreError(
            f"the {other} file ends before sentence {number} of the {name} file",
            where=longer.where,
        )
    if gold.words == system.words:
        return
    place = next(
        (i for i, (a, b) in enumerate(zip(gold.words, system.words, strict=False)) if a != b),
        min(len(gold), len(system)),
    )
    words = [s.words[place] if place < len(s) else "the end" for s in (gold, system)]
    raise ScoreError(
        f"sentence {number} has other words than the gold at word {place + 1}: "
        f"{words[1]!r}, and {words[0]!r} at {gold.where}",
        where=system.where,
        hint="score files of the same sentences and words",
    )
