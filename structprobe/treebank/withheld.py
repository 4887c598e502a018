"""Text withheld for its licence: treebanks with `_` in the place of their words."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from structprobe.errors import Hint, TreebankError, escaped
from structprobe.treebank.sentence import Sentence

MOST_BLANK = 0.05  # of a file's words: a text may speak of underscores
_HINT = "its README should say how to restore the words"

_log = logging.getLogger(__name__)


def warn_withheld(sentences: Sequence[Sentence], path: str | None) -> None:
    """Warn if the words of a file are withheld."""
    if told := _told(sentences):
        _log.warning("%s: %s; %s", escaped(path or "<text>"), told, _HINT)


def check_not_withheld(sentences: Iterable[Sentence], part: str) -> None:
    """Refuse a treebank with a file whose words are withheld: a model would read underscores."""
    files: dict[str | None, list[Sentence]] = {}
    for sentence in sentences:
        files.setdefault(sentence.path, []).append(sentence)
    for path, own in files.items():
        if told := _told(own):
            hint = Hint(
                f"{_HINT}, or pass allow_withheld=True",
                shell=f"{_HINT}, or use --allow-withheld",
            )
            where = path or f"the {part} treebank"
            raise TreebankError(told, path=where, hint=hint)


def _told(sentences: Sequence[Sentence]) -> str | None:
    blank = sum(sentence.words.count("_") for sentence in sentences)
    n_words = sum(map(len, sentences))
    if blank <= MOST_BLANK * n_words:
        return None
    return f"the text is withheld: {blank} of {n_words} words are `_`"
