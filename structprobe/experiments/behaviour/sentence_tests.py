"""Whether a model prefers what its probe parses well: minimal pairs with trees, pair by pair."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.checksums import checksum
from structprobe.errors import StructprobeError
from structprobe.recoverers.base import Recoverer
from structprobe.results.folder import ResultsFolder
from structprobe.results.outcomes import ALL
from structprobe.results.rows import TESTS, Row, make_row, run_key
from structprobe.scores.scoring import score
from structprobe.scores.table import column
from structprobe.stimuli.bias import Estimate, Resampling, flat_values, near_word_slope, ratio
from structprobe.stimuli.scoring import Predicts
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.stimuli.suites.reading import SuiteGroup
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.behaviour.language_model import LanguageModel
    from structprobe.scores.prediction import Prediction

_VERSION = 1  # of the tests, part of the key of a row
CRITICAL = ("subject", "verb")  # the words whose edge decides between the two sentences

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SentenceTest:
    """How the preference of a model goes with the trees of a probe, in minimal pairs.

    All estimates have bootstrap intervals over the items of the pairs, and are None if they are not
    defined, such as the accuracy where the edge is missed if it never is.

    Attributes
    ----------
    suite : str
        The name of the suite.
    phenomenon : str or None
        The phenomenon; None for all pairs.
    n : int
        The number of pairs.
    accuracy : Estimate
        The share of pairs whose grammatical sentence the model prefers.
    edge_found : Estimate or None
        The share of pairs in whose grammatical sentence the probe finds the critical edge, between
        subject and verb.
    accuracy_found, accuracy_missed : Estimate or None
        The accuracy where it is found, and where it is missed.
    accuracy_gain : Estimate or None
        Their difference within paradigms (mean over paradigms, weighted as in a regression with one
        fixed effect for each), so that it does not arise from paradigms in which both are hard.
    uuas_good, uuas_bad : Estimate
        UUAS in the grammatical and in the ungrammatical sentence, whose gold trees are the same.
    parsed_better : Estimate
        Their difference.
    margin_slope : Estimate or None
        How many nats the margin of a pair grows, within paradigms, if the UUAS of the grammatical
        sentence grows from 0 to 1.
    """

    suite: str
    phenomenon: str | None
    n: int
    accuracy: Estimate
    edge_found: Estimate | None
    accuracy_found: Estimate | None
    accuracy_missed: Estimate | None
    accuracy_gain: Estimate | None
    uuas_good: Estimate | None
    uuas_bad: Estimate | None
    parsed_better: Estimate | None
    margin_slope: Estimate | None

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types.

        Returns
        -------
        dict
            The attributes by name; estimates with ``_low`` and ``_high``.
        """
        return flat_values(self, ESTIMATES)


ESTIMATES = tuple(one.name for one in fields(SentenceTest))[3:]


def read_sentence_tests(
    language_model: LanguageModel,
    recoverer: Predicts,
    pairs: Sequence[MinimalPair],
    *,
    punct: str | None = None,
    how: Resampling | None = None,
    progress: bool | None = None,
) -> list[SentenceTest]:
    """Test whether a model prefers the grammatical sentence where its probe parses it well.

    After Agarwal, Jian, Manning & Murty (2025, Mechanisms vs. Outcomes: Probing for Syntax Fails to
    Explain Performance on Targeted Syntactic Evaluations), who ask within a model if grammatical
    sentences are parsed better than ungrammatical ones, and if the critical edge is found where the
    model is right. The pairs need gold trees: those of `make_pairs` have them, BLiMP has none.

    Parameters
    ----------
    language_model : LanguageModel
        The model.
    recoverer : Recoverer
        A fitted method that predicts trees, such as a probe on a layer of the same model.
    pairs : sequence of MinimalPair
        Pairs of sentences of the same gold tree, with named words.
    punct : {"upos", "xpos", "keep"}, optional
        Which words UUAS ignores, as for `score`.
    how : Resampling, optional
        How intervals are made.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    list of SentenceTest
        One for each phenomenon, if there are several, then one for all pairs.

    Raises
    ------
    StructprobeError
        If there are no pairs, or one has no gold trees.
    """
    good, bad = (_with_trees(pairs, which) for which in ("good", "bad"))
    texts = list(zip(good, bad, strict=True))
    scores = language_model.pair_log_probs(texts, progress=progress)  # (n, 2)
    trees = list(recoverer.predict([*good, *bad]))
    found = _Found.of(pairs, scores, trees[: len(good)], trees[len(good) :], punct)
    names = list(dict.fromkeys(one.phenomenon for one in pairs))
    chosen = [*names, None] if len(names) > 1 else [None]
    return [_test(pairs, name, found, how or Resampling()) for name in chosen]


def _with_trees(pairs: Sequence[MinimalPair], which: str) -> list[Sentence]:
    """Give the sentences, which must have trees."""
    if not pairs:
        raise StructprobeError("no pairs to test", hint="pass pairs, such as those of make_pairs")
    sentences = [getattr(one, which) for one in pairs]
    for pair, one in zip(pairs, sentences, strict=True):
        if not isinstance(one, Sentence) or one.heads is None:
            what = f"the {which} sentence of the pair has no gold tree"
            raise StructprobeError(what, where=pair.where, hint="use pairs of make_pairs")
    return sentences


@dataclass(frozen=True, eq=False)
class _Found:
    """What is measured of each of n pairs."""

    margin: Floats  # (n,)
    edge: Floats  # (n,): whether the critical edge is found; NaN if there is none
    edges: Floats  # (2, n): scored gold edges of the good and the bad sentence
    right: Floats  # (2, n): of these, those that are found

    @classmethod
    def of(
        cls,
        pairs: Sequence[MinimalPair],
        scores: Floats,
        good: Sequence[Prediction],
        bad: Sequence[Prediction],
        punct: str | None,
    ) -> _Found:
        """Measure all pairs."""
        tables = [
            score([getattr(one, which) for one in pairs], own, punct=punct).table
            for which, own in (("good", good), ("bad", bad))
        ]
        edges, right = (
            np.stack([column(one, name) for one in tables]) for name in ("edges", "right_edges")
        )
        edge = [_critical(pair, tree.heads) for pair, tree in zip(pairs, good, strict=True)]
        return cls(scores[:, 0] - scores[:, 1], np.array(edge), edges, right)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> _Found:
        own = (self.margin[chosen], self.edge[chosen])
        return _Found(*own, self.edges[:, chosen], self.right[:, chosen])


def _critical(pair: MinimalPair, heads: NDArray[np.integer]) -> float:
    """Tell whether the critical edge is in a tree; NaN where the pair does not name its words."""
    if not pair.words.keys() >= set(CRITICAL):
        return np.nan
    subject, verb = (pair.words[name] for name in CRITICAL)
    return float(heads[subject - 1] == verb or heads[verb - 1] == subject)


def _test(
    pairs: Sequence[MinimalPair], phenomenon: str | None, found: _Found, how: Resampling
) -> SentenceTest:
    """Sum up the pairs of a phenomenon."""
    chosen = np.array([phenomenon in (None, one.phenomenon) for one in pairs])
    own = [one for one, is_own in zip(pairs, chosen, strict=True) if is_own]
    found = found[chosen]
    keys = [(one.phenomenon, i if one.item is None else ("item", one.item))
            for i, one in enumerate(own)]  # fmt: skip
    order = {key: unit for unit, key in enumerate(dict.fromkeys(keys))}
    units = np.array([order[key] for key in keys])
    paradigms = np.unique([one.paradigm for one in own], return_inverse=True)[1]
    right, one = (found.margin > 0).astype(np.float64), np.ones(len(own))
    named = ~np.isnan(found.edge)
    edge, there = np.nan_to_num(found.edge), named.astype(np.float64)
    good, bad = found.right
    shares = np.divide(good, found.edges[0], out=np.zeros(len(own)), where=found.edges[0] > 0)

    def share(part: Floats, whole: Floats) -> Estimate | None:
        return ratio(part, whole, units, how)

    def slope(y: Floats, x: Floats, where: NDArray[np.bool_]) -> Estimate | None:
        """Regress with one fixed effect for each paradigm: near_word_slope without distances."""
        same = np.zeros(int(where.sum()))
        return near_word_slope(
            y[where], x[where], same, blocks=paradigms[where], units=units[where],
            n=how.n, level=how.level, random_state=how.random_state,
        )  # fmt: skip

    accuracy = share(right, one)
    assert accuracy is not None  # there are pairs
    return SentenceTest(
        own[0].suite,
        phenomenon,
        len(own),
        accuracy=accuracy,
        edge_found=share(edge, there),
        accuracy_found=share(right * edge, edge),
        accuracy_missed=share(right * (there - edge), there - edge),
        accuracy_gain=slope(right, edge, named),
        uuas_good=share(good, found.edges[0]),
        uuas_bad=share(bad, found.edges[1]),
        parsed_better=share(good - bad, found.edges[0]),
        margin_slope=slope(found.margin, shares, found.edges[0] > 0),
    )


def sentence_test_rows(
    language_model: LanguageModel,
    recoverer: Recoverer,
    suites: Sequence[SuiteGroup],
    *,
    folder: str | os.PathLike[str],
    punct: str | None = None,
    progress: bool | None = None,
) -> list[Row]:
    """Make the tests on the suites whose pairs have trees, and save a row for each of them.

    Tests that are already in the folder are skipped. What they found lies beside the row, by
    phenomenon.
    """
    results = ResultsFolder(folder)
    keys, found = results.keys, []
    for group in suites:
        pairs = [one for one in group.pairs if isinstance(one.good, Sentence)]
        if not pairs:
            continue
        values = _values(language_model, recoverer, group, punct)
        found.append(values["key"])
        if values["key"] in keys:
            continue
        tests = read_sentence_tests(
            language_model, recoverer, pairs, punct=punct, progress=progress
        )  # fmt: skip
        every = tests[-1].values()
        told = {key: every[key] for key in ("accuracy", "accuracy_low", "accuracy_high")}
        conditions = [
            {"condition": one.phenomenon or ALL, "value": ALL, "n": one.n,
             **{key: value for key, value in one.values().items()
                if key.startswith(ESTIMATES)}}
            for one in tests
        ]  # fmt: skip
        results.add(make_row(**values, **told, n_pairs=len(pairs)), conditions=conditions)
    by_key = {row["key"]: row for row in results.rows}
    return [by_key[key] for key in found]


def _values(
    model: LanguageModel, recoverer: Recoverer, group: SuiteGroup, punct: str | None
) -> Row:
    """Give the known values of a row, and its key."""
    values: Row = {"method": TESTS, "uses_gold": False, **recoverer.describe()}
    values |= {"suite": group.name, "suite_fingerprint": group.fingerprint, "punct": punct}
    values |= {"lm_kind": model.kind, "scores_first": model.scores_first}
    probe = getattr(recoverer, "probe", None)
    weights = None if probe is None else int(checksum("probe", [probe.distance_components_]))
    asked = [[one.item, sorted(one.words.items()), *map(_heads, (one.good, one.bad))]
             for one in group.pairs]  # fmt: skip
    key = run_key(**values, probe=weights, asked=asked, tests_version=_VERSION)
    return {"key": key, **values, "method": TESTS}


def _heads(text: str | Sentence) -> list[int] | None:
    """Give the tree of a sentence, if it has one."""
    heads = getattr(text, "heads", None)
    return None if heads is None else [int(one) for one in heads]
