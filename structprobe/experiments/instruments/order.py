"""Order against hierarchy: what a linear reader finds where the two disagree, layer by layer.

After Lin, Tan & Frank 2019, Open Sesame: Getting Inside BERT's Linguistic Knowledge. A reader is
trained on sentences in which the first auxiliary is the main one, and the first noun the subject.
Which of the two it has learned shows on sentences in which they are different words.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError, check_encoder, unknown_name
from structprobe.experiments.layers_ranks_seeds import parse_layers
from structprobe.progress import progress_bar
from structprobe.stimuli import Stimulus, make_stimuli
from structprobe.stimuli.bias import Resampling, ratio
from structprobe.stimuli.order import FIRST_AUXILIARY, PHRASE

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TASKS = ("index", "auxiliary", "subject")
# The sentences of an item of each condition.
CONDITIONS = {"main_auxiliary": len(FIRST_AUXILIARY), "subject_noun": len(PHRASE)}
# The words to choose from, the one that is sought first.
CHOICES = {
    "main_auxiliary": ("auxiliary", "inner_auxiliary"),
    "subject_noun": ("subject", "other_noun", "object"),
}
CONDITION_OF = {"auxiliary": "main_auxiliary", "subject": "subject_noun"}

LEAST_ITEMS = 10
# The first share of the items is trained on; those up to the second choose the penalty.
TRAIN, DEV = 0.6, 0.8
# Penalties, relative to the variance of the standardised vectors.
PENALTIES = tuple(10.0**power for power in range(-5, 2))
_ROUNDING = 1e-9  # scores closer than this, relative to the largest, are ties
_FLOAT32 = 1e-6  # what varies less than this, relative to its size, is rounding


def read_order(
    encoder: Encoder,
    *,
    tasks: str | Iterable[str] = TASKS,
    layers: str | Iterable[int] = "all",
    n: int = 1000,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> list[dict[str, Any]]:
    """Read order and hierarchy from word vectors, on English sentences where the two disagree.

    A linear reader (ridge regression) is trained on sentences in which the answer by order is that
    by hierarchy, and tested on sentences in which it is not (Lin, Tan & Frank 2019, Open Sesame:
    Getting Inside BERT's Linguistic Knowledge).

    - ``"auxiliary"`` chooses the main auxiliary from the two of a sentence: the first one in *the
      cat can see the dog that will sleep*, but not in *the cat that will sleep can see the dog*.
    - ``"subject"`` chooses the subject of the sentence from its three nouns: the first one in *the
      cat near the dog can see the bird*, but not in *near the dog the cat can see the bird* and in
      *the dog's cat can see the bird*.
    - ``"index"`` predicts the number of a named word in its sentence, counted from 1 and rounded.
      The answer by hierarchy is the number that the word has where order and hierarchy agree, in a
      sentence of the same words in another order.

    Items are the sentences that have the same content words. The first 60 % of them are trained on
    and the next 20 % choose the penalty; results are on the rest. Intervals are 95% percentile
    intervals of the bootstrap over items.

    Parameters
    ----------
    encoder : Encoder
        The model.
    tasks : str or iterable of str, default=("index", "auxiliary", "subject")
        What is read.
    layers : str or iterable of int, default="all"
        As for `sweep`. The vectors of all are in memory at once, unless there is a cache.
    n : int, default=1000
        The number of items of each of the conditions ``"main_auxiliary"`` and ``"subject_noun"``
        of `structprobe.stimuli.make_stimuli`.
    seed : int, default=0
        The seed of the sentences.
    cache : path, optional
        A folder in which to cache word vectors.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Returns
    -------
    list of dict
        For each task a row for chance, one for type vectors (``vectors="types"``: every word has
        the mean vector of its form at layer 0 of the training sentences; left out if the model has
        no layer 0), and one for each layer. Keys: ``task``; ``vectors`` (``"chance"``, ``"types"``
        or ``"layer"``) and ``layer``; ``agreeing``, the share of correct answers where order and
        hierarchy agree; ``hierarchical`` and ``linear``, the shares of answers by hierarchy and by
        order where they do not; their bounds, such as ``agreeing_low`` and ``agreeing_high``;
        ``n_agreeing`` and ``n_disagreeing``, the answers that these are shares of; ``n_train``, the
        sentences trained on; ``penalty``, as chosen, relative to the variance of the vectors;
        ``model``. Words with the same score share an answer. Chance takes each of the words to
        choose from equally often, and always the most frequent index.

    Raises
    ------
    ProbeError
        If a task is unknown, a layer is out of range, or `n` is too small.
    StructprobeError
        If there are fewer different sentences than asked for.
    """
    from structprobe.encoder.form_vectors import TypeEncoder

    wanted = _read_tasks(tasks)
    if isinstance(n, bool) or not isinstance(n, int) or n < LEAST_ITEMS:
        raise ProbeError(f"n={n!r} items", hint=f"ask for at least {LEAST_ITEMS}")
    check_encoder(encoder, ProbeError)
    chosen = parse_layers(layers, encoder.n_layers, encoder.layers)
    asked = [CONDITION_OF.get(name) for name in wanted]
    stimuli = _make([one for one in CONDITIONS if None in asked or one in asked], n, seed)
    sentences = [one.stimulus.sentence for one in stimuli]
    how: dict[str, Any] = {"cache": cache, "progress": progress}
    bank = encoder.encode(sentences, layers=chosen, **how)
    floor = []
    if 0 in encoder.layers:
        known = [one.stimulus.sentence for one in stimuli if one.part == "train"]
        floor.append(TypeEncoder(encoder, known, **how).encode(sentences).layer(0))
    rows = []
    n_readers = len(wanted) * (len(floor) + len(chosen))
    with progress_bar("readers", n_readers, "reader", shown=progress) as advance:
        for name in wanted:
            task = _find_numbers(stimuli) if name == "index" else _find_words(stimuli, name)
            told = {"task": name, "model": bank.origin.get("model")}
            rows.append(_row(told | {"vectors": "chance"}, task, task.chance()))
            for layer in (*[None] * len(floor), *chosen):
                vectors = floor[0] if layer is None else bank.layer(layer)
                answers, penalty = task.read(vectors)
                own = {"vectors": "types" if layer is None else "layer", "layer": layer}
                rows.append(_row(told | own | {"penalty": penalty}, task, answers))
                advance(1)
    return rows


def _read_tasks(tasks: str | Iterable[str]) -> list[str]:
    """Check what is to be read."""
    wanted = list(dict.fromkeys([tasks] if isinstance(tasks, str) else tasks))
    for task in wanted:
        if task not in TASKS:
            raise ProbeError(unknown_name("task", task, TASKS))
    if not wanted:
        raise ProbeError("no task was given", hint=f"choose from {', '.join(TASKS)}")
    return wanted


@dataclass(frozen=True)
class _Member:
    """A stimulus, what it is used for, and whether order and hierarchy agree in it."""

    stimulus: Stimulus
    part: str  # "train", "dev" or "test"
    agrees: bool

    @property
    def unit(self) -> tuple[str, int | None]:
        """What is resampled."""
        return self.stimulus.condition, self.stimulus.item

    def places(self) -> list[int]:
        """Give the places of the words to choose from, 1-based, of the sought one first."""
        return [self.stimulus.words[name] for name in CHOICES[self.stimulus.condition]]


def _make(conditions: Sequence[str], n: int, seed: int) -> list[_Member]:
    """Make the sentences: where order and hierarchy agree, and others to be tested on alone."""
    members = []
    for condition in conditions:
        for one in make_stimuli(condition, n * CONDITIONS[condition], seed):
            assert one.item is not None
            share = (one.item - 1) / n
            part = "train" if share < TRAIN else "dev" if share < DEV else "test"
            sought, *others = (one.words[name] for name in CHOICES[condition])
            member = _Member(one, part, sought < min(others))
            if member.agrees or part == "test":
                members.append(member)
    return members


@dataclass(frozen=True, eq=False)
class _Answers:
    """How much of each answer is that by hierarchy, and that by order."""

    hierarchical: Floats  # (m,)
    linear: Floats  # (m,)


@dataclass(frozen=True, eq=False)
class _Words:
    """One of the words of each sentence is to be found."""

    # The words to choose from, the sought one first: sentences (m,), places (m, k)
    parts: Mapping[str, tuple[Ints, Ints]]
    agrees: NDArray[np.bool_]  # (m,): in the test sentences
    units: list[Any]  # (m,)

    def chance(self) -> _Answers:
        """Choose all words equally often."""
        _, places = self.parts["test"]
        share = np.full(len(places), 1 / places.shape[1])
        return _Answers(share, share)

    def read(self, vectors: WordVectors) -> tuple[_Answers, float]:
        """Train a reader and let it choose."""
        values, targets = {}, {}
        for part, (sentences, places) in self.parts.items():
            values[part] = _take(vectors, np.repeat(sentences, places.shape[1]), places.ravel())
            targets[part] = np.tile(np.arange(places.shape[1]) == 0, len(places)).astype(float)
        scores, penalty = _read(values, targets)
        _, places = self.parts["test"]
        scores = scores.reshape(places.shape)
        margin = _ROUNDING * max(1.0, float(np.abs(scores).max()))
        best = scores >= scores.max(axis=1, keepdims=True) - margin
        shares = best / best.sum(axis=1, keepdims=True)
        first = places.argmin(axis=1)
        return _Answers(shares[:, 0], shares[np.arange(len(places)), first]), penalty


@dataclass(frozen=True, eq=False)
class _Numbers:
    """The number of each named word in its sentence is to be found."""

    parts: Mapping[str, tuple[Ints, Ints]]  # sentences (m,), places (m,)
    # The places that the word has in the sentences of its item where order and hierarchy agree
    usual: list[set[int]]  # (m,): of the test words
    agrees: NDArray[np.bool_]  # (m,)
    units: list[Any]  # (m,)

    def chance(self) -> _Answers:
        """Give the most frequent number, always."""
        _, places = self.parts["train"]
        return self._answers(np.full(len(self.usual), np.bincount(places).argmax()))

    def read(self, vectors: WordVectors) -> tuple[_Answers, float]:
        """Train a reader and round what it predicts."""
        values = {part: _take(vectors, *own) for part, own in self.parts.items()}
        targets = {part: places.astype(float) for part, (_, places) in self.parts.items()}
        predicted, penalty = _read(values, targets)
        return self._answers(np.rint(predicted).astype(np.int64)), penalty

    def _answers(self, predicted: Ints) -> _Answers:
        _, places = self.parts["test"]
        usual = [number in own for number, own in zip(predicted.tolist(), self.usual, strict=True)]
        return _Answers(np.array(usual, dtype=float), (predicted == places).astype(float))


def _find_words(stimuli: Sequence[_Member], task: str) -> _Words:
    """Ask for the main auxiliary or the subject of each sentence."""
    own = [(s, one) for s, one in enumerate(stimuli)
           if one.stimulus.condition == CONDITION_OF[task]]  # fmt: skip
    parts = {
        part: (
            np.array([s for s, one in own if one.part == part]),
            np.array([one.places() for _, one in own if one.part == part]),
        )
        for part in ("train", "dev", "test")
    }
    tested = [one for _, one in own if one.part == "test"]
    return _Words(parts, np.array([one.agrees for one in tested]), [one.unit for one in tested])


def _find_numbers(stimuli: Sequence[_Member]) -> _Numbers:
    """Ask for the number of each named word, where order and hierarchy disagree of those moved."""
    usual: dict[Any, set[int]] = {}
    for one in stimuli:
        for name, place in one.stimulus.words.items() if one.agrees else ():
            usual.setdefault((one.unit, name), set()).add(place)
    found: dict[str, list[tuple[int, int]]] = {part: [] for part in ("train", "dev", "test")}
    tested = []
    for s, one in enumerate(stimuli):
        for name, place in one.stimulus.words.items():
            known = {place} if one.agrees else usual[one.unit, name]
            if one.agrees or place not in known:
                found[one.part].append((s, place))
                tested += [(known, one.agrees, one.unit)] if one.part == "test" else []
    parts = {}
    for part, own in found.items():
        sentences, places = np.array(own).T
        parts[part] = sentences, places
    known, agrees, units = zip(*tested, strict=True)
    return _Numbers(parts, [*known], np.array(agrees), [*units])


def _take(vectors: WordVectors, sentences: Ints, places: Ints) -> Floats:
    """Take the vectors of some words, in float64."""
    # sentences (m,), places (m,): 1-based -> (m, hidden_size)
    rows = vectors.offsets[sentences] + places - 1
    return np.asarray(vectors.values[rows], dtype=np.float64)


def _read(values: Mapping[str, Floats], targets: Mapping[str, Floats]) -> tuple[Floats, float]:
    """Predict by ridge regression on standardised vectors; the dev words choose the penalty."""
    # values (m, hidden_size), targets (m,) -> (m,), of the test words
    mean, spread = values["train"].mean(axis=0), values["train"].std(axis=0)
    spread[spread <= _FLOAT32 * np.sqrt(mean**2 + spread**2)] = np.inf
    z = {part: (own - mean) / spread for part, own in values.items()}
    middle = float(targets["train"].mean())
    y = targets["train"] - middle
    n, width = z["train"].shape
    # Of the two forms of the solution, that with the smaller matrix.
    dual = n < width
    gram = z["train"] @ z["train"].T if dual else z["train"].T @ z["train"]
    right = y if dual else z["train"].T @ y
    best, chosen, weights = np.inf, PENALTIES[0], np.zeros(width)
    for penalty in PENALTIES:
        solved = np.linalg.solve(gram + penalty * n * np.eye(len(gram)), right)
        own = z["train"].T @ solved if dual else solved  # (width,)
        error = float(np.mean((z["dev"] @ own + middle - targets["dev"]) ** 2))
        if error <= best:  # of equally good ones, the simplest
            best, chosen, weights = error, penalty, own
    return z["test"] @ weights + middle, chosen


def _row(told: Mapping[str, Any], task: _Words | _Numbers, answers: _Answers) -> dict[str, Any]:
    """Make a row of the shares of answers, with intervals."""
    _, unit = np.unique([f"{one}" for one in task.units], return_inverse=True)
    sentences, _ = task.parts["train"]
    row = {
        "task": told["task"], "vectors": told["vectors"], "layer": told.get("layer"),
    }  # fmt: skip
    for name, part, asked in (
        ("agreeing", answers.linear, task.agrees),
        ("hierarchical", answers.hierarchical, ~task.agrees),
        ("linear", answers.linear, ~task.agrees),
    ):
        found = ratio(np.where(asked, part, 0.0), asked.astype(float), unit, Resampling())
        assert found is not None  # every item has sentences of both kinds
        # Chance is known, not estimated.
        low, high = (None, None) if told["vectors"] == "chance" else (found.low, found.high)
        row |= {name: found.value, f"{name}_low": low, f"{name}_high": high}
    return row | {
        "n_agreeing": int(task.agrees.sum()), "n_disagreeing": int((~task.agrees).sum()),
        "n_train": len(np.unique(sentences)), "penalty": told.get("penalty"),
        "model": told["model"],
    }  # fmt: skip
