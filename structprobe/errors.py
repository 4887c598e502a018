"""The error classes: what was wrong, with which value, where, and what to do.

Every error that a user can cause is a `StructprobeError`; the command line prints it in one line
and exits with 1. Any other exception is a bug in structprobe.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from typing import NoReturn, Self


class Hint(str):  # itself the Python string, so that passing a hint on keeps both
    """What to do, for callers in Python; `shell` says the same for the command line."""

    shell: str

    def __new__(cls, python: str, *, shell: str) -> Self:
        """Take the hint for Python, and the one for the shell."""
        hint = super().__new__(cls, python)
        hint.shell = shell
        return hint

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, str]]:
        return (str(self),), {"shell": self.shell}


class StructprobeError(ValueError):
    """Base class of all errors in what the user provided.

    Parameters
    ----------
    what : str
        What is wrong, including the invalid value.
    where : str, optional
        The location, such as ``"en.conllu:12: sent_id 'weblog-3'"``; printed first.
    hint : str, optional
        What to do; printed last. A `Hint` has separate texts for Python and the command line.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(self._message(hint))

    def for_shell(self) -> str:
        """Return the message for the command line, which names options instead of arguments.

        Returns
        -------
        str
            The message, in one line.
        """
        return self._message(self.hint.shell if isinstance(self.hint, Hint) else self.hint)

    def _message(self, hint: str | None) -> str:
        place = "''" if self.where == "" else self.where
        message = f"{escaped(place)}: {self.what}" if place else self.what
        return escaped(f"{message}; {hint}" if hint else message, keep="\n")


class TreebankError(StructprobeError):
    """An error in a CoNLL-U file.

    Parameters
    ----------
    what : str
        What is wrong, including the invalid value.
    path, line, sent_id : str, int and str, optional
        The file, the 1-based line in it, and the sentence's ``sent_id``.
    hint : str, optional
        What to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        path: str | None = None,
        line: int | None = None,
        sent_id: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.path, self.line, self.sent_id = path, line, sent_id
        place = path if line is None else f"{path or '<text>'}:{line}"
        parts = [part for part in (place, sent_id and f"sent_id {sent_id!r}") if part]
        super().__init__(what, where=": ".join(parts) or place, hint=hint)


class TreeError(StructprobeError):
    """Heads that are not a tree, or a matrix from which no tree can be decoded.

    Parameters
    ----------
    what, where, hint
        As for `StructprobeError`.
    sentence : int, optional
        The 0-based index of the sentence, for `where` unless that is given.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        sentence: int | None = None,
    ) -> None:
        self.sentence = sentence or 0  # 0-based
        if sentence is not None and where is None:
            where = f"sentence {sentence} (counted from 0)"
        super().__init__(what, where=where, hint=hint)


class EncoderError(StructprobeError):
    """A model, tokenizer or sentence that cannot be turned into word vectors."""


class StoreError(StructprobeError):
    """A store of word vectors that is missing, outdated, damaged or not from structprobe."""


class ProbeError(StructprobeError):
    """Vectors, trees or settings that a probe cannot be fitted on or applied to."""


class MethodError(StructprobeError):
    """An unknown or invalid method of recovering trees."""


class ScoreError(StructprobeError):
    """Predictions and gold trees that cannot be compared."""


class ResultError(StructprobeError):
    """A results folder that is missing, not from structprobe, or cannot be written."""


class ClusterError(StructprobeError):
    """Workers or a scheduler that cannot be reached, or fail."""


JOINERS = "\u200c\u200d"


def escaped(text: str, keep: str = "") -> str:
    """Escape what a terminal would act on or cannot show; joiners are part of words and emoji."""
    if text.isprintable():
        return text
    keep += JOINERS
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)


def near_name(value: object, choices: Iterable[str]) -> str:
    """Name in brackets the choice that was probably meant, if any."""
    known = {choice.casefold(): choice for choice in choices if choice != value}
    near = difflib.get_close_matches(str(value).casefold(), known, n=1)
    return f" (did you mean {known[near[0]]!r}?)" if near else ""


def unknown_name(kind: str, value: object, choices: Iterable[str]) -> str:
    """Describe an unknown name of a `kind`, with the choices."""
    known = list(choices)
    meant = near_name(value, known)
    return f"unknown {kind} {value!r}{meant}; choose from {', '.join(map(repr, known))}"


def refuse_kind(
    name: str, value: object, wanted: str, error: type[StructprobeError], hint: str | None = None
) -> NoReturn:
    """Refuse an argument of a wrong type."""
    is_short = value is None or isinstance(value, str | int | float)
    found = repr(value) if is_short else f"a {type(value).__name__}"
    found = f"the class {value.__name__}" if isinstance(value, type) else found
    raise error(f"{name} is {found}, not {wanted}", hint=hint)


def check_path(name: str, value: object, error: type[StructprobeError]) -> None:
    """Refuse what is no path."""
    if not isinstance(value, str | os.PathLike):
        refuse_kind(name, value, "a path", error, "pass the path of a folder")


def check_encoder(value: object, error: type[StructprobeError]) -> None:
    """Refuse the name of a model, or the model itself, in the place of its encoder."""
    if not hasattr(value, "n_layers") or not hasattr(value, "encode"):
        name = repr(value) if isinstance(value, str) else "..."
        refuse_kind("encoder", value, "an Encoder", error, f"pass Encoder({name})")


def counted(n: int, noun: str) -> str:
    """Write a number with its noun, such as "1 sentence" or "1,200 sentences"."""
    return f"{n:,} {noun if n == 1 else f'{noun}s'}"
