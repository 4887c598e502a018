"""Analysing attention heads: relations, trees, alignment with trees, what they attend to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from structprobe.experiments.config import HeadsConfig, checked_config
from structprobe.experiments.runs.run import as_bank, sizes, timed
from structprobe.recoverers.attention_head import AttentionHead
from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.results.folder import ResultsFolder
from structprobe.results.frames import as_csv
from structprobe.results.rows import bank_name, plain_number
from structprobe.scores.attachment import without_subtypes
from structprobe.scores.gold_edges import GoldEdges
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
    folder: str | os.PathLike[str] | None = None,
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
    seed : int, default=0
        Random state of the shuffled trees.
    pairs : bool, default=False
        Whether to analyse targets and patterns on pairs of consecutive sentences, as two segments
        (see `WordAttentions.read_pairs`); the block pattern needs this. Relations, trees and
        alignment are always on single sentences.
    folder : path, optional
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
        If the folder is not a results folder or cannot be written, or has an analysis and
        ``config.force`` is not set.
    EncoderError
        If the model returns no attention, or `pairs` is set and its tokenizer has no segments.
    ScoreError
        If a treebank is empty, lacks heads or relations, or the tags that `punct` needs; or if
        `pairs` is set and no pair of test sentences fits into the model.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    config = checked_config(config, HeadsConfig)
    given = {"train": train, "dev": dev, "test": test}
    banks = {
        part: as_bank(bank, part, allow_withheld=config.allow_withheld)
        for part, bank in given.items()
        if bank is not None
    }
    protocol = choose_protocol(banks["test"], punct, for_counts="an analysis of heads")
    names, gold = _read_gold(banks)
    if pairs:
        find_pair_frame(encoder.loaded.tokenizer)  # refused before any pass
    results = None if folder is None else _open(folder, config.force)
    chosen_on = "dev" if "dev" in banks else "train"
    with timed() as times:
        attentions = WordAttentions(encoder)
        shape = attentions.n_layers, attentions.n_heads
        choice, told = (RelationTally(names, *shape) for _ in range(2))
        methods = single_head_methods(encoder)
        parts = chosen_on, "test"
        trees = {part: SingleHeads(methods, banks[part], protocol.punct) for part in parts}
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
        "model": encoder.origin(0)["model"], "train": bank_name(banks["train"]),
        "chosen_on": chosen_on, "part": "test", "treebank": bank_name(banks["test"]),
        **sizes(banks["test"]), "punct": protocol.punct,
        "first_is_special": sums.first_is_special, "seed": seed, "n_pairs": sums.n_pairs, **times,
    }  # fmt: skip
    rules = config.rules or PatternRules()
    shares = sums.targets.shares
    rows = relation_rows(
        RelationScores(choice, gold[chosen_on].offsets(names)),
        RelationScores(told, gold["test"].offsets(names)),
        gold["train"].offsets(names).best(),
        rules.name(shares["near"], shares["delimiters"], sums.targets.own_segment),
        attentions.layers,
    )
    known = [(i, name) for i, name in enumerate(told.names) if told.total[i]]
    accuracy = {name: told.accuracy[:, i] for i, name in known}
    analysis = HeadAnalysis(
        about, rules, rows, accuracy, shares, sums.targets.entropy,
        sums.alignment.share, sums.shuffled.share,
        tree_rows(trees[chosen_on].uuas, trees["test"].uuas, attentions.layers),
        sums.targets.own_segment,
        attentions.layers,
    )  # fmt: skip
    if results is not None:
        _write(analysis, results)
    return analysis


def single_head_methods(encoder: Encoder) -> list[AttentionHead]:
    """Create the methods that are reported for each head."""
    both: list[AttentionHead] = [AttentionMax(encoder), AttentionMax(encoder, direction="from")]
    return [*both, AttentionMST(encoder), AttentionMST(encoder, gold_root=True)]


class SingleHeads:
    """UUAS of every head by several methods, summed over one pass through a treebank."""

    def __init__(
        self, methods: Sequence[AttentionHead], bank: Sequence[Sentence], punct: str | None
    ) -> None:
        self.methods, self.bank = methods, bank
        self._gold = GoldEdges(bank, punct)
        self._right: dict[str, Any] = {method.name: 0 for method in methods}

    def add(self, batch: AttentionBatch) -> None:
        """Add a batch of attention."""
        for method in self.methods:
            self._right[method.name] += method.count_right(batch, self._gold, self.bank)

    @property
    def uuas(self) -> dict[str, NDArray[np.float64]]:
        """UUAS (n_layers, n_heads) by method; NaN if no gold edge counts."""
        n_edges = self._gold.n_edges or np.nan
        return {name: right / n_edges for name, right in self._right.items()}


def tree_rows(
    choice: Mapping[str, NDArray[np.float64]],
    told: Mapping[str, NDArray[np.float64]],
    layers: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Choose a head in each layer on one part of a treebank; report its UUAS on another."""
    # choice (n_layers, n_heads), told (n_layers, n_heads), layers (n_layers,)
    rows = []
    for method, chosen_by in choice.items():
        highest = chosen_by.max(axis=1)
        numbers = layers or range(1, len(chosen_by) + 1)
        for layer, head in enumerate(chosen_by.argmax(axis=1).tolist()):
            row = {"method": method, "layer": numbers[layer], "head": None, "choice_uuas": None}
            row |= {"uuas": None, "best": False}
            if not np.isnan(highest[layer]):  # some gold edge counts
                uuas = float(told[method][layer, head])
                row |= {"head": head + 1, "choice_uuas": float(highest[layer])}
                row["uuas"] = None if np.isnan(uuas) else uuas
                row["best"] = layer == int(highest.argmax())
            rows.append(row)
    return rows


@dataclass(frozen=True)
class _Gold:
    """The heads and relation ids of each sentence of a treebank."""

    heads: list[NDArray[np.int64]]
    relations: list[NDArray[np.intp]]

    def batch(self, numbers: NDArray[np.integer]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return those of some sentences, padded."""
        some = numbers.tolist()
        relations = pad([self.relations[i] for i in some])
        return pad([self.heads[i] for i in some], fill=-1), relations

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
        self.gold, self.bank = gold, bank
        self.n_pairs: int | None = None
        lengths = np.array([*map(len, bank)], dtype=np.int64)
        kept = kept_words(bank, lengths, protocol)
        self.punct = np.split(~kept, np.cumsum(lengths)[:-1])
        generator = np.random.default_rng(seed)
        self.other_heads = [shuffled_heads(heads, generator) for heads in gold.heads]
        self.first_is_special = special = bool(attentions.encoder.surroundings.before)
        shape = attentions.n_layers, attentions.n_heads
        self.alignment = Alignment(*shape, first_is_special=special)
        self.shuffled = Alignment(*shape, first_is_special=special)
        self.targets = TargetSums(*shape, first_is_special=special)

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
        own = pad([punct[i] for i in batch.sentences.tolist()])
        where: dict[str, Any] = {"special": batch.special, "first": batch.first, "punct": own}
        self.targets.add(batch.weights, batch.lengths, segments=segments, **where)

    def add_pairs(self, attentions: WordAttentions, progress: bool | None) -> None:
        """Add what is attended to in pairs of consecutive sentences."""
        self.n_pairs = 0
        last = len(self.punct) - 1
        punct = {i: np.concatenate(self.punct[i : i + 2]) for i in range(0, last, 2)}
        for batch, segments in attentions.read_pairs(self.bank, progress=progress):
            self.add_targets(batch, punct, segments)
            self.n_pairs += len(batch.sentences)
        if not self.n_pairs:
            hint = "use at least two sentences that are short enough, or leave out pairs"
            raise ScoreError("no two consecutive sentences fit into the model", hint=hint)


def _read_gold(banks: Mapping[str, Treebank]) -> tuple[list[str], dict[str, _Gold]]:
    """List all relations, without subtypes, and the ids of each treebank's."""
    labels = {}
    for part, bank in banks.items():
        found: list[str] = []
        for sentence in bank:
            if sentence.deprels is None:
                what = f"a sentence in the {part} treebank has no relations"
                hint = "use a treebank with relations (DEPREL)"
                raise ScoreError(what, where=sentence.where, hint=hint)
            found += sentence.deprels
        labels[part] = without_subtypes(found)
    names = np.unique(np.concatenate(list(labels.values())))
    gold = {}
    for part, bank in banks.items():
        ends = np.cumsum([len(sentence) for sentence in bank])[:-1]
        numbers = np.split(np.searchsorted(names, labels[part]), ends)
        gold[part] = _Gold([np.asarray(one.heads, dtype=np.int64) for one in bank], numbers)
    return names.tolist(), gold


def _open(folder: str | os.PathLike[str], force: bool) -> ResultsFolder:
    """Open a results folder, unless it has an analysis that must not be replaced."""
    if (Path(folder) / _ALL).exists() and not force:
        other = "choose another folder, or"
        hint = Hint(
            f"{other} set force=True in HeadsConfig to replace it",
            shell=f"{other} use --force to replace it",
        )
        raise ResultError(f"{_ALL} already exists", where=str(folder), hint=hint)
    return ResultsFolder(folder)


def _write(analysis: HeadAnalysis, folder: ResultsFolder) -> None:
    """Write everything as JSON, and heads and relations as tables."""
    everything = analysis.to_dict()
    how: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False, "default": plain_number}
    text = json.dumps(everything, indent=2, **how)
    folder.write(_ALL, text + "\n")
    for name in ("heads", "relations", "trees"):
        rows = everything[name]
        folder.write(f"{name}.csv", as_csv(rows, [*rows[0]] if rows else []))
