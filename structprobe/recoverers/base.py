"""The one interface that joins everything that recovers trees from sentences."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence


class Recoverer(ABC):
    """Turns sentences into trees. A new method is one subclass in one file.

    Attributes
    ----------
    name : str
        The method's name in tables and on the command line.
    uses_gold : bool
        Whether `predict` looks at gold information (such as the gold root); printed beside
        every score of such a method.
    """

    name: str
    uses_gold: ClassVar[bool] = False

    def fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None = None) -> Self:
        """Learn from annotated sentences; a method with nothing to learn returns itself.

        Parameters
        ----------
        train : sequence of Sentence
            Sentences with heads.
        dev : sequence of Sentence, optional
            Sentences for choosing and stopping, never for learning.

        Returns
        -------
        Recoverer
            Itself.
        """
        del train, dev
        return self

    @abstractmethod
    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        sentences : sequence of Sentence
            The sentences; their heads, if any, are not looked at unless `uses_gold`.

        Returns
        -------
        list of Prediction
            One a sentence, in order.
        """
