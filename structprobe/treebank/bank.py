"""A treebank: an immutable sequence of sentences."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

from structprobe.errors import TreebankError
from structprobe.notebook import html_table
from structprobe.treebank.reading import OnError, read_files, read_text
from structprobe.treebank.sentence import Sentence
from structprobe.treebank.writing import block_of, join_blocks, write_text

SHOWN = 5  # sentences, in a notebook


class Treebank(Sequence[Sentence]):
    """An immutable sequence of sentences; a slice or a filter of it is a treebank again.

    Two treebanks are equal where their sentences are.

    Parameters
    ----------
    sentences : iterable of Sentence
        The sentences. To read a file, see `Treebank.read`.
    skipped : iterable of TreebankError, optional
        The faults of the sentences that were left out in reading.

    Raises
    ------
    TreebankError
        Where one of the sentences is no `Sentence`.

    Examples
    --------
    >>> bank = Treebank.from_words([["the", "dog", "barks"], ["cats", "sleep"]])
    >>> bank
    Treebank(2 sentences, 5 words)
    >>> bank[1].words
    ('cats', 'sleep')
    """

    def __init__(
        self, sentences: Iterable[Sentence] = (), *, skipped: Iterable[TreebankError] = ()
    ) -> None:
        self._sentences = tuple(sentences)
        self._skipped = tuple(skipped)
        for i, sentence in enumerate(self._sentences):
            if not isinstance(sentence, Sentence):
                raise TreebankError(
                    f"item {i} of a Treebank is a {type(sentence).__name__}, not a Sentence",
                    hint="read files by Treebank.read, lists of words by Treebank.from_words",
                )

    @classmethod
    def read(
        cls,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        on_error: OnError = "raise",
        progress: bool | None = False,
    ) -> Treebank:
        """Read a treebank from CoNLL-U.

        Parameters
        ----------
        paths : str, path or iterable of them
            A file; a pattern such as ``"UD_*/*-dev.conllu"``; or several of either. Files packed
            by gzip are known by their content.
        on_error : {"raise", "skip"}
            At the first fault raise an error, or leave the faulty sentence (or the file without
            any) out, keep the error in `skipped` and log a warning.
        progress : bool or None, default=False
            Whether to draw a bar on stderr for a file that takes long; None for where that is a
            terminal.

        Returns
        -------
        Treebank
            At least one sentence.

        Raises
        ------
        TreebankError
            Naming file, line, sent_id and value: for not ten columns or an empty one; an ID out
            of order; a broken multiword range; a HEAD that is neither a number nor ``_`` or is
            out of range; ``_`` beside numbers; a word that is its own head; a cycle; no root or
            two; bytes that are no UTF-8; a file without a sentence; a path that leads nowhere.
            With "skip", only where nothing is left. (A sentence with ``_`` for all heads is no
            fault: its `heads` are None.)
        """
        sentences, skipped = read_files(paths, on_error, progress)
        return cls(sentences, skipped=skipped)

    @classmethod
    def from_text(
        cls, text: str | bytes, *, path: str | None = None, on_error: OnError = "raise"
    ) -> Treebank:
        """Read a treebank from a text in CoNLL-U, or from the bytes of a file or of a pipe.

        Parameters
        ----------
        text : str or bytes
            CoNLL-U; bytes are UTF-8 or gzip.
        path : str, optional
            A name for messages, such as ``"<stdin>"``.
        on_error : {"raise", "skip"}
            As in `read`.

        Returns
        -------
        Treebank
            At least one sentence.

        Raises
        ------
        TreebankError
            As in `read`.
        """
        sentences, skipped = read_text(text, path, on_error)
        return cls(sentences, skipped=skipped)

    @classmethod
    def from_words(cls, sentences: Iterable[Iterable[str]]) -> Treebank:
        """Make a treebank without trees from lists of words.

        Parameters
        ----------
        sentences : iterable of iterable of str
            The words of each sentence.

        Returns
        -------
        Treebank
            Sentences with `heads` None and a space behind each word.

        Raises
        ------
        TreebankError
            For a string in place of a list of words, a sentence without words, and a word that
            is empty or holds a tab or a line's end.
        """
        made = []
        for i, words in enumerate(sentences):
            if isinstance(words, str):
                hint = "give lists of words, such as text.split()"
                raise TreebankError(f"sentence {i} is the one string {words!r}", hint=hint)
            try:
                made.append(Sentence(tuple(words)))
            except TreebankError as error:
                raise TreebankError(f"sentence {i}: {error.what}", hint=error.hint) from error
        return cls(made)

    def __len__(self) -> int:
        return len(self._sentences)

    @overload
    def __getitem__(self, index: int) -> Sentence: ...
    @overload
    def __getitem__(self, index: slice) -> Treebank: ...
    def __getitem__(self, index: int | slice) -> Sentence | Treebank:
        """Give one sentence, or a treebank of some."""
        if isinstance(index, slice):
            return Treebank(self._sentences[index], skipped=self._skipped)
        return self._sentences[index]

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self._sentences)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Treebank):
            return NotImplemented
        return self._sentences == other._sentences

    def __hash__(self) -> int:
        return hash(self._sentences)

    def __repr__(self) -> str:
        names = [os.path.basename(path) for path in self.paths]
        name = names[:1] + [f"and {len(names) - 1} more"] * (len(names) > 1)
        counts = [f"{len(self)} sentences", f"{self.n_words} words"]
        left_out = [f"{len(self.skipped)} skipped"] * bool(self.skipped)
        return f"Treebank({', '.join([' '.join(name)] * bool(name) + counts + left_out)})"

    def _repr_html_(self) -> str:
        """Show what is in it, and how the first sentences begin, in a notebook."""
        first = {
            sentence.sent_id or f"sentence {i + 1}": " ".join(sentence.words)
            for i, sentence in enumerate(self._sentences[:SHOWN])
        }
        more = {"…": f"and {len(self) - SHOWN:,} more"} if len(self) > SHOWN else {}
        return html_table(repr(self), first | more)

    def filter(self, predicate: Callable[[Sentence], bool]) -> Treebank:
        """Keep some of the sentences.

        Parameters
        ----------
        predicate : callable
            Takes a `Sentence` and says whether to keep it.

        Returns
        -------
        Treebank
            The sentences kept, in order.
        """
        return Treebank(filter(predicate, self._sentences), skipped=self._skipped)

    @property
    def n_words(self) -> int:
        """The number of words of all sentences."""
        return sum(map(len, self._sentences))

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that the sentences were read from, in order."""
        return tuple(dict.fromkeys(s.path for s in self._sentences if s.path is not None))

    @property
    def skipped(self) -> tuple[TreebankError, ...]:
        """The faults that ``on_error="skip"`` left out, one a sentence, in order."""
        return self._skipped

    @cached_property
    def fingerprint(self) -> str:
        """A digest of words, heads, UPOS, XPOS and DEPREL: 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for s in self._sentences:
            heads = None if s.heads is None else s.heads.tolist()
            digest.update(json.dumps([s.words, heads, s.upos, s.xpos, s.deprels]).encode())
        return digest.hexdigest()

    @cached_property
    def gaps_fingerprint(self) -> str:
        """A digest of what stands between words, which `fingerprint` leaves out."""
        digest = hashlib.sha256()
        for sentence in self._sentences:
            digest.update(json.dumps(sentence.gaps).encode())
        return digest.hexdigest()

    def to_conllu(self) -> str:
        """Give the treebank in CoNLL-U: what was read from a file as it was, byte for byte.

        Returns
        -------
        str
            The text of a file.
        """
        return join_blocks(map(block_of, self._sentences))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the treebank in CoNLL-U, whole or not at all.

        Parameters
        ----------
        path : str or path
            The file; one that exists is replaced. A name in ``.gz`` is packed by gzip.

        Raises
        ------
        TreebankError
            Where it cannot be written, such as on a full disk; nothing is left half written.
        """
        write_text(path, self.to_conllu())
