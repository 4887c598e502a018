"""One stimulus: a sentence with its gold tree, its condition, and names for some of its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from structprobe.errors import StructprobeError, unknown_name
from structprobe.treebank.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Stimulus:
    """A sentence of a condition, with named words.

    Attributes
    ----------
    sentence : Sentence
        The words and their gold tree.
    condition : str
        The name of the condition, or the pattern that the sentence matched.
    values : mapping of str to int or str
        The values of the properties that the condition varies, such as ``{"between": 4}``.
    words : mapping of str to int
        The 1-based positions of named words, such as ``{"subject": 2, "verb": 7}``.
    pair : tuple of two str, or None
        The two named words whose edge and distance are scored.
    item : int or None
        The number of the item: the stimuli of a condition that differ only in these values.

    Raises
    ------
    StructprobeError
        If the sentence has no tree, a position is outside the sentence, or `pair` does not name two
        different words.
    """

    sentence: Sentence
    condition: str
    values: Mapping[str, int | str] = field(default_factory=dict)
    words: Mapping[str, int] = field(default_factory=dict)
    pair: tuple[str, str] | None = None
    item: int | None = None

    def __post_init__(self) -> None:
        where = self.sentence.where
        if self.sentence.heads is None:
            raise StructprobeError("the stimulus has no tree", where=where, hint="give it heads")
        n = len(self.sentence)
        for name, place in self.words.items():
            if not 1 <= place <= n:
                what = f"the word {name!r} is number {place} of {n}"
                raise StructprobeError(what, where=where, hint=f"choose from 1 to {n}")
        if self.pair is not None:
            self.places(self.pair)

    @property
    def value(self) -> str:
        """The values as text, such as ``"attractors=2, number=same"``."""
        return value_text(self.values)

    def places(self, pair: tuple[str, str]) -> tuple[int, int]:
        """Look up two different named words.

        Parameters
        ----------
        pair : tuple of two str
            Their names.

        Returns
        -------
        tuple of int
            Their positions, 1-based.

        Raises
        ------
        StructprobeError
            If a name is unknown, or both name the same word.
        """
        for name in read_pair(pair):
            if name not in self.words:
                what = unknown_name("word", name, self.words)
                raise StructprobeError(what, where=self.sentence.where)
        first, second = (self.words[name] for name in pair)
        if first == second:
            what = f"the pair {pair!r} does not name two words"
            raise StructprobeError(what, where=self.sentence.where)
        return first, second


def read_pair(pair: Sequence[str]) -> tuple[str, str]:
    """Check the names of two words."""
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        what = f"the pair {pair!r} is not the names of two words"
        raise StructprobeError(what, hint="write them as ('subject', 'verb')")
    first, second = pair
    return first, second


def value_text(values: Mapping[str, int | str]) -> str:
    """Write the values of a condition."""
    return ", ".join(f"{name}={value}" for name, value in values.items())
