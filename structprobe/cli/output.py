"""How results are printed: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structprobe.attention.head_analysis import HeadAnalysis


def print_rows(rows: Sequence[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print result rows as a table or, with ``--json``, as a JSON array."""
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    from structprobe.show.table import format_table

    print(format_table(rows))


def print_plain(values: Sequence[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print mappings of plain values, one a line, or, with ``--json``, as a JSON array."""
    if args.json:
        print(json.dumps(values, ensure_ascii=False, indent=2))
        return
    for one in values:
        given = {name: value for name, value in one.items() if value not in (None, False, [])}
        print("  ".join(f"{name}={value}" for name, value in given.items()))


def print_plans(plans: Sequence[dict[str, Any]], args: argparse.Namespace) -> None:
    """Print what sweeps will cost as a few lines each or, with ``--json``, as a JSON array."""
    if args.json:
        print(json.dumps(plans, indent=2))
        return
    from structprobe.show.cost_table import format_plan

    print("\n\n".join(map(format_plan, plans)))


def print_heads(analysis: HeadAnalysis, args: argparse.Namespace) -> None:
    """Print what heads do as tables or, with ``--json``, as a JSON object."""
    if args.json:
        print(json.dumps(analysis.to_dict(), ensure_ascii=False, indent=2))
        return
    from structprobe.show.head_tables import format_heads

    print(format_heads(analysis))


def progress_of(args: argparse.Namespace) -> bool | None:
    """Tell whether bars are drawn: not when quiet, else where stderr is a terminal."""
    return False if args.quiet else None
