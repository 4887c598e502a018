"""Reading sentences from CoNLL-U: our own checks, then parsing by the `conllu` package."""

from __future__ import annotations

import io
import logging
import os
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress, islice, takewhile
from operator import itemgetter
from typing import Any, Literal, get_args

import conllu
import numpy as np
from conllu.exceptions import ParseException

from structprobe.errors import TreebankError, counted, unknown_name
from structprobe.progress import progress_bar
from structprobe.tree_faults import tree_fault
from structprobe.treebank.conllu_format import (
    BOM,
    HEAD,
    ID,
    TEN,
    Columns,
    Place,
    check_characters,
    check_comments,
    check_heads,
    check_ids,
    check_no_heads,
    check_not_conllx,
    declared_columns,
    find_declarations,
    split_columns,
)
from structprobe.treebank.files import check_line_ends, find_files, read_bytes, to_text
from structprobe.treebank.sentence import Sentence
from structprobe.treebank.withheld import warn_withheld

_log = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
Heads = Literal["tree", "any", "ignore"]
LONGEST_PATH = 4096
SECONDS = 1.0  # of reading a file before a bar is drawn


def _as_written(cells: list[str], i: int) -> str:
    return cells[i].replace("\0", " ")


# `conllu` parses IDs and heads; features, DEPS and MISC would be taken apart for nothing.
_PARSERS: dict[str, Callable[[list[str], int], Any]] = dict.fromkeys(
    ("form", "lemma", "upos", "xpos", "feats", "deprel", "deps", "misc"), _as_written
)


@dataclass(frozen=True)
class ReadAs:
    """How files are read."""

    on_error: OnError = "raise"  # What an error does: stop, or leave the sentence out
    heads: Heads = "tree"  # What HEAD must hold: a tree, or any words' numbers; or not looked at

    def __post_init__(self) -> None:
        for name, choices in (("on_error", get_args(OnError)), ("heads", get_args(Heads))):
            if (value := getattr(self, name)) not in choices:
                raise TreebankError(unknown_name(name, value, choices))


def read_files(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    how: ReadAs,
    progress: bool | None = False,
) -> tuple[list[Sentence], list[TreebankError]]:
    """Read the sentences of a file, a glob pattern, or several; see `Treebank.read`."""
    sentences: list[Sentence] = []
    faults: list[TreebankError] = []
    files = find_files(paths)
    for path, n in Counter(files).items():
        if n > 1:
            _log.warning("%s: is given %d times; its sentences count as often", path, n)
    for path in files:
        try:
            text = to_text(read_bytes(path), str(path))
        except TreebankError as fault:
            _keep(fault, faults, how.on_error)
            continue
        found, skipped = _read_blocks(text, str(path), how, progress)
        sentences += found
        faults += skipped
    return _some(sentences, faults)


def read_text(
    text: str | bytes, path: str | None, how: ReadAs
) -> tuple[list[Sentence], list[TreebankError]]:
    """Read the sentences of one file's text or bytes; see `Treebank.from_text`."""
    if not isinstance(text, str | bytes):
        hint = "give the text of a CoNLL-U file; Treebank.read takes paths"
        raise TreebankError(f"{reprlib.repr(text)} is not text", path=path, hint=hint)
    if isinstance(text, bytes):
        text = to_text(text, path)
    elif 0 < len(text) < LONGEST_PATH and os.path.isfile(text):
        raise TreebankError("is a path, not text", path=text, hint="read it with Treebank.read")
    else:
        check_line_ends(text, path)
    return _some(*_read_blocks(text, path, how))


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
    text: str, path: str | None, how: ReadAs, progress: bool | None = False
) -> tuple[list[Sentence], list[TreebankError]]:
    """Read the sentences and collect the errors of one file's text."""
    sentences: list[Sentence] = []
    faults: list[TreebankError] = []
    columns: Columns | None = None
    blocks = _split_blocks(text)
    with progress_bar("read", len(blocks), "sent", shown=progress, delay=SECONDS) as advance:
        for block in blocks:
            advance(1)
            declared = find_declarations(block.lines)
            try:
                if declared:
                    place = Place(path, block.line, _sent_id(_sentence_lines(block)))
                    columns = declared_columns(declared, columns, place)
                sentences.append(_read_block(block, path, columns or TEN, how.heads))
                columns = columns or TEN
            except TreebankError as fault:
                _keep(fault, faults, how.on_error)
                known = (columns or TEN).names
                if any(names != known and len(names) == len(known) for _, names in declared):
                    break  # the sentences behind it could be misread
    if not blocks:
        what = f"no sentence in {len(text)} characters" if text else "an empty file"
        hint = "give a CoNLL-U file"
        _keep(TreebankError(what, path=path or "<text>", hint=hint), faults, how.on_error)
    warn_withheld(sentences, path)
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


def _sentence_lines(block: _Block) -> list[tuple[int, str]]:
    """Give the lines of the sentence, without their ends, each with its row in the block."""
    bare = ((row, _bare(line, block.line + row)) for row, line in enumerate(block.lines))
    return [*takewhile(itemgetter(1), islice(bare, block.start, None))]


def _sent_id(lines: Iterable[tuple[int, str]]) -> str | None:
    comments = [line for _, line in lines if line.startswith("#")]
    return _parse(comments).metadata.get("sent_id") if comments else None


def _read_block(block: _Block, path: str | None, columns: Columns, heads_as: Heads) -> Sentence:
    """Check and parse one block; raise `TreebankError` for its first error."""
    lines = _sentence_lines(block)
    tokens = [(row, line) for row, line in lines if not line.startswith("#")]
    sent_id = _sent_id(lines)
    place = Place(path, block.line, sent_id)
    check_characters(block.lines, place)
    check_comments(block.lines, columns, place)
    table = [(row, split_columns(line, row, place, columns)) for row, line in tokens]
    check_ids([(row, cells[ID]) for row, cells in table], place)
    check_not_conllx(table, place)
    is_word = [cells[ID].isdecimal() for _, cells in table]
    if heads_as == "ignore":
        for _, cells in table:
            cells[HEAD] = "_"
    check_heads(list(compress(table, is_word)), place)
    check_no_heads([line for line in table if not line[1][ID].isdecimal()], place)

    # `conllu` strips lines, and takes two spaces for a tab. Neither can touch a line whose spaces
    # are NUL (which `check_characters` refuses) and that ends in a column more than it looks at.
    try:
        parsed = _parse(["\t".join([*cells, "_"]).replace(" ", "\0") for _, cells in table])
    except ParseException as error:
        raise place.fault(
            f"rejected by conllu: {error}", tokens[0][0], "correct the line"
        ) from error
    words = list(compress(parsed, is_word))
    rows = tuple(row for row, _ in compress(table, is_word))
    heads = None if words[0]["head"] is None else [word["head"] for word in words]
    if heads is not None and heads_as == "tree" and (fault := tree_fault(heads)):
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
        columns=() if columns.names == TEN.names else columns.names,
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
                words = range(first, last + 1)
                behind = map(tokens.__getitem__, range(i + 1, len(tokens)))
                inside = islice((t["form"] for t in behind if t["id"] in words), len(words))
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
            blank: dict[str, Any] = {name: None, "read_as": None}
            sentences = [replace(sentence, **blank) for sentence in sentences]
    return sentences
