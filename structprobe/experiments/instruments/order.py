"""Order against hierarchy: what a linear reader finds where the two disagree, layer by layer.

After Lin, Tan & Frank 2019, Open Sesame: Getting Inside BERT's Linguistic Knowledge. A reader is
trained on sentences in which the first auxiliary is the main one, and the first noun the subject.
Which of the two it has learned shows on sentences in which they are different words.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
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
    n: int = 500,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> list[dict[str, Any]]:
    """Test whether linear probes follow order or hierarchy, on sentences where the two disagree.

    A linear probe (ridge regression) is trained on English sentences in which the answer by order
    is that by hierarchy, and tested on sentences in which it is not (Lin, Tan & Frank 2019, Open
    Sesame: Getting Inside BERT's Linguistic Knowledge). If both can be extracted, the probe learns
    what is easier; so another probe, trained on sentences of both kinds, shows whether the correct
    answer can be extracted at all.

    - ``"auxiliary"`` chooses the main auxiliary from the two of a sentence: the first one in *the
      cat can see the dog that will sleep*, but not in *the cat that will sleep can see the dog*.
    - ``"subject"`` chooses the subject of the sentence from its three nouns: the first one in *the
      cat near the dog can see the bird*, but not in *near the dog the cat can see the bird* and in
      *the dog's cat can see the bird*.
    - ``"index"`` predicts the position of a named word in its sentence, counted from 1 and
      rounded. The answer by hierarchy is a position that the word has in the sentences of its item
      where order and hierarchy agree.

    An item consists of sentences with the same content words. The first 60 % of the items are for
    training, the next 20 % for choosing the penalty, and the rest for testing. Intervals are 95%
    percentile bootstrap intervals over items.

    Parameters
    ----------
    encoder : Encoder
        The model.
    tasks : str or iterable of str, default=("index", "auxiliary", "subject")
        What is predicted.
    layers : str or iterable of int, default="all"
        As for `sweep`. The vectors of all are in memory at once, unless there is a cache.
    n : int, default=500
        The number of items of each of the conditions ``"main_auxiliary"`` (2 sentences each) and
        ``"subject_noun"`` (4 sentences each) of `structprobe.stimuli.make_stimuli`.
    seed : int, default=0
        Random state of the sentences.
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
        order where they disagree; ``trained_on_both``, the share of correct answers there for a
        probe trained on sentences of both kinds; the bounds of their intervals, such as
        ``agreeing_low`` and ``agreeing_high``; ``n_agreeing`` and ``n_disagreeing``, the numbers of
        answers; ``model``. If several words have the same highest score, the answer is divided
        between them. Chance chooses each of the words equally often, and for ``"index"`` always
        the most frequent position.

    Raises
    ------
    ProbeError
        If a task is unknown, a layer is out of range, or `n` is too small.
    StructprobeError
        If there are fewer different sentences than asked for.
    """
    from structprobe.encoder.form_vectors import TypeEncoder

    wanted = _read_tasks(tasks)
    if isinstance(n, bool) or not isinstance(n, Integral) or n < LEAST_ITEMS:
        raise ProbeError(f"{n!r} items per condition", hint=f"ask for at least {LEAST_ITEMS}")
    check_encoder(encoder, ProbeError)
    chosen = parse_layers(layers, encoder.n_layers, encoder.layers)
    asked = [CONDITION_OF.get(name) for name in wanted]
    conditions = [one for one in CONDITIONS if None in asked or one in asked]
    stimuli = [one for name in conditions for one in make_stimuli(name, n * CONDITIONS[name], seed)]
    parts = [_part(one, n) for one in stimuli]
    sentences = [one.sentence for one in stimuli]
    how: dict[str, Any] = {"cache": cache, "progress": progress}
    bank = encoder.encode(sentences, layers=chosen, **how)
    floor = []
    if 0 in encoder.layers:
        known = [one for one, part in zip(sentences, parts, strict=True) if part == "train"]
        floor.append(TypeEncoder(encoder, known, **how).encode(sentences).layer(0))
    rows = []
    n_readers = len(wanted) * (len(floor) + len(chosen))
    with progress_bar("readers", n_readers, "reader", shown=progress) as advance:
        for name in wanted:
            task: _Task = _Positions(stimuli, parts)
            if name != "index":
                task = _Words(stimuli, parts, CONDITION_OF[name])
            told = {"task": name, "model": bank.origin.get("model")}
            rows.append(_row(told | {"vectors": "chance"}, task, task.chance(), task.chance()))
            for layer in (*[None] * len(floor), *chosen):
                vectors = floor[0] if layer is None else bank.layer(layer)
                answers = (task.read(vectors, both=both) for both in (False, True))
                own = {"vectors": "types" if layer is None else "layer", "layer": layer}
                rows.append(_row(told | own, task, *answers))
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


def _part(stimulus: Stimulus, n: int) -> str:
    """Say what an item is used for."""
    assert stimulus.item is not None
    share = (stimulus.item - 1) / n
    return "train" if share < TRAIN else "dev" if share < DEV else "test"


def _agrees(stimulus: Stimulus) -> bool:
    """Say whether the word that is sought comes first of those to choose from."""
    sought, *others = (stimulus.words[name] for name in CHOICES[stimulus.condition])
    return sought < min(others)


@dataclass(frozen=True, eq=False)
class _Answers:
    """How much of each answer to m test questions is that by hierarchy, and that by order."""

    hierarchical: Floats  # (m,)
    linear: Floats  # (m,)


class _Task(ABC):
    """Questions about the words of stimuli."""

    correct: str  # Which of the two answers is correct
    sentences: Ints  # (m,)
    places: Ints  # (m, k): the words that each question is about, 1-based
    agrees: NDArray[np.bool_]  # (m,): whether order and hierarchy agree
    parts: NDArray[np.str_]  # (m,): what the questions are used for
    units: NDArray[np.str_]  # (m,): what is resampled

    @property
    def tested(self) -> NDArray[np.bool_]:
        """The test questions."""
        # -> (m,)
        tested: NDArray[np.bool_] = self.parts == "test"
        return tested

    @abstractmethod
    def targets(self, chosen: NDArray[np.bool_]) -> Floats:
        """Give what the reader is to say of the words of some questions."""
        # chosen (m,) -> (n_chosen * k,)

    @abstractmethod
    def answers(self, said: Floats) -> _Answers:
        """Turn what the reader says of the words of the test questions into answers."""
        # said (n_tested, k)

    @abstractmethod
    def chance(self) -> _Answers:
        """Answer without vectors."""

    def read(self, vectors: WordVectors, *, both: bool) -> _Answers:
        """Train a reader where order and hierarchy agree, or on both kinds, and let it answer."""
        values, targets = {}, {}
        for part in ("train", "dev", "test"):
            chosen = self.parts == part
            if part != "test" and not both:
                chosen &= self.agrees
            rows = vectors.offsets[self.sentences[chosen], None] + self.places[chosen] - 1
            values[part] = np.asarray(vectors.values[rows.ravel()], dtype=np.float64)
            targets[part] = self.targets(chosen)
        said = _read(values, targets)
        return self.answers(said.reshape(-1, self.places.shape[1]))


class _Words(_Task):
    """One of the words of each sentence is sought: the first in each question."""

    correct = "hierarchical"

    def __init__(self, stimuli: Sequence[Stimulus], parts: Sequence[str], condition: str) -> None:
        own = [s for s, one in enumerate(stimuli) if one.condition == condition]
        self.sentences = np.array(own)
        self.places = np.array([[stimuli[s].words[name] for name in CHOICES[condition]]
                                for s in own])  # fmt: skip
        self.agrees = np.array([_agrees(stimuli[s]) for s in own])
        self.parts = np.array([parts[s] for s in own])
        self.units = np.array([_unit(stimuli[s]) for s in own])

    def targets(self, chosen: NDArray[np.bool_]) -> Floats:
        """Give 1 for the sought word, 0 for the others."""
        k = self.places.shape[1]
        return np.tile(np.arange(k) == 0, int(chosen.sum())).astype(float)

    def answers(self, said: Floats) -> _Answers:
        """Choose the word with the highest score."""
        margin = _ROUNDING * max(1.0, float(np.abs(said).max()))
        best = said >= said.max(axis=1, keepdims=True) - margin
        shares = best / best.sum(axis=1, keepdims=True)
        first = self.places[self.tested].argmin(axis=1)
        return _Answers(shares[:, 0], shares[np.arange(len(first)), first])

    def chance(self) -> _Answers:
        """Choose all words equally often."""
        return self.answers(np.zeros(self.places[self.tested].shape))


class _Positions(_Task):
    """The position of each named word in its sentence is sought."""

    correct = "linear"

    def __init__(self, stimuli: Sequence[Stimulus], parts: Sequence[str]) -> None:
        # Where a word stands in the sentences of its item where order and hierarchy agree.
        usual: dict[tuple[str, str], set[int]] = {}
        for one in stimuli:
            for name, place in one.words.items() if _agrees(one) else ():
                usual.setdefault((_unit(one), name), set()).add(place)
        own = []
        for s, one in enumerate(stimuli):
            for name, place in one.words.items():
                agrees, known = _agrees(one), usual[_unit(one), name]
                if agrees or place not in known:  # elsewhere both answers are the same
                    own.append((s, place, agrees, {place} if agrees else known))
        self.sentences, self.places = (np.array([row[i] for row in own]) for i in (0, 1))
        self.places = self.places[:, None]
        self.agrees = np.array([row[2] for row in own])
        self.parts = np.array([parts[s] for s in self.sentences])
        self.units = np.array([_unit(stimuli[s]) for s in self.sentences])
        self.usual = [row[3] for row, part in zip(own, self.parts, strict=True) if part == "test"]

    def targets(self, chosen: NDArray[np.bool_]) -> Floats:
        """Give the positions themselves."""
        return self.places[chosen].ravel().astype(float)

    def answers(self, said: Floats) -> _Answers:
        """Round what is predicted."""
        found = np.rint(said).astype(np.int64)
        usual = [one in own for (one,), own in zip(found.tolist(), self.usual, strict=True)]
        right = found == self.places[self.tested]
        return _Answers(np.array(usual, dtype=float), right[:, 0].astype(float))

    def chance(self) -> _Answers:
        """Give the most frequent position, always."""
        most = np.bincount(self.places[(self.parts == "train") & self.agrees, 0]).argmax()
        return self.answers(np.full((len(self.usual), 1), float(most)))


def _unit(stimulus: Stimulus) -> str:
    """Name the item of a stimulus."""
    return f"{stimulus.condition} {stimulus.item}"


def _read(values: Mapping[str, Floats], targets: Mapping[str, Floats]) -> Floats:
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
    lowest, weights = np.inf, np.zeros(width)
    for penalty in PENALTIES:
        solved = np.linalg.solve(gram + penalty * n * np.eye(len(gram)), right)
        own = z["train"].T @ solved if dual else solved  # (width,)
        error = float(np.mean((z["dev"] @ own + middle - targets["dev"]) ** 2))
        if error <= lowest:  # of equally good ones, the simplest
            lowest, weights = error, own
    said: Floats = z["test"] @ weights + middle
    return said


def _row(
    told: Mapping[str, Any], task: _Task, answers: _Answers, of_both: _Answers
) -> dict[str, Any]:
    """Make a row of the shares of answers, with intervals over items."""
    agrees = task.agrees[task.tested]
    row = {"task": told["task"], "vectors": told["vectors"], "layer": told.get("layer")}
    for name, share, asked in (
        ("agreeing", getattr(answers, task.correct), agrees),
        ("hierarchical", answers.hierarchical, ~agrees),
        ("linear", answers.linear, ~agrees),
        ("trained_on_both", getattr(of_both, task.correct), ~agrees),
    ):
        part, whole = np.where(asked, share, 0.0), asked.astype(float)
        found = ratio(part, whole, task.units[task.tested], Resampling())
        assert found is not None  # every item has sentences of both kinds
        # Chance is known, not estimated.
        low, high = (None, None) if told["vectors"] == "chance" else (found.low, found.high)
        row |= {name: found.value, f"{name}_low": low, f"{name}_high": high}
    row |= {"n_agreeing": int(agrees.sum()), "n_disagreeing": int((~agrees).sum())}
    return row | {"model": told["model"]}
