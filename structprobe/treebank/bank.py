"""A treebank: an immutable sequence of sentences."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import overload

from structprobe.errors import TreebankError, counted
from structprobe.notebook import html_table
from structprobe.treebank.reading import Heads, OnError, ReadAs, read_files, read_text
from structprobe.treebank.sentence import Sentence
from structprobe.treebank.writing import block_of, join_blocks, write_text

SHOWN = 5  # sentences, in a notebook
_WAYS = "use Treebank.read for files, Treebank.from_words for lists of words"


class Treebank(Sequence[Sentence]):
    """An immutable sequence of sentences; slicing or filtering it gives another treebank.

    Two treebanks are equal if their sentences are equal.

    Parameters
    ----------
    sentences : iterable of Sentence
        The sentences. To read a file, use `Treebank.read`.
    skipped : iterable of TreebankError, optional
        The errors of the sentences that were skipped while reading.

    Raises
    ------
    TreebankError
        If `sentences` are not listed, or an item is not a `Sentence`.

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
        _check_listed(sentences)
        self._sentences = tuple(sentences)
        self._skipped = tuple(skipped)
        for i, sentence in enumerate(self._sentences):
            if not isinstance(sentence, Sentence):
                what = f"item {i} of a Treebank is a {type(sentence).__name__}, not a Sentence"
                raise TreebankError(what, hint=_WAYS)

    @classmethod
    def read(
        cls,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        on_error: OnError = "raise",
        heads: Heads = "tree",
        progress: bool | None = False,
    ) -> Treebank:
        """Read a treebank, of at least one sentence, from CoNLL-U files.

        Parameters
        ----------
        paths : str, path or iterable of them
            A file, a glob pattern such as ``"UD_*/*-dev.conllu"``, or several. Gzip is recognised;
            what unpacks to more than 64 MiB and to more than 100 times its size is refused. The
            columns may be those that a file of CoNLL-U Plus declares.
        on_error : {"raise", "skip"}
            "raise" stops at the first error. "skip" leaves out faulty sentences (and unreadable or
            empty files), keeps their errors in `skipped` and logs a warning.
        heads : {"tree", "any", "ignore"}
            What HEAD must hold. "tree": one tree per sentence, or ``_`` throughout. "any": for each
            word the number of a word, or 0, even if they form no tree. "ignore": anything; the
            sentences have `heads` None.
        progress : bool or None, default=False
            Whether to show a progress bar for files that take long; None: if stderr is a terminal.

        Returns
        -------
        Treebank
            Where all heads are ``_``, a sentence has `heads` None. If more than 5 % of the words of
            a file are ``_``, since the text is withheld, a warning is logged.

        Raises
        ------
        TreebankError
            If a file cannot be found, is not UTF-8 or has no sentences; or if a sentence has a
            wrong number of columns or an empty one, IDs out of order, an invalid multiword range,
            an invalid, out-of-range or missing HEAD, or heads that are not a tree (no root or
            several, a cycle, a word that is its own head). The message gives file, line, sent_id
            and value. With "skip", raised only if nothing is left.
        """
        sentences, skipped = read_files(paths, ReadAs(on_error, heads), progress)
        return cls(sentences, skipped=skipped)

    @classmethod
    def from_text(
        cls,
        text: str | bytes,
        *,
        path: str | None = None,
        on_error: OnError = "raise",
        heads: Heads = "tree",
    ) -> Treebank:
        """Read a treebank from CoNLL-U text, or from the bytes of a file or pipe.

        Parameters
        ----------
        text : str or bytes
            CoNLL-U; bytes may be UTF-8 or gzip.
        path : str, optional
            The name to show in messages, such as ``"<stdin>"``.
        on_error, heads
            As for `read`, with the same errors.

        Returns
        -------
        Treebank
            At least one sentence.
        """
        sentences, skipped = read_text(text, path, ReadAs(on_error, heads))
        return cls(sentences, skipped=skipped)

    @classmethod
    def from_words(cls, sentences: Iterable[Iterable[str]]) -> Treebank:
        """Create a treebank without trees from lists of words.

        Parameters
        ----------
        sentences : iterable of iterable of str
            The words of each sentence.

        Returns
        -------
        Treebank
            Sentences without heads, with a space after each word.

        Raises
        ------
        TreebankError
            If a sentence is a string instead of a list of words, or has no words; or if a word is
            not a string, is empty, or contains a tab or line break.
        """
        made = []
        _check_listed(sentences)
        for i, words in enumerate(sentences):
            if isinstance(words, str) or not isinstance(words, Iterable):
                told = f"a single string: {words!r}" if isinstance(words, str) else repr(words)
                hint = "give a list of words, such as text.split()"
                raise TreebankError(f"sentence {i} is {told}", hint=hint)
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
        """Return one sentence, or a treebank for a slice."""
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
        counts = [counted(len(self), "sentence"), counted(self.n_words, "word")]
        left_out = [f"{len(self.skipped)} skipped"] * bool(self.skipped)
        return f"Treebank({', '.join([' '.join(name)] * bool(name) + counts + left_out)})"

    def _repr_html_(self) -> str:
        """Show the counts and the first sentences in a notebook."""
        first = {
            sentence.sent_id or f"sentence {i + 1}": " ".join(sentence.words)
            for i, sentence in enumerate(self._sentences[:SHOWN])
        }
        more = {"…": f"and {len(self) - SHOWN:,} more"} if len(self) > SHOWN else {}
        return html_table(repr(self), first | more)

    def filter(self, predicate: Callable[[Sentence], bool]) -> Treebank:
        """Select sentences.

        Parameters
        ----------
        predicate : callable
            Takes a `Sentence` and returns whether to keep it.

        Returns
        -------
        Treebank
            The selected sentences, in order.
        """
        return Treebank(filter(predicate, self._sentences), skipped=self._skipped)

    @property
    def n_words(self) -> int:
        """The number of words in all sentences."""
        return sum(map(len, self._sentences))

    @property
    def paths(self) -> tuple[str, ...]:
        """The files the sentences were read from, in order."""
        return tuple(dict.fromkeys(s.path for s in self._sentences if s.path is not None))

    @property
    def skipped(self) -> tuple[TreebankError, ...]:
        """The errors of the sentences skipped by ``on_error="skip"``, in order."""
        return self._skipped

    @cached_property
    def fingerprint(self) -> str:
        """A digest of words, heads, UPOS, XPOS and DEPREL: 64 hexadecimal digits."""
        heads = (None if one.heads is None else one.heads.tolist() for one in self._sentences)
        pairs = zip(self._sentences, heads, strict=True)
        return _digest([one.words, own, one.upos, one.xpos, one.deprels] for one, own in pairs)

    @cached_property
    def gaps_fingerprint(self) -> str:
        """A digest of the spaces between words, which `fingerprint` does not cover."""
        return _digest(sentence.gaps for sentence in self._sentences)

    def to_conllu(self) -> str:
        """Return the treebank in CoNLL-U; sentences read from a file are unchanged, byte for byte.

        Returns
        -------
        str
            The content of a file.
        """
        return join_blocks(map(block_of, self._sentences))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the treebank to a CoNLL-U file, completely or not at all.

        Parameters
        ----------
        path : str or path
            The file, which is replaced if it exists; compressed if the name ends in ``.gz``.

        Raises
        ------
        TreebankError
            If the file cannot be written, for example on a full disk.
        """
        write_text(path, self.to_conllu())


def _check_listed(sentences: object) -> None:
    if not isinstance(sentences, Iterable):
        raise TreebankError(f"{sentences!r:.80} is not a list of sentences", hint=_WAYS)


def _digest(parts: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(json.dumps(part).encode())
    return digest.hexdigest()
