"""How results are printed: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from structprobe.errors import JOINERS, escaped


@contextmanager
def printing() -> Iterator[None]:
    """Name the place in an error of printing; what is long is written before the end."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or "standard output"
        raise


def print_as(text_of: Callable[[Any], str], found: Any, args: argparse.Namespace) -> None:
    """Print what a command found as text or, with ``--json``, as JSON."""
    text = to_json(found, indent=2) if args.json else escaped(text_of(found), keep="\n")
    with printing():
        print(text)


def to_json(found: Any, indent: int | None = None) -> str:
    """Write JSON, with its own escapes for what stdout cannot encode, or a terminal acts on."""
    text = json.dumps(found, ensure_ascii=False, indent=indent)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(found, indent=indent)
    return text if text.isprintable() else "".join(map(_in_json, text))


def _in_json(char: str) -> str:
    return char if char.isprintable() or char in f"\n{JOINERS}" else json.dumps(char)[1:-1]


def print_rows(rows: Sequence[Mapping[str, Any]], args: argparse.Namespace) -> None:
    """Print result rows."""
    from structprobe.show.table import format_table

    print_as(format_table, rows, args)


def one_a_line(values: Sequence[Mapping[str, Any]]) -> str:
    """Write mappings of plain values, one a line."""
    given = ((item for item in one.items() if item[1] not in (None, False, [])) for one in values)
    return "\n".join("  ".join(f"{name}={value}" for name, value in one) for one in given)
