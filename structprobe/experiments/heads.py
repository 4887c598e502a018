"""Analysing attention heads: relations, alignment with trees, what they attend to."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.attention.alignment import Alignment, shuffled_heads
from structprobe.attention.head_analysis import HeadAnalysis
from structprobe.attention.patterns import PatternRules
from structprobe.attention.relations import (
    OffsetTally,
    RelationScores,
    RelationTally,
    relation_rows,
)
from structprobe.attention.segment_pairs import find_pair_frame
from structprobe.attention.targets import TargetSums
from structprobe.attention.word_attentions import AttentionBatch, WordAttentions
from structprobe.errors import Hint, ResultError, ScoreError
from structprobe.experiments.config import HeadsConfig
from structprobe.experiments.runs.run import as_bank, timed
from structprobe.experiments.single_heads import SingleHeads, single_head_methods, tree_rows
from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import bank_name
from structprobe.scores.attachment import without_subtypes
from structprobe.scores.protocol import Protocol, choose_protocol, kept_words
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence
from structprobe.trees.padding import group_by_length, pad

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_ALL = "heads.json"


def analyse_heads(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None,
    test: Sequence[Sentence],
    *,
    punct: str | None = None,
    seed: int = 0,
    pairs: bool = False,
    out: str | os.PathLike[str] | None = None,
    config: HeadsConfig | None = None,
) -> HeadAnalysis:
    """Analyse each attention head of a model, in one pass over each treebank.

    Fixed offsets are chosen on train, heads on dev (or train, without dev); results are on test.
    Train is only run through the model if heads are chosen on it.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train, dev, test : sequence of Sentence
        Sentences with heads and relations; `dev` may be None.
    punct : {"upos", "xpos", "keep"}, optional
        Which words are punctuation, and ignored by UUAS, see `Protocol`; none with ``"keep"``.
    seed : int
        Random state of the shuffled trees.
    pairs : bool, default=False
        Whether to analyse what heads attend to, and their patterns, on pairs of consecutive
        sentences, as two segments (see `WordAttentions.read_pairs`); the block pattern needs this.
        Relations, trees and alignment are always on single sentences.
    out : path, optional
        A results folder, for ``heads.json`` (everything), ``heads.csv`` (one row per head),
        ``relations.csv`` and ``trees.csv``.
    config : HeadsConfig, optional
        Further options: rules for patterns, whether to replace existing files.

    Returns
    -------
    HeadAnalysis
        The tables of heads and relations.

    Raises
    ------
    ResultError
        If `out` is not a results folder or cannot be written, or has an analysis and
        ``config.force`` is not set.
    EncoderError
        If the model returns no attention, or `pairs` is set and its tokenizer has no segments.
    ScoreError
        If a treebank is empty, lacks heads or relations, or the tags that `punct` needs; or if
        `pairs` is set and no pair of test sentences fits into the model.
    """
    config = config or HeadsConfig()
    given = {"train": train, "dev": dev, "test": test}
    banks = {part: as_bank(bank, part) for part, bank in given.items() if bank is not None}
    protocol = choose_protocol(banks["test"], punct)
    names, gold = _read_gold(banks)
    if pairs:
        find_pair_frame(encoder.loaded.tokenizer)  # refused before any pass
    folder = None if out is None else _folder(out, config.force)
    chosen_on = "dev" if "dev" in banks else "train"
    with timed() as times:
        attentions = WordAttentions(encoder)
        shape = attentions.n_layers, attentions.n_heads
        choice, told = (RelationTally(names, *shape) for _ in range(2))
        methods = single_head_methods(encoder)
        trees = {
            part: SingleHeads(methods, banks[part], protocol.punct) for part in (chosen_on, "test")
        }
        for batch in attentions.read(banks[chosen_on], progress=config.progress):
            choice.add(batch.weights, *gold[chosen_on].batch(batch.sentences))
            trees[chosen_on].add(batch)
        sums = _Sums(banks["test"], gold["test"], protocol, seed, attentions)
        for batch in attentions.read(banks["test"], progress=config.progress):
            told.add(batch.weights, *gold["test"].batch(batch.sentences))
            trees["test"].add(batch)
            sums.add_trees(batch)
            if not pairs:
                sums.add_targets(batch, sums.punct)
        if pairs:
            sums.add_pairs(attentions, config.progress)
    about = {
        "model": encoder.origin(0)["model"],
        "train": bank_name(banks["train"]),
        "chosen_on": chosen_on,
        "part": "test",
        "treebank": bank_name(banks["test"]),
        "n_sentences": len(banks["test"]),
        "n_words": banks["test"].n_words,
        "punct": protocol.punct,
        "first_is_special": sums.first_is_special,
        "seed": seed,
        "n_pairs": sums.n_pairs,
        **times,
    }
    rules = config.rules or PatternRules()
    shares = sums.targets.shares
    rows = relation_rows(
        RelationScores(choice, gold[chosen_on].offsets(names)),
        RelationScores(told, gold["test"].offsets(names)),
        gold["train"].offsets(names).best(),
        rules.name(shares["near"], shares["delimiters"], sums.targets.own_segment),
    )
    accuracy = {
        name: told.accuracy[:, number]
        for number, name in enumerate(told.names)
        if told.total[number]
    }
    analysis = HeadAnalysis(
        about, rules, rows, accuracy, shares, sums.targets.entropy,
        sums.alignment.share, sums.shuffled.share,
        tree_rows(trees[chosen_on].uuas, trees["test"].uuas),
        sums.targets.own_segment,
    )  # fmt: skip
    if folder is not None:
        _write(analysis, folder)
    return analysis


@dataclass(frozen=True)
class _Gold:
    """The heads and relation ids of each sentence of a treebank."""

    heads: list[NDArray[np.int64]]
    relations: list[NDArray[np.intp]]

    def batch(self, numbers: NDArray[np.integer]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return those of some sentences, padded."""
        some = numbers.tolist()
        return (
            pad([self.heads[number] for number in some], fill=-1),
            pad([self.relations[number] for number in some]),
        )

    def offsets(self, names: Sequence[str]) -> OffsetTally:
        """Count the offsets of heads from their dependents."""
        tally = OffsetTally(names)
        for group in group_by_length([len(heads) for heads in self.heads]):
            tally.add(*self.batch(group))
        return tally


class _Sums:
    """Sums over the part that is reported on, other than for relations."""

    def __init__(
        self,
        bank: Treebank,
        gold: _Gold,
        protocol: Protocol,
        seed: int,
        attentions: WordAttentions,
    ) -> None:
        shape = attentions.n_layers, attentions.n_heads
        self.gold, self.bank = gold, bank
        self.n_pairs: int | None = None
        lengths = np.array([len(sentence) for sentence in bank], dtype=np.int64)
        kept = kept_words(bank, lengths, protocol)
        self.punct = np.split(~kept, np.cumsum(lengths)[:-1])
        generator = np.random.default_rng(seed)
        self.other_heads = [shuffled_heads(heads, generator) for heads in gold.heads]
        self.first_is_special = bool(attentions.encoder.surroundings.before)
        self.alignment, self.shuffled = (
            Alignment(*shape, first_is_special=self.first_is_special) for _ in range(2)
        )
        self.targets = TargetSums(*shape, first_is_special=self.first_is_special)

    def add_trees(self, batch: AttentionBatch) -> None:
        """Add the attention along arcs in a batch of sentences."""
        some = batch.sentences.tolist()
        heads, _ = self.gold.batch(batch.sentences)
        self.alignment.add(batch.weights, heads)
        self.shuffled.add(batch.weights, pad([self.other_heads[i] for i in some], fill=-1))

    def add_targets(
        self,
        batch: AttentionBatch,
        punct: Sequence[NDArray[np.bool_]] | Mapping[int, NDArray[np.bool_]],
        segments: NDArray[np.integer] | None = None,
    ) -> None:
        """Add what is attended to in a batch of sentences, or of pairs."""
        self.targets.add(
            batch.weights,
            batch.lengths,
            special=batch.special,
            first=batch.first,
            punct=pad([punct[i] for i in batch.sentences.tolist()]),
            segments=segments,
        )

    def add_pairs(self, attentions: WordAttentions, progress: bool | None) -> None:
        """Add what is attended to in pairs of consecutive sentences."""
        self.n_pairs = 0
        last = len(self.punct) - 1
        punct = {i: np.concatenate(self.punct[i : i + 2]) for i in range(0, last, 2)}
        for batch, segments in attentions.read_pairs(self.bank, progress=progress):
            self.add_targets(batch, punct, segments)
            self.n_pairs += len(batch.sentences)
        if not self.n_pairs:
            raise ScoreError(
                "no two consecutive sentences fit into the model",
                hint="use at least two sentences that are short enough, or leave out pairs",
            )


def _read_gold(banks: Mapping[str, Treebank]) -> tuple[list[str], dict[str, _Gold]]:
    """List all relations, without subtypes, and the ids of each treebank's."""
    labels = {part: without_subtypes(_labels(bank, part)) for part, bank in banks.items()}
    names = np.unique(np.concatenate(list(labels.values())))
    gold = {}
    for part, bank in banks.items():
        ends = np.cumsum([len(sentence) for sentence in bank])[:-1]
        numbers = np.split(np.searchsorted(names, labels[part]), ends)
        gold[part] = _Gold([np.asarray(one.heads, dtype=np.int64) for one in bank], numbers)
    return names.tolist(), gold


def _labels(bank: Treebank, part: str) -> list[str]:
    """Return the relations of all words, concatenated."""
    for sentence in bank:
        if sentence.deprels is None:
            raise ScoreError(
                f"a sentence in the {part} treebank has no relations",
                where=sentence.where,
                hint="use a treebank with relations (DEPREL)",
            )
    return list(chain.from_iterable(sentence.deprels or () for sentence in bank))


def _folder(out: str | os.PathLike[str], force: bool) -> ResultsFolder:
    """Open a results folder, unless it has an analysis that must not be replaced."""
    if (Path(out) / _ALL).exists() and not force:
        raise ResultError(
            f"{_ALL} already exists",
            where=str(out),
            hint=Hint(
                "choose another folder, or pass force=True to replace it",
                shell="choose another folder, or use --force to replace it",
            ),
        )
    return ResultsFolder(out)


def _write(analysis: HeadAnalysis, folder: ResultsFolder) -> None:
    """Write everything as JSON, and heads and relations as tables."""
    everything = analysis.to_dict()
    text = json.dumps(everything, ensure_ascii=False, indent=2, allow_nan=False)
    folder.write(_ALL, text + "\n")
    for name in ("heads", "relations", "trees"):
        rows = everything[name]
        table = io.StringIO()
        writer = csv.DictWriter(table, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        folder.write(f"{name}.csv", table.getvalue())
