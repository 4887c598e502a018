"""Which systems differ, as plain tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.scores.protocol import Protocol
from structprobe.show.row_labels import SCORES
from structprobe.show.table import NOTHING, lay_out

_TESTS = {"bootstrap": ("Paired bootstrap", "resample"),
          "randomisation": ("Approximate randomisation", "random swap")}  # fmt: skip
_CORRECTIONS = {"holm": "Holm", "bh": "Benjamini and Hochberg"}


def format_significance(tables: Sequence[Mapping[str, Any]]) -> str:
    """Lay out what `structprobe.results.significance.SignificanceTable.to_dict` gives."""
    return "\n\n".join(map(_format_one, tables))


def _format_one(table: Mapping[str, Any]) -> str:
    systems, pairs = table["systems"], table["pairs"]
    spread = any(one["sd"] is not None for one in systems)
    seeds = [str(len(one["keys"])) for one in systems]
    keys = [key for key in ("chosen",) if any(one[key] for one in systems)]
    heading = ["", SCORES[table["metric"]], *["seeds"] * spread, "letters", *keys]
    lines = [
        [one["name"], _value(one), *[n] * spread, one["letters"],
         *(one[key] or NOTHING for key in keys)]
        for one, n in zip(systems, seeds, strict=True)
    ]  # fmt: skip
    to_left = [True, False, *[False] * spread, True, *(True for _ in keys)]
    of_pairs = [["pair", "difference", "interval", "p", "p corrected", "differs"]]
    of_pairs += [
        [f"{one['a']} – {one['b']}", points(one["difference"]), _interval(one),
         p_value(one["p_value"]), p_value(one["p_corrected"]), "yes" if one["differs"] else "no"]
        for one in pairs
    ]  # fmt: skip
    return "\n".join(
        [
            _heading(table),
            *lay_out([heading, *lines], to_left),
            "",
            *lay_out(of_pairs, [True, False, False, False, False, True]),
            *lines_below(table),
        ]
    )


def _heading(table: Mapping[str, Any]) -> str:
    return f"{table['name']}: {counted(table['n_sentences'], 'sentence')}"


def lines_below(table: Mapping[str, Any]) -> list[str]:
    """Tell what the letters mean, and by which test and protocol."""
    spread = any(one["sd"] is not None for one in table["systems"])
    level, (test, draw) = table["level"], _TESTS[table["test"]]
    corrected = f"corrected for {counted(len(table['pairs']), 'pair')}"
    by = _CORRECTIONS.get(table["correction"])
    corrected = f"{corrected} after {by}" if by else f"not {corrected}"
    protocol = Protocol(*(table[key] for key in ("punct", "min_length", "max_length")))
    ranked = table["metric"] in ("dspr", "nspr")
    over_seeds = "; ± one standard deviation over seeds" if spread else ""
    return [
        f"Systems that share a letter do not differ at the {100 * (1 - level):g}% level.",
        f"{test} over sentences, {counted(table['n'], draw)}; p-values {corrected}.",
        f"In per cent; {protocol.describe(correlations=ranked)}; {100 * level:g}% bootstrap "
        f"intervals over sentences in brackets, not corrected for the number of pairs{over_seeds}.",
    ]


def _value(system: Mapping[str, Any]) -> str:
    spread = "" if system["sd"] is None else f" ± {100 * system['sd']:z.1f}"
    return f"{100 * system['value']:z.1f}{spread} {_interval(system)}"


def _interval(ends: Mapping[str, Any]) -> str:
    return f"[{100 * ends['low']:z.1f}, {100 * ends['high']:z.1f}]"


def points(difference: float) -> str:
    """Write a difference of scores in points of per cent."""
    return f"{100 * difference:+z.1f}"


def p_value(value: float) -> str:
    """Write a p-value, which is never 0."""
    return f"{value:z.4f}" if value >= 0.0001 else "<0.0001"
