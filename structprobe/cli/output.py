"""How results are printed: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def print_as(text_of: Callable[[Any], str], found: Any, args: argparse.Namespace) -> None:
    """Print what a command found as text or, with ``--json``, as JSON."""
    print(_to_json(found) if args.json else text_of(found))


def _to_json(found: Any) -> str:
    """Write JSON, with its own escapes where stdout cannot encode a character."""
    text = json.dumps(found, ensure_ascii=False, indent=2)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(found, indent=2)
    return text


def print_rows(rows: Sequence[Mapping[str, Any]], args: argparse.Namespace) -> None:
    """Print result rows."""
    from structprobe.show.table import format_table

    print_as(format_table, rows, args)


def one_a_line(values: Sequence[Mapping[str, Any]]) -> str:
    """Write mappings of plain values, one a line."""
    given = ((item for item in one.items() if item[1] not in (None, False, [])) for one in values)
    return "\n".join("  ".join(f"{name}={value}" for name, value in one) for one in given)
