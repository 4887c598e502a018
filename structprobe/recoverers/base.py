"""The interface of all methods that recover trees from sentences."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from structprobe.errors import ProbeError, refuse_kind
from structprobe.recoverers.parsed import ParsedSentence
from structprobe.scores.prediction import Prediction
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence
from structprobe.treebank.withheld import check_not_withheld

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MethodContext:
    """What a comparison passes to each method."""

    encoder: Encoder  # The model
    seed: int = 0  # Random state
    punct: str | None = None  # The protocol for choosing a layer or head on dev
    cache: str | os.PathLike[str] | None = None
    device: str = "auto"  # Where methods are trained
    progress: bool | None = None  # Whether to show progress bars
    fitted: dict[Any, Any] = field(default_factory=dict)  # What one method fits for others too

    @property
    def random_state(self) -> int:
        """The seed, by the name of the argument that takes it."""
        return self.seed


def lengths_of(sentences: Sequence[Sentence]) -> list[int]:
    """Count the words of sentences, for methods that need nothing else."""
    wanted = "pass a Treebank, or a list of sentences, each a Sentence or a list of words"
    if isinstance(sentences, str) or not isinstance(sentences, Iterable):
        refuse_kind("sentences", sentences, "a list of sentences", ProbeError, wanted)
    found = []
    for number, one in enumerate(sentences):
        if isinstance(one, str) or not hasattr(one, "__len__"):
            refuse_kind(f"sentence {number}", one, "a list of words", ProbeError, wanted)
        found.append(len(one))
    return found


class Recoverer(ABC):
    """Base class of all methods that recover trees. A new method is a subclass in its own file.

    Attributes
    ----------
    name : str
        The method's name in tables and on the command line.
    uses_gold : bool
        Whether `predict` uses gold information (such as the gold root); shown with every score.
    reads_model : bool
        Whether the method uses a model, which result rows then name.
    reads_head : bool
        Whether it uses the language-modelling head, whose weights then decide its rows too.
    order : int
        Position in tables: lower for methods that should be stronger, 90 and above for baselines.
    variants : mapping of str to mapping
        The arguments of `for_model` by name on the command line, if the class has several names.
    options : mapping of str to type
        Further arguments of `for_model`, as in ``name[option=value]``; int, float, bool or str.
    from_context : tuple of str
        The arguments that `for_model` takes from its context: some of ``encoder``, ``punct``,
        ``cache``, ``random_state``, ``device``, ``progress`` and ``fitted``.
    fitted_attribute : str or None
        The attribute that `fit` sets and `predict` needs; None if there is nothing to fit.
    version : int
        Increased when the same settings give different trees, so that older rows are not reused.
    chosen_ : mapping of str to object
        What `fit` chose on dev, by keys of a result row such as ``layer`` and ``head``; `predict`
        may add information about the sentences it was last called with.
    """

    name: str
    uses_gold: bool = False
    reads_model: bool = True
    reads_head: bool = False
    order: int = 50
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    options: Mapping[str, type] = MappingProxyType({})
    from_context: tuple[str, ...] = ()
    version: int = 1
    fitted_attribute: str | None = None
    chosen_: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def for_model(cls, context: MethodContext, **options: Any) -> Self:
        """Create the method for a model, as in a comparison.

        Parameters
        ----------
        context : MethodContext
            The model, and what all methods share.
        **options
            The arguments in `variants` for the given name, and given `options`.

        Returns
        -------
        Recoverer
            The unfitted method.

        Raises
        ------
        StructprobeError
            If the model does not suit the method.
        """
        return cls(**{name: getattr(context, name) for name in cls.from_context} | options)

    def fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None = None) -> Self:
        """Fit the method to annotated sentences, if there is anything to fit.

        Parameters
        ----------
        train : sequence of Sentence
            Sentences with heads.
        dev : sequence of Sentence, optional
            Sentences with heads, for choosing and stopping only.

        Returns
        -------
        Recoverer
            The fitted method.

        Raises
        ------
        StructprobeError
            If the sentences lack annotation that the method needs, or it needs a dev set; or if
            their text is withheld, which methods that read it accept with ``allow_withheld=True``.
        """
        del train, dev
        return self

    def describe(self) -> dict[str, Any]:
        """Return the values of a result row that describe the method, fitted or not.

        Returns
        -------
        dict
            ``method``, ``uses_gold``, ``seed`` (from `random_state`, if any), and the origin of the
            vectors if there is an `encoder`.
        """
        seed = getattr(self, "random_state", None)
        told = {"method": self.name, "uses_gold": self.uses_gold, "seed": seed}
        encoder: Encoder | None = getattr(self, "encoder", None)
        origin = {} if encoder is None else encoder.origin(0)
        # All but the layer, which is for each method to say.
        return told | {key: value for key, value in origin.items() if key != "layer"}

    @abstractmethod
    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        sentences : sequence of Sentence
            The sentences; their heads are ignored unless `uses_gold`.

        Returns
        -------
        list of Prediction
            One per sentence, in order: heads over all words, and the scores behind them.

        Raises
        ------
        NotFittedError
            If the method is not fitted.
        """

    def parse(self, text: str | Sequence[str] | Sentence) -> ParsedSentence:
        """Parse one sentence.

        Parameters
        ----------
        text : str, sequence of str or Sentence
            A text, split at whitespace only (put spaces around punctuation), a list of words, or a
            sentence of a treebank. A word that contains a space is told.

        Returns
        -------
        ParsedSentence
            The sentence with its tree, which is drawn when printed.

        Raises
        ------
        ProbeError
            If there are no words, or more than one sentence.
        NotFittedError
            If the method is not fitted.
        """
        sentence = _one_sentence(text)
        return ParsedSentence(sentence, *self.predict([sentence]))

    @property
    def is_fitted(self) -> bool:
        """Whether the method can predict; True if there is nothing to fit."""
        return self.fitted_attribute is None or bool(getattr(self, self.fitted_attribute, None))

    def _check_fitted(self) -> None:
        """Raise an error if the method is not fitted."""
        if not self.is_fitted:
            from structprobe.probe.base import NotFittedError

            raise NotFittedError(f"the method {self.name!r} is not fitted", hint="call fit first")

    def __repr__(self) -> str:
        given = {key: getattr(self, key, None) for key in ("layer", "head")} | dict(self.chosen_)
        told = [f"{key} {value}" for key, value in given.items() if value is not None]
        told += [] if self.is_fitted else ["not fitted"]
        model = getattr(getattr(getattr(self, "encoder", None), "loaded", None), "name", None)
        of_model = f" of {model}" if model else ""
        behind = f": {', '.join(told)}" if told else ""
        return f"<{type(self).__name__} {getattr(self, 'name', '')!r}{of_model}{behind}>"


class TextRecoverer(Recoverer):
    """A method that is fitted to words, which it refuses where they are withheld."""

    def fit(
        self,
        train: Sequence[Sentence],
        dev: Sequence[Sentence] | None = None,
        *,
        allow_withheld: bool = False,
    ) -> Self:
        """Fit the method to annotated sentences; they may be withheld only if that is allowed."""
        for part, bank in ({} if allow_withheld else {"train": train, "dev": dev}).items():
            if isinstance(bank, Sequence):
                check_not_withheld((one for one in bank if isinstance(one, Sentence)), part)
        self._fit(train, dev)
        return self

    @abstractmethod
    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Fit the method to sentences whose text may be read."""


def fit_checked(
    method: Recoverer, train: Sequence[Sentence], dev: Sequence[Sentence] | None
) -> Recoverer:
    """Fit a method to treebanks of which it is known that their text may be read."""
    known = {"allow_withheld": True} if "allow_withheld" in signature(method.fit).parameters else {}
    return method.fit(train, dev, **known)


def gold_root(sentence: Sentence, method: str) -> int:
    """Return the gold root, from 1, for a method that uses it."""
    if sentence.heads is None or 0 not in sentence.heads:
        what = f"{method} uses the gold root, but the sentence has none"
        hint = "use annotated sentences, or a method without a gold root"
        raise ProbeError(what, where=sentence.where, hint=hint)
    return int(np.argmin(sentence.heads)) + 1


def bracketed(name: str, options: Mapping[str, Any]) -> str:
    """Add options to a method's name; those that are None were not given."""
    told = [f"{option}={value}" for option, value in options.items() if value is not None]
    return f"{name}[{','.join(told)}]" if told else name


def _one_sentence(given: object) -> Sentence:
    """Create a sentence from what is to be parsed."""
    if isinstance(given, Sentence):
        return given
    words = given.split() if isinstance(given, str) else given
    found = repr(given) if isinstance(given, Treebank) else type(given).__name__
    if isinstance(words, Sequence) and not isinstance(words, Treebank | bytes):
        if not words:
            raise ProbeError(f"there are no words to parse in {given!r}")
        others = [word for word in words if not isinstance(word, str)]
        if not others:
            spaced = [word for word in words if len(word.split()) > 1]
            if spaced:
                told = "parse takes one sentence: each item of the list is taken as one word, also "
                told += "%r; to parse several texts, call parse for each"
                _log.warning(told, spaced[0])
            return Treebank.from_words([words])[0]
        found = f"a {found} of {type(others[0]).__name__}"
    hint = "pass a text, a list of words or a Sentence; use predict for several sentences"
    raise ProbeError(f"parse takes one sentence, not {found}", hint=hint)
