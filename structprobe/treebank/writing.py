"""Writing CoNLL-U: sentences byte for byte as they were read, or with other heads."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.drafts import draft_file
from structprobe.errors import TreebankError, counted
from structprobe.output_paths import disk_hint
from structprobe.tree_faults import tree_fault
from structprobe.treebank.conllu_format import (
    BOM,
    COLUMNS,
    DEPREL,
    DEPS,
    HEAD,
    ID,
    Columns,
    declaration,
    find_declarations,
)
from structprobe.treebank.sentence import Sentence
from structprobe.treebank.text import join_words


class _Block(str):
    """The text of one sentence of CoNLL-U Plus, its columns declared in front if need be."""

    columns: tuple[str, ...]
    start: int  # of what was read, behind a declaration that another sentence of the file has


def block_of(sentence: Sentence) -> str:
    """Give the CoNLL-U block of a sentence."""
    return _join_lines(sentence, sentence.raw_lines or _plain_lines(sentence))


def _join_lines(sentence: Sentence, lines: Sequence[str]) -> str:
    if not sentence.columns:
        return "".join(lines)
    newline = "\r\n" if lines[0].endswith("\r\n") else "\n"
    front = "" if find_declarations(lines) else declaration(sentence.columns) + newline
    block = _Block("".join([front, *lines]))
    block.columns, block.start = sentence.columns, len(front)
    return block


def _plain_lines(sentence: Sentence) -> list[str]:
    lines = [] if sentence.sent_id is None else [f"# sent_id = {sentence.sent_id}\n"]
    lines.append(f"# text = {join_words(sentence.words, sentence.gaps)[0]}\n")
    blank = ("_",) * len(sentence)
    heads = blank if sentence.heads is None else sentence.heads.tolist()
    columns = (sentence.words, sentence.upos, sentence.xpos, heads, sentence.deprels, sentence.gaps)
    for i, (word, upos, xpos, head, deprel, gap) in enumerate(
        zip(*(column or blank for column in columns), strict=True), start=1
    ):
        misc = "_" if gap else "SpaceAfter=No"
        lines.append(f"{i}\t{word}\t_\t{upos}\t{xpos}\t_\t{head}\t{deprel}\t_\t{misc}\n")
    return [*lines, "\n"]


def rewrite(
    sentence: Sentence,
    heads: Sequence[int] | NDArray[np.integer],
    deprels: Sequence[str] | None = None,
) -> str:
    """Return the CoNLL-U block of a sentence with other heads, without its gold analysis.

    HEAD is replaced, DEPREL too (``root`` or ``dep`` if no relations are given), and DEPS becomes
    ``_``. For multiword tokens, all three become ``_``. Empty nodes, which belong to the enhanced
    graph in DEPS alone, are left out. The rest is unchanged, byte for byte. A sentence of CoNLL-U
    Plus keeps its columns, which the block declares.

    Parameters
    ----------
    sentence : Sentence
        A sentence of n words, read from CoNLL-U or not.
    heads : sequence of int, length n
        The new head of each word, 1-based, 0 for the root.
    deprels : sequence of str, length n, optional
        The new relation of each word.

    Returns
    -------
    str
        The block, with its trailing blank lines. `join_blocks` joins several.

    Raises
    ------
    TreebankError
        If the heads are not n integers from 0 to n, or not a tree, or if the sentence has columns
        of CoNLL-U Plus and HEAD is not among them; or if the relations are not n texts that a
        column can hold.
    """
    new = _checked(sentence, heads)
    labels = ["dep" if head else "root" for head in new]
    if deprels is not None:  # a sentence checks that they fit and can be written
        given: Any = deprels
        labels = [*(replace(sentence, deprels=given).deprels or ())]
    check_writable([sentence])
    if sentence.raw_lines:
        lines, rows = list(sentence.raw_lines), sentence.rows
    else:
        lines = _plain_lines(sentence)
        rows = tuple(range(len(lines) - 1 - len(sentence), len(lines) - 1))
    word_at = {row: i for i, row in enumerate(rows)}
    columns = Columns.of(sentence.columns or COLUMNS)
    written = []
    for row, line in enumerate(lines):
        bare = line.removeprefix(BOM).rstrip("\r\n")
        if not bare or bare.startswith("#"):
            written.append(line)
            continue
        body = line.rstrip("\r\n")
        cells = body.split("\t")
        if "." in columns.ten(cells)[ID]:
            continue  # invalid without DEPS
        head = new[word_at[row]] if row in word_at else None
        deprel = labels[word_at[row]] if row in word_at else "_"
        for column, value in {
            HEAD: "_" if head is None else head,
            DEPREL: deprel,
            DEPS: "_",
        }.items():
            if (place := columns.at[column]) is not None:
                cells[place] = str(value)
        written.append("\t".join(cells) + line[len(body) :])
    if lines[0].startswith(BOM):
        written[0] = BOM + written[0].removeprefix(BOM)
    return _join_lines(sentence, written)


def check_writable(sentences: Sequence[Sentence]) -> None:
    """Refuse, before heads are predicted, sentences that have no place for them in one file."""
    for sentence in sentences:
        _check_same_columns(sentences[0].columns, sentence.columns)
        if sentence.columns and "HEAD" not in sentence.columns:
            what = f"{sentence.where}: no column HEAD to write to: {' '.join(sentence.columns)}"
            raise TreebankError(what, hint="add HEAD to global.columns and to each line")


def _check_same_columns(one: Sequence[str], other: Sequence[str]) -> None:
    if one != other:
        told = " and ".join(repr(" ".join(names or COLUMNS)) for names in (one, other))
        hint = "write them to files of their own"
        raise TreebankError(f"sentences with different columns in one file: {told}", hint=hint)


def _checked(sentence: Sentence, heads: Sequence[int] | NDArray[np.integer]) -> list[int]:
    array = np.asarray(heads)
    n = len(sentence)
    if array.shape != (n,) or not np.issubdtype(array.dtype, np.integer):
        what = f"heads of shape {array.shape} and type {array.dtype} for {counted(n, 'word')}"
        raise TreebankError(f"{sentence.where}: {what}", hint="give one integer per word")
    new: list[int] = array.tolist()
    if fault := tree_fault(new):
        raise TreebankError(f"{sentence.where}: {fault.what}", hint=fault.hint)
    return new


def join_blocks(blocks: Iterable[str]) -> str:
    """Join the blocks of sentences into the text of one file.

    The unchanged blocks of a file reproduce it. Between other blocks, a missing blank line is
    added, and a byte order mark within the text is removed. The columns of CoNLL-U Plus are
    declared once.

    Parameters
    ----------
    blocks : iterable of str
        Results of `rewrite`, or the joined `raw_lines` of sentences.

    Returns
    -------
    str
        The text.

    Raises
    ------
    TreebankError
        If blocks have different columns, which one file cannot hold.
    """
    parts: list[str] = []
    columns: tuple[str, ...] = ()
    for block in blocks:
        own = getattr(block, "columns", ())
        if parts:
            _check_same_columns(columns, own)
            parts.append(_missing_end(parts[-1]))
            block = block.removeprefix(BOM)[getattr(block, "start", 0) :]
        columns = own
        parts.append(block)
    return "".join(parts)


def _missing_end(block: str) -> str:
    """Give the line breaks missing for a block to end in an empty line, in its own style."""
    newline = "\r\n" if "\r\n" in block else "\n"
    if not block.endswith("\n"):
        return newline * 2
    last = block[:-1].rpartition("\n")[2]
    return newline if last.rstrip("\r") else ""


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a UTF-8 file, completely or not at all; compressed if its name ends in ``.gz``."""
    if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise TreebankError(f"{path!r:.80} is not a path", hint="give the path of a file")
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        raise TreebankError("is not a regular file", path=str(path), hint="give the path of a file")
    data = text.encode("utf-8")
    if target.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    try:
        with draft_file(Path(target)) as file:
            file.write(data)
    except OSError as error:
        hint = f"nothing was written; {disk_hint(error, 'choose another folder')}"
        what = f"cannot be written: {error.strerror}"
        raise TreebankError(what, path=str(path), hint=hint) from error
