"""The one interface that joins everything that recovers trees from sentences."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


@dataclass(frozen=True)
class Setting:
    """What a comparison gives to every method that it makes."""

    encoder: Encoder  # The model
    seed: int = 0  # Random state of whatever is drawn
    punct: str | None = None  # The protocol by which a layer or a head is chosen on dev
    cache: str | os.PathLike[str] | None = None
    device: str = "auto"  # Where things are trained
    progress: bool | None = None  # Whether to draw bars on stderr


class Recoverer(ABC):
    """Turns sentences into trees. A new method is one subclass in one file.

    Attributes
    ----------
    name : str
        The method's name in tables and on the command line.
    uses_gold : bool
        Whether `predict` looks at gold information (such as the gold root); printed beside
        every score of such a method.
    reads_model : bool
        Whether there is a model in it, which a row then names; False for a method that looks at
        no more than the sentences.
    order : int
        Where it stands in a table of all methods: the lower the stronger it is meant to be, 90
        and above for baselines, which are there to be beaten.
    variants : mapping of str to mapping
        Names on the command line, where one class goes by several, and what `for_model` is told
        for each; a class without any goes by `name`.
    options : mapping of str to type
        What more `for_model` may be told, as in ``name[option=value]``; int, float, bool or str.
    version : int
        To be raised when the same settings come to give other trees: rows of the older version
        are then not taken for results of this one.
    chosen_ : mapping of str to object
        What `fit` chose on dev, by keys of a result row such as ``layer`` and ``head``; `predict`
        may add what is true of the sentences that it was given last.
    """

    name: str
    uses_gold: bool = False
    reads_model: bool = True
    order: int = 50
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    options: Mapping[str, type] = MappingProxyType({})
    version: int = 1
    chosen_: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def for_model(cls, setting: Setting, **told: Any) -> Self:
        """Make the method for a model, as a comparison does.

        Parameters
        ----------
        setting : Setting
            The model and what else all methods share.
        **told
            What `variants` has for the name that was asked for, and `options` that were given.

        Returns
        -------
        Recoverer
            Not fitted.

        Raises
        ------
        StructprobeError
            If the model is unfit for the method; the message names why.
        """
        del setting
        return cls(**told)

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

    def describe(self) -> dict[str, Any]:
        """Say what a result row says of the method, fitted or not.

        Returns
        -------
        dict
            Keys of a result row: ``method``, ``uses_gold``, ``seed`` (of `random_state`, where
            there is one), and, where there is an `encoder`, where its vectors come from.
        """
        told = {"method": self.name, "uses_gold": self.uses_gold}
        told["seed"] = getattr(self, "random_state", None)
        encoder: Encoder | None = getattr(self, "encoder", None)
        if encoder is None:
            return told
        origin = encoder.origin(0)  # all but the layer, which is for each method to say
        return told | {key: value for key, value in origin.items() if key != "layer"}

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
