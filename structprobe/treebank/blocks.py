"""Splitting a CoNLL-U file into one block of lines per sentence, losing nothing."""

from __future__ import annotations

import io
from dataclasses import dataclass

BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one sentence."""

    line: int  # The line of the file, counted from 1, of the first of `lines`
    lines: list[str]  # The lines as read, endings included, and the blank lines behind them
    start: int


def bare(line: str, number: int) -> str:
    """Take its ending off a line, and off line 1 of a file a byte order mark in front."""
    return (line.removeprefix(BOM) if number == 1 else line).rstrip("\r\n")


def split_blocks(text: str) -> list[Block]:
    """Split a text into blocks that, joined, reproduce it."""
    lines = list(io.StringIO(text, newline="\n"))
    blocks: list[Block] = []
    first = run = start = 0  # where the block, its last run of lines, and its sentence begin
    has_token = after_blank = False
    for i, line in enumerate(lines):
        content = bare(line, i + 1)
        if not content:
            after_blank = True
            continue
        if after_blank:
            after_blank = False
            run = i
            if has_token:
                blocks.append(Block(first + 1, lines[first:i], start - first))
                first, has_token = i, False
        if not content.startswith("#"):
            has_token, start = True, run
    if has_token:
        blocks.append(Block(first + 1, lines[first:], start - first))
    elif blocks:
        blocks[-1].lines.extend(lines[first:])
    return blocks
