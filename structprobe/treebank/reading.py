"""Reading sentences from CoNLL-U: our own checks, then parsing by the `conllu` package."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Literal

import conllu
import numpy as np
from conllu.exceptions import ParseException

from structprobe.errors import TreebankError, counted, unknown_name
from structprobe.progress import progress_bar
from structprobe.tree_faults import tree_fault
from structprobe.treebank.conllu_format import (
    BOM,
    ID,
    Place,
    check_characters,
    check_comment,
    check_heads,
    check_ids,
    check_no_heads,
    split_columns,
)
from structprobe.treebank.files import find_files, read_bytes, to_text
from structprobe.treebank.sentence import Sentence

_log = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
SECONDS = 1.0  # of reading a file before a bar is drawn


def _as_written(cells: list[str], i: int) -> str:
    return cells[i].replace("\0", " ")


# `conllu` parses IDs and heads; features, DEPS and MISC would be taken apart for nothing.
_PARSERS: dict[str, Callable[[list[str], int], Any]] = dict.fromkeys(
    ("form", "lemma", "upos", "xpos", "feats", "deprel", "deps", "misc"), _as_written
)


def read_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    on_error: OnError = "raise",
    progress: bool | None = False,
) -> tuple[list[Sentence], list[TreebankError]]:
    """Read the sentences of a file, a glob pattern, or several; see `Treebank.read`."""
    _check_choice(on_error)
    sentences: list[Sentence] = []
    faults: list[TreebankError] = []
    for path in find_files(paths):
        try:
            text = to_text(read_bytes(path), str(path))
        except TreebankError as fault:
            _keep(fault, faults, on_error)
            continue
        found, skipped = _read_blocks(text, str(path), on_error, progress)
        sentences += found
        faults += skipped
    return _some(sentences, faults)


def read_text(
    text: str | bytes, path: str | None, on_error: OnError = "raise"
) -> tuple[list[Sentence], list[TreebankError]]:
    """Read the sentences of one file's text or bytes; see `Treebank.from_text`."""
    _check_choice(on_error)
    if isinstance(text, bytes):
        text = to_text(text, path)
    return _some(*_read_blocks(text, path, on_error))


def _check_choice(on_error: str) -> None:
    if on_error not in ("raise", "skip"):
        raise TreebankError(unknown_name("on_error", on_error, ("raise", "skip")))


def _keep(fault: TreebankError, faults: list[TreebankError], on_error: OnError) -> None:
    """Raise an error, or collect it if errors are skipped."""
    if on_error == "raise":
        raise fault
    faults.append(fault)


def _some(
    sentences: list[Sentence], faults: list[TreebankError]
) -> tuple[list[Sentence], list[TreebankError]]:
    """Report what was skipped, and refuse an empty result."""
    if not sentences:
        told = f"the first of {len(faults)} errors: {faults[0]}" if faults[1:] else str(faults[0])
        raise TreebankError(f"no valid sentence: {told}")
    if faults:
        told = counted(len(faults), "error")
        _log.warning("skipped faulty input: %s, the first: %s", told, faults[0])
    return sentences, faults


def _read_blocks(
    text: str, path: str | None, on_error: OnError, progress: bool | None = False
) -> tuple[list[Sentence], list[TreebankError]]:
    """Read the sentences and collect the errors of one file's text."""
    sentences: list[Sentence] = []
    faults: list[TreebankError] = []
    blocks = _split_blocks(text)
    with progress_bar("read", len(blocks), "sent", shown=progress, delay=SECONDS) as advance:
        for block in blocks:
            try:
                sentences.append(_read_block(block, path))
            except TreebankError as fault:
                _keep(fault, faults, on_error)
            advance(1)
    if not blocks:
        what = f"no sentence in {len(text)} characters" if text else "an empty file"
        hint = "give a CoNLL-U file"
        _keep(TreebankError(what, path=path or "<text>", hint=hint), faults, on_error)
    return _without_blank_columns(sentences), faults


@dataclass(frozen=True, slots=True)
class _Block:
    """The lines of one sentence."""

    line: int  # The line of the file, counted from 1, of the first of `lines`
    lines: list[str]  # The lines as read, endings included, and the blank lines behind them
    start: int


def _bare(line: str, number: int) -> str:
    """Take its ending off a line, and off line 1 of a file a byte order mark in front."""
    return (line.removeprefix(BOM) if number == 1 else line).rstrip("\r\n")


def _split_blocks(text: str) -> list[_Block]:
    """Split a text into blocks that, joined, reproduce it."""
    lines = list(io.StringIO(text, newline="\n"))
    blocks: list[_Block] = []
    first = run = start = 0  # where the block, its last run of lines, and its sentence begin
    has_token = after_blank = False
    for i, line in enumerate(lines):
        content = _bare(line, i + 1)
        if not content:
            after_blank = True
            continue
        if after_blank:
            after_blank = False
            run = i
            if has_token:
                blocks.append(_Block(first + 1, lines[first:i], start - first))
                first, has_token = i, False
        if not content.startswith("#"):
            has_token, start = True, run
    if has_token:
        blocks.append(_Block(first + 1, lines[first:], start - first))
    elif blocks:
        blocks[-1].lines.extend(lines[first:])
    return blocks


def _read_block(block: _Block, path: str | None) -> Sentence:
    """Check and parse one block; raise `TreebankError` for its first error."""
    comments: list[tuple[int, str]] = []  # row in the block, line
    tokens: list[tuple[int, str]] = []
    for row in range(block.start, len(block.lines)):
        line = _bare(block.lines[row], block.line + row)
        if not line:
            break
        (comments if line.startswith("#") else tokens).append((row, line))
    sent_id = _parse([line for _, line in comments]).metadata.get("sent_id") if comments else None

    place = Place(path, block.line, sent_id)
    check_characters(block.lines, place)
    for row, line in comments:
        check_comment(line, row, place)
    table = [(row, split_columns(line, row, place)) for row, line in tokens]
    check_ids([(row, cells[ID]) for row, cells in table], place)
    is_word = [cells[ID].isdecimal() for _, cells in table]
    check_heads(list(compress(table, is_word)), place)
    check_no_heads([line for line in table if not line[1][ID].isdecimal()], place)

    # `conllu` strips lines, and takes two spaces for a tab. Neither can touch a line whose spaces
    # are NUL (which `check_characters` refuses) and that ends in a column more than it looks at.
    try:
        parsed = _parse([line.replace(" ", "\0") + "\t_" for _, line in tokens])
    except ParseException as error:
        raise place.fault(
            f"rejected by conllu: {error}", tokens[0][0], "correct the line"
        ) from error
    words = list(compress(parsed, is_word))
    rows = tuple(row for row, _ in compress(table, is_word))
    heads = None if words[0]["head"] is None else [word["head"] for word in words]
    if heads is not None and (fault := tree_fault(heads)):
        i, what, hint = fault
        raise place.fault(what, rows[i], hint)
    return Sentence(
        words=tuple(word["form"] for word in words),
        heads=None if heads is None else np.array(heads, dtype=np.int32),
        deprels=tuple(word["deprel"] for word in words),
        upos=tuple(word["upos"] for word in words),
        xpos=tuple(word["xpos"] for word in words),
        gaps=_gaps(parsed),
        sent_id=sent_id,
        path=path,
        line=block.line,
        raw_lines=tuple(block.lines),
        rows=rows,
    )


def _parse(lines: Sequence[str]) -> Any:
    """Let `conllu` parse some lines of one sentence into a list of tokens with metadata."""
    return conllu.parse_token_and_metadata("\n".join(lines), field_parsers=_PARSERS)


def _gaps(tokens: Sequence[Any]) -> tuple[str, ...]:
    """Find what follows each word: a space or nothing, by SpaceAfter."""
    gaps: list[str] = []
    last_of_range, gap_behind_range, gap_inside = 0, " ", " "
    for i, token in enumerate(tokens):
        gap = "" if "SpaceAfter=No" in token["misc"].split("|") else " "
        match token["id"]:
            case (first, "-", last):
                span = range(first, last + 1)
                inside = [t["form"] for t in tokens[i + 1 :] if t["id"] in span]
                last_of_range, gap_behind_range = last, gap
                gap_inside = "" if "".join(inside) == token["form"] else " "
            case int(word):
                if word < last_of_range:
                    gap = gap_inside
                elif word == last_of_range:
                    gap = gap_behind_range
                gaps.append(gap)
    return tuple(gaps)


def _without_blank_columns(sentences: list[Sentence]) -> list[Sentence]:
    """Set columns of labels to None that are ``_`` throughout the file."""
    for name in ("deprels", "upos", "xpos"):
        if all(set(getattr(sentence, name)) == {"_"} for sentence in sentences):
            blank: dict[str, Any] = {name: None}
            sentences = [replace(sentence, **blank) for sentence in sentences]
    return sentences
