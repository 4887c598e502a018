"""The one interface that joins everything that recovers trees from sentences."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from structprobe.errors import ProbeError
from structprobe.recoverers.parsed import ParsedSentence
from structprobe.scores.prediction import Prediction
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


@dataclass(frozen=True)
class MethodContext:
    """What a comparison gives to every method that it makes."""

    encoder: Encoder  # The model
    seed: int = 0  # Random state of whatever is drawn
    punct: str | None = None  # The protocol by which a layer or a head is chosen on dev
    cache: str | os.PathLike[str] | None = None
    device: str = "auto"  # Where things are trained
    progress: bool | None = None  # Whether to show progress bars


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
        Names on the command line, where one class goes by several, and what `for_model` is given
        for each; a class without any goes by `name`.
    options : mapping of str to type
        What more `for_model` may be given, as in ``name[option=value]``; int, float, bool or str.
    fitted_attribute : str or None
        The attribute that `fit` sets and `predict` cannot do without; None where there is nothing
        to fit.
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
    fitted_attribute: str | None = None
    chosen_: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def for_model(cls, context: MethodContext, **options: Any) -> Self:
        """Make the method for a model, as a comparison does.

        Parameters
        ----------
        context : MethodContext
            The model and what else all methods share.
        **options
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
        del context
        return cls(**options)

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

        Raises
        ------
        StructprobeError
            If sentences lack what the method learns from, or there is no dev set and it needs one.
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
            One a sentence, in order: heads over all words, and the scores that they came from.

        Raises
        ------
        NotFittedError
            If the method needs fitting and was not fitted.
        """

    def parse(self, text: str | Sequence[str] | Sentence) -> ParsedSentence:
        """Parse one sentence.

        Parameters
        ----------
        text : str, sequence of str or Sentence
            A text, which is split into words at white space and nowhere else (punctuation stays
            with its word unless parted from it); or the words themselves; or a sentence of a
            treebank.

        Returns
        -------
        ParsedSentence
            The tree, which prints itself.

        Raises
        ------
        ProbeError
            If there is no word in it, or more than one sentence.
        NotFittedError
            If the method needs fitting and was not fitted.
        """
        sentence = _one_sentence(text)
        (prediction,) = self.predict([sentence])
        return ParsedSentence(sentence, prediction)

    @property
    def is_fitted(self) -> bool:
        """Whether it can predict; True for a method that has nothing to fit."""
        return self.fitted_attribute is None or bool(getattr(self, self.fitted_attribute, None))

    def _check_fitted(self) -> None:
        """Refuse to predict with what has learned nothing."""
        if not self.is_fitted:
            from structprobe.probe.not_fitted import NotFittedError

            raise NotFittedError(f"the method {self.name!r} is not fitted", hint="call fit first")

    def __repr__(self) -> str:
        given = {key: getattr(self, key, None) for key in ("layer", "head")} | dict(self.chosen_)
        told = [f"{key} {value}" for key, value in given.items() if value is not None]
        told += [] if self.is_fitted else ["not fitted"]
        model = getattr(getattr(getattr(self, "encoder", None), "loaded", None), "name", None)
        of_model = f" of {model}" if model else ""
        behind = f": {', '.join(told)}" if told else ""
        return f"<{type(self).__name__} {getattr(self, 'name', '')!r}{of_model}{behind}>"


def _one_sentence(given: object) -> Sentence:
    """Make a sentence of what is to be parsed."""
    if isinstance(given, Sentence):
        return given
    words = given.split() if isinstance(given, str) else given
    if isinstance(words, Treebank) or not isinstance(words, Sequence) or isinstance(words, bytes):
        raise _no_sentence(repr(given) if isinstance(given, Treebank) else type(given).__name__)
    if not words:
        raise ProbeError(f"no word to parse in {given!r}")
    for word in words:
        if not isinstance(word, str):
            raise _no_sentence(f"a {type(given).__name__} of {type(word).__name__}")
    return Treebank.from_words([words])[0]


def _no_sentence(found: str) -> ProbeError:
    return ProbeError(
        f"parse takes one sentence, and was given {found}",
        hint="give a text, a list of words or a Sentence; predict takes several sentences",
    )
