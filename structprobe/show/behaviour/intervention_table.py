"""What interventions change, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.row_labels import short_model
from structprobe.show.table import NOTHING, lay_out

SHARES = ("accuracy", "UUAS", "high attachment")
WHAT = (
    "Each line: a measure of the untouched model, the same with a subspace removed from the words "
    "of a layer, and the difference with its 95% bootstrap interval, paired by sentence or pair. "
    "Random: mean difference over random subspaces of equal rank and raw variance, with the lowest "
    "and highest of them; beyond random: what the difference adds to that mean, with its interval. "
    "An effect that is not beyond random is none of what was removed."
)
_UNITS = (
    "Accuracy (of minimal pairs), UUAS and high attachment (share of sentences in which the verb "
    "is preferred) are in per cent; margins and log-odds in nats."
)
_HEADINGS = ("removed", "measure", "of", "untouched", "value", "difference", "random",
             "beyond random", "n")  # fmt: skip
_TEXTS = ("removed", "measure", "of")


def format_interventions(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay out the rows of `read_interventions`: by measure, each removal with its controls."""
    cells = intervention_cells(rows)
    return "\n".join([*lay_out(cells, [name in _TEXTS for name in cells[0]]), *below(rows)])


def intervention_cells(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Give the cells of the table, the first line its head; indented names are controls."""
    cells = [[*_HEADINGS]]
    for measure, phenomenon in dict.fromkeys((row["measure"], row["phenomenon"]) for row in rows):
        own = [row for row in rows if (row["measure"], row["phenomenon"]) == (measure, phenomenon)]
        for row in own:
            if row["control_of"] is None:
                cells += _lines(row, own)
    several = any(line[2] != NOTHING for line in cells[1:])
    kept = [k for k, name in enumerate(_HEADINGS) if several or name != "of"]
    return [[line[k] for k in kept] for line in cells]


def _lines(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Write the line of a removal, and those of its controls but the random ones."""
    beside = [one for one in rows if one["control_of"] == row["intervention"]]
    random = [one["difference"] for one in beside
              if one["intervention"] == "random" and one["difference"] is not None]  # fmt: skip
    told = NOTHING
    if random:
        mean = sum(random) / len(random)
        told = f"{_number(row, mean)} [{_number(row, min(random))}, {_number(row, max(random))}]"
    found = [_cells(row, row["intervention"], told)]
    others = [one for one in beside if one["intervention"] != "random"]
    return found + [_cells(one, f"  {one['intervention']}", NOTHING) for one in others]


def _cells(row: Mapping[str, Any], name: str, random: str) -> list[str]:
    """Write one line."""
    shown = [_number(row, row[key]) for key in ("untouched", "value")]
    return [
        name,
        row["measure"],
        row["phenomenon"] or NOTHING,
        *shown,
        _with_interval(row, "difference", "low", "high"),
        random,
        _with_interval(row, "beyond_random", "beyond_random_low", "beyond_random_high"),
        f"{row['n']:,}",
    ]


def _with_interval(row: Mapping[str, Any], *keys: str) -> str:
    value, low, high = (row[key] for key in keys)
    if value is None:
        return NOTHING
    told = _number(row, value)
    if low is None:
        return told
    return f"{told} [{_number(row, low)}, {_number(row, high)}]"


def _number(row: Mapping[str, Any], value: float | None) -> str:
    """Write a value of a measure: shares in per cent."""
    if value is None:
        return NOTHING
    return f"{100 * value:z.1f}" if row["measure"] in SHARES else f"{value:z.2f}"


def below(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell what the numbers are, what was left alone, and why rows are empty."""
    removed = [row for row in rows if row["control_of"] is None]
    told = [WHAT, _UNITS]
    for name in dict.fromkeys(row["intervention"] for row in removed):
        row = next(one for one in removed if one["intervention"] == name)
        variance = f"{100 * row['variance']:.1f}% of the variance of words"
        sinks = f"; {row['n_sinks']:,} attention sinks were left alone" if row["n_sinks"] else ""
        where = f"layer {row['layer']} of {short_model(str(row['model']))}"
        told.append(f"Removed from {where}: {name}, rank {row['rank']}, {variance}{sinks}.")
    empty = dict.fromkeys((row["measure"], row["phenomenon"], row["why_empty"]) for row in rows)
    for measure, phenomenon, why in empty:
        if why:
            of = f" of {phenomenon}" if phenomenon else ""
            told.append(f"{measure}{of}: no value: {why}.")
    return told
