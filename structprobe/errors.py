"""One family of errors: what was wrong, with which value, where, and what to do.

Every fault that a user can cause is a `StructprobeError`; the command line prints its one line
and exits with 1. Anything else that escapes is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Self


class Hint(str):
    """What to do, in the words of Python, with the same in those of the command line.

    It is the Python string, so that whoever hands a hint on, hands on both.
    """

    shell: str

    def __new__(cls, python: str, *, shell: str) -> Self:
        """Take what to write in Python, and what to type in a shell."""
        hint = super().__new__(cls, python)
        hint.shell = shell
        return hint

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild_hint, (str(self), self.shell)


class StructprobeError(ValueError):
    """Base of all errors that name a fault in what the user gave.

    Parameters
    ----------
    what : str
        What was wrong, with the offending value in it.
    where : str, optional
        Where it was found, such as ``"en.conllu:12: sent_id 'weblog-3'"``; printed in front.
    hint : str, optional
        What to do about it; printed behind. Where Python and the command line write it in
        different ways, a `Hint` holds both.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(self._message(hint))

    def for_shell(self) -> str:
        """Give the message as the command line prints it, options in place of arguments.

        Returns
        -------
        str
            One line.
        """
        return self._message(self.hint.shell if isinstance(self.hint, Hint) else self.hint)

    def _message(self, hint: str | None) -> str:
        message = f"{self.where}: {self.what}" if self.where else self.what
        return f"{message}; {hint}" if hint else message

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by keyword, so that an error raised in a worker process arrives whole."""
        return _rebuild, (type(self), self.__dict__.copy(), self.args)


class TreebankError(StructprobeError):
    """A fault in a CoNLL-U file.

    Parameters
    ----------
    what : str
        What was wrong, with the offending value in it.
    path : str, optional
        The file.
    line : int, optional
        The line in it, counted from 1.
    sent_id : str, optional
        The sentence's ``sent_id`` comment.
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
        super().__init__(what, where=": ".join(parts) or None, hint=hint)


class TreeError(StructprobeError):
    """Heads that are no tree, or a matrix from which no tree can be decoded.

    Parameters
    ----------
    what, where, hint
        As for `StructprobeError`.
    sentence : int, optional
        Which of many sentences it is, counted from 0; `where` says so unless it is given.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        sentence: int | None = None,
    ) -> None:
        self.sentence = sentence or 0  # of many, counted from 0
        if sentence is not None and where is None:
            where = f"sentence {sentence} (counted from 0)"
        super().__init__(what, where=where, hint=hint)


class EncoderError(StructprobeError):
    """A model, tokenizer or sentence that cannot be turned into word vectors."""


class StoreError(StructprobeError):
    """A store of word vectors that is missing, stale, damaged or not ours."""


class ProbeError(StructprobeError):
    """Vectors, trees or settings that a probe cannot be fitted on or applied to."""


class MethodError(StructprobeError):
    """A way of recovering trees that there is not, or that cannot be named so."""


class ScoreError(StructprobeError):
    """Predictions and gold trees that cannot be scored against one another."""


class ResultError(StructprobeError):
    """A folder of results that is missing, not ours, or not to be written to."""


class ClusterError(StructprobeError):
    """Workers or a scheduler that cannot be reached, or cannot do the work."""


def unknown_name(kind: str, value: object, choices: Iterable[str]) -> str:
    """Say that `value` is no known name of its `kind`, listing the choices."""
    known = list(choices)
    near = difflib.get_close_matches(str(value), known, n=1)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {kind} {value!r}{meant}; choose from {', '.join(map(repr, known))}"


def _rebuild_hint(python: str, shell: str) -> Hint:
    return Hint(python, shell=shell)


def _rebuild(
    cls: type[StructprobeError], state: dict[str, object], args: tuple[object, ...]
) -> StructprobeError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error
