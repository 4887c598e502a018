"""Whether a probe of one treebank reads the trees of another, and by the same subspace.

Chi, Hewitt and Manning 2020, Finding Universal Grammatical Relations in Multilingual BERT: probes
of one language are scored on others, and so are those of all languages, and of all but
the one that they are scored on. Their subspaces are compared by principal angles.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import chain, combinations, combinations_with_replacement, product
from typing import TYPE_CHECKING, Any

import numpy as np

from structprobe.errors import ScoreError, refuse_kind
from structprobe.experiments.config import TransferConfig, checked_config
from structprobe.experiments.evaluate import evaluate
from structprobe.experiments.instruments.bench import Bench, Encoded, Parts, in_halves, join
from structprobe.experiments.runs.grid import Grid, known_products
from structprobe.experiments.runs.run import as_bank, warn_after
from structprobe.experiments.vectors_folder import check_cache
from structprobe.progress import progress_bar
from structprobe.recoverers.linear import LinearChain
from structprobe.results.rows import Row, per_cent
from structprobe.scores.attachment import without_subtypes
from structprobe.scores.paired import paired_bootstrap
from structprobe.scores.protocol import choose_protocol
from structprobe.scores.result import Scores
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.probe.estimator import StructuralProbe

_log = logging.getLogger(__name__)

# Two treebanks, whether by halves, and the probes of each pair.
_Pairs = dict[tuple[str, str, bool], list[tuple["StructuralProbe", ...]]]

METRICS = ("uuas", "dspr", "root_acc")
LINEAR, ALL, OTHERS = "linear", "all", "all others"  # in the place of a treebank's name
KINDS = ("distance", "depth")

# Of the words of a treebank, the share with relations that another one lacks, above which the two
# are annotated differently; UD treebanks lack a few rare ones.
MOST_FOREIGN = 0.05


@dataclass(frozen=True)
class Drop:
    """How much lower a transferred probe scores than the probe trained on the same treebank.

    Attributes
    ----------
    trained_on, tested_on : str
        The treebank that the transferred probe was trained on, and the one that both probes were
        scored on.
    metric : {"uuas", "dspr", "root_acc"}
        The score.
    value : float
        The score of the probe trained on `tested_on` minus that of the transferred probe, as a
        fraction.
    low, high : float or None
        The 95% bootstrap interval over the sentences of the test set; None if the score is defined
        on different sentences for the two probes.
    """

    trained_on: str
    tested_on: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SubspaceAngles:
    """The angles between the subspaces of two probes.

    The angles are measured after whitening the word vectors of the two treebanks together, so that
    they do not depend on how the model scales its directions.

    Attributes
    ----------
    kind : {"distance", "depth"}
        Which matrices are compared.
    a, b : str
        The treebanks.
    halves : bool
        Whether the probes were trained on random halves of the training sets: four pairs of
        probes, or, within one treebank (`a` is `b`), the probes of its two halves. Otherwise, they
        were trained on the whole training sets.
    mean, smallest, largest : float
        Mean, minimum and maximum of the principal angles between the row spaces, in degrees.
    chance : float
        The mean angle of random subspaces of the same rank.
    """

    kind: str
    a: str
    b: str
    halves: bool
    mean: float
    smallest: float
    largest: float
    chance: float


@dataclass(frozen=True)
class Transfer:
    """The scores of probes of several treebanks on each other's test sets.

    Attributes
    ----------
    layer, rank, seed : int
        The layer, and the rank and random state of the probes.
    trained_on, tested_on : tuple of str
        The treebanks with a training set, with ``"all"`` and ``"all others"`` if asked for; and all
        treebanks.
    rows : mapping of (str, str) to dict
        The result row of each probe on each test set, by their names; and that of the linear chain,
        by ``"linear"``. A row without scores says why in ``why_empty``.
    drops : tuple of Drop
        The drops in scores by transfer, on treebanks that have a training set.
    angles : tuple of SubspaceAngles
        The angles between the probes of each two treebanks; none at full rank.
    warnings : tuple of str
        What may make the comparison misleading.
    """

    layer: int
    rank: int
    seed: int
    trained_on: tuple[str, ...]
    tested_on: tuple[str, ...]
    rows: Mapping[tuple[str, str], Row]
    drops: tuple[Drop, ...]
    angles: tuple[SubspaceAngles, ...]
    warnings: tuple[str, ...]

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types.

        Returns
        -------
        dict
            The attributes by name, ``rows`` as a list of result rows with ``trained_on`` and
            ``tested_on``.
        """
        own = {name: getattr(self, name) for name in ("layer", "rank", "seed")}
        rows = [{"trained_on": a, "tested_on": b, **row} for (a, b), row in self.rows.items()]
        return {
            **own, "trained_on": [*self.trained_on], "tested_on": [*self.tested_on], "rows": rows,
            "drops": [*map(asdict, self.drops)], "angles": [*map(asdict, self.angles)],
            "warnings": [*self.warnings],
        }  # fmt: skip


def transfer(
    encoder: Encoder,
    treebanks: Mapping[str, Sequence[Sequence[Sentence] | None]],
    *,
    layer: int,
    rank: int | None = None,
    seed: int = 0,
    punct: str | None = None,
    pooled: bool = False,
    halves: bool = False,
    config: TransferConfig | None = None,
) -> Transfer:
    """Score probes of several treebanks on each other's test sets, and compare their subspaces.

    Only edges, distances and roots are compared, no relations. The vectors of all treebanks are in
    memory at once, unless there is a cache.

    Parameters
    ----------
    encoder : Encoder
        The model.
    treebanks : mapping of str to (train, dev, test)
        Two treebanks or more by name, each with its sentences with heads. Without `train`, a
        treebank is used only for testing. Without `dev`, a tenth of `train` is held out.
    layer : int
        The layer, 0 = embedding output.
    rank : int, optional
        Rank of the probes; by default full rank, for which all subspaces are the same.
    seed : int, default=0
        Random state of the probes.
    punct
        As for `sweep`; by default chosen for each test set.
    pooled : bool, default=False
        Whether to also train a probe on all treebanks (``"all"``) and, for each test set, one on
        all other treebanks (``"all others"``, if there are at least two).
    halves : bool, default=False
        Whether to also train probes on two random halves of each training set. The angles between
        the halves of one treebank show how much probes differ by chance, as a reference for the
        angles between halves of two treebanks.
    config : TransferConfig, optional
        Further options: training, cache.

    Returns
    -------
    Transfer
        The scores, the drops by transfer, and the angles.

    Raises
    ------
    ProbeError
        If layer, rank or seed is out of range.
    ScoreError
        If there are fewer than two treebanks, or two with the same training set, or one without a
        test set; if none has a training set; or if a treebank is empty or has no heads.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    config = checked_config(config, TransferConfig)
    check_cache(config.cache)
    banks = _read_banks(treebanks, punct, allow_withheld=config.allow_withheld)
    grid = Grid.of_one(encoder, layer, rank, seed)
    layer = grid.layers[0]
    training = known_products(config.training, here=True)
    config = replace(config, training=training)
    warnings = _cautions(banks, encoder, punct)
    for text in warnings:
        _log.warning("%s", text)
    bench = Bench(encoder, grid, punct, config)
    encoded = {name: bench.encode(parts) for name, parts in banks.items()}
    trained = [name for name, parts in banks.items() if "train" in parts]
    plan = _plan(banks, trained, pooled)
    full_rank = grid.ranks[0] == encoder.hidden_size  # all subspaces are the whole space
    halved = trained if halves and not full_rank else []
    rows: dict[tuple[str, str], Row] = {}
    scores: dict[tuple[str, str], Scores] = {}
    errors = [one.error for one in encoded.values() if one.error is not None]
    probes: dict[str, StructuralProbe] = {}
    n_probes, shown = len(plan) + 2 * len(halved), config.progress
    with progress_bar("probes", n_probes, "probe", shown=shown) as advance:
        for name, sources, tests in plan:
            source = join([encoded[one] for one in sources])
            fit = bench.fit(source)
            if fit.probe is not None:
                probes[name] = fit.probe
            errors += [] if fit.error is None else [fit.error]
            for test in tests:
                row, own = bench.score(fit, source, encoded[test], len(tests))
                rows[name, test] = row
                scores |= {} if own is None else {(name, test): own}
                _tell(name, test, row)
            advance(1)
        if not scores:  # nothing to show
            raise errors[0]
        fitted = {name: [probes[name]] for name in trained if name in probes and not full_rank}
        pairs = _pairs(fitted, halves=False)
        of_halves = {}
        for name in halved:
            fits = [bench.fit(half).probe for half in in_halves(encoded[name], seed)]
            if None not in fits:
                of_halves[name] = [one for one in fits if one is not None]
            advance(2)
        pairs |= _pairs(of_halves, halves=True)
    warn_after([*rows.values()], warnings)
    for name, parts in banks.items():
        how: dict[str, Any] = {"punct": punct, "allow_withheld": True}
        (row,) = evaluate([LinearChain()], parts["test"], part=f"{name} test", **how)
        rows[LINEAR, name] = row | {"part": "test"}
    return Transfer(
        layer, grid.ranks[0], seed, tuple(dict.fromkeys(name for name, _, _ in plan)),
        tuple(banks), rows, tuple(_drops(scores)), tuple(_angles(pairs, encoded)), tuple(warnings),
    )  # fmt: skip


def _read_banks(treebanks: Any, punct: str | None, *, allow_withheld: bool) -> dict[str, Parts]:
    """Check the treebanks."""
    hint = 'pass {"English": (train, dev, test), ...}'
    if not isinstance(treebanks, Mapping):
        refuse_kind("treebanks", treebanks, "treebanks by name", ScoreError, hint)
    if len(treebanks) < 2:
        what = f"{len(treebanks) or 'no'} treebank was given: nothing to transfer to"
        raise ScoreError(what, hint="give at least two treebanks")
    found: dict[str, Parts] = {}
    for name, parts in treebanks.items():
        if name in (LINEAR, ALL, OTHERS):
            raise ScoreError(f"a treebank is called {name!r}", hint="use another name")
        if not isinstance(parts, Sequence) or isinstance(parts, str | Treebank) or len(parts) != 3:
            refuse_kind(f"treebanks[{name!r}]", parts, "(train, dev, test)", ScoreError, hint)
        given = dict(zip(("train", "dev", "test"), parts, strict=True))
        if given["test"] is None:
            raise ScoreError("the treebank has no test set", where=name, hint=hint)
        found[name] = {
            part: as_bank(bank, f"{name} {part}", allow_withheld=allow_withheld)
            for part, bank in given.items()
            if bank is not None and (part != "dev" or given["train"] is not None)
        }
        choose_protocol(found[name]["test"], punct)
    if not any("train" in parts for parts in found.values()):
        raise ScoreError("no treebank has a training set", hint="give at least one")
    for (a, one), (b, other) in combinations(found.items(), 2):
        part = "train" if "train" in one else "test"
        alike = ("train" in one) == ("train" in other)
        if alike and one[part].fingerprint == other[part].fingerprint:
            name = "training" if part == "train" else "test"
            raise ScoreError(f"{a} and {b} have the same {name} set", hint="give different ones")
    return found


def _cautions(banks: Mapping[str, Parts], encoder: Encoder, punct: str | None) -> list[str]:
    """Find what the columns of the matrix do not have in common."""
    found = []
    by_punct: dict[str, list[str]] = {}
    for name, parts in banks.items():
        by_punct.setdefault(choose_protocol(parts["test"], punct).punct, []).append(name)
    if len(by_punct) > 1:
        told = ", ".join(f'"{one}" for {", ".join(names)}' for one, names in by_punct.items())
        found.append(f"the test sets are scored with different punct: {told}")
    relations = {name: {part: _relations(bank) for part, bank in parts.items()}
                 for name, parts in banks.items()}  # fmt: skip
    for a, b in ((a, b) for a in banks for b in banks if a != b and "train" in banks[a]):
        known, tested = relations[a]["train"], relations[b]["test"]
        foreign = Counter({one: n for one, n in tested.items() if one not in known})
        if known and foreign.total() > MOST_FOREIGN * tested.total():
            share = 100 * foreign.total() / tested.total()
            told = ", ".join(one for one, _ in foreign.most_common(3))
            found.append(
                f"{share:.0f}% of the words of {b} have relations that {a} does not use ({told}): "
                "if the two are annotated differently, that lowers the scores too"
            )
    if lang := getattr(encoder, "lang", None):
        found.append(f"the model reads all treebanks as {lang}, the given language")
    return found


def _relations(bank: Treebank) -> Counter[str]:
    """Count relations, without subtypes."""
    labels = chain.from_iterable(sentence.deprels or () for sentence in bank)
    return Counter(without_subtypes(labels).tolist())


def _plan(
    banks: Mapping[str, Parts], trained: Sequence[str], pooled: bool
) -> list[tuple[str, Sequence[str], Sequence[str]]]:
    """List the probes: the name, the treebanks to train on, and those to test on."""
    plan: list[tuple[str, Sequence[str], Sequence[str]]]
    plan = [(name, [name], [*banks]) for name in trained]
    if pooled and len(trained) > 1:
        plan.append((ALL, trained, [*banks]))
        others = ((name, [one for one in trained if one != name]) for name in banks)
        # The probe of all, or of one other treebank alone, is there already.
        plan += [(OTHERS, own, [name]) for name, own in others if 1 < len(own) < len(trained)]
    return plan


def _tell(name: str, test: str, row: Row) -> None:
    """Log the score of a probe on a test set, or why there is none."""
    if row["why_empty"]:
        _log.warning("%s on %s has no scores: %s", name, test, row["why_empty"])
    else:
        _log.info("%s on %s: UUAS %s", name, test, per_cent(row["uuas"]))


def _drops(scores: Mapping[tuple[str, str], Scores]) -> Iterator[Drop]:
    """Compare probes with the test set's own."""
    for (a, b), transferred in scores.items():
        own = scores.get((b, b))
        if a == b or own is None:
            continue
        for metric in METRICS:
            one, other = getattr(own, metric), getattr(transferred, metric)
            if one is None or other is None:
                continue
            try:
                test = paired_bootstrap(own, transferred, metric, n=1000)
            except ScoreError:  # a correlation that one of them has on other words
                yield Drop(a, b, metric, one - other)
            else:
                yield Drop(a, b, metric, test.difference, test.low, test.high)


def _pairs(probes: Mapping[str, Sequence[StructuralProbe]], *, halves: bool) -> _Pairs:
    """List the probes to compare; of halves, also those of one treebank."""
    pairs = combinations_with_replacement(probes, 2) if halves else combinations(probes, 2)
    return {
        (a, b, halves): [*(combinations(probes[a], 2) if a == b else product(probes[a], probes[b]))]
        for a, b in pairs
    }


def _angles(pairs: _Pairs, encoded: Mapping[str, Encoded]) -> Iterator[SubspaceAngles]:
    """Measure the angles between probes."""
    from structprobe.probe.data.inputs import read_words
    from structprobe.probe.data.whitening import second_moments
    from structprobe.probe.subspaces import principal_angles, random_angle, whitening_of

    moments = {name: second_moments(read_words(encoded[name].vectors["train"]))
               for name in {name for pair in pairs for name in pair[:2]}}  # fmt: skip
    chance = cache(random_angle)
    for (a, b, halves), both in pairs.items():
        for kind in KINDS:
            white = whitening_of([moments[a], moments[b]], centred=kind == "distance")
            back = white.T / np.square(white).sum(1)  # its pseudo-inverse: its rows are orthogonal
            angles = np.concatenate([
                principal_angles(*(getattr(one, f"{kind}_components_") @ back for one in two))
                for two in both
            ])  # fmt: skip
            least, most, mean = (float(of(angles)) for of in (np.min, np.max, np.mean))
            rank = min(len(getattr(both[0][0], f"{kind}_components_")), len(white))
            yield SubspaceAngles(kind, a, b, halves, mean, least, most, chance(rank, len(white)))
