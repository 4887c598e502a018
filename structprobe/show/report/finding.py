"""What came out of the runs, in a sentence or two for each treebank."""

from __future__ import annotations

from collections.abc import Sequence

from structprobe.errors import counted
from structprobe.show.report.series import Series

MOST = 6  # treebanks of which it is told what came out; of the others the table tells it


def leading(series: Sequence[Series]) -> list[Series]:
    """Give the series that is told of first on each treebank."""
    found: dict[object, Series] = {}
    for one in series:
        if one.layered or len(one.rows) > 1 or len(series) == 1:
            found.setdefault(one.rows[0]["treebank_fingerprint"], one)
    return list(found.values())


def findings(series: Sequence[Series]) -> list[str]:
    """Tell the best run on each treebank, and the chain beside it."""
    banks = {row["treebank_fingerprint"] for one in series for row in one.rows}
    several = len(banks - {None}) > 1
    led = leading(series)
    told = [_finding(one, series, several) for one in led[:MOST]]
    if len(led) > MOST:
        more = counted(len(led) - MOST, "more treebank")
        told.append(f"The table lists the scores on {more}.")
    return told


def _finding(best: Series, series: Sequence[Series], name_bank: bool) -> str:
    row = best.rows[best.best]
    low, high = row["uuas_low"], row["uuas_high"]
    interval = "" if low is None else f" [{100 * low:.1f}, {100 * high:.1f}]"
    share = f"{100 * row['uuas']:.1f}%{interval} of the gold edges (UUAS)"
    name, part = best.names[best.best], row["part"]
    of = f"{'of' if name_bank else 'Of'} {len(best.rows)} {_kind(best, series)}"
    if len(best.rows) == 1:
        told = f"{name} recovers {share} on {part}"
    elif best.chosen_on_dev:
        told = f"{of}, {name} is the best on dev: on {part} it recovers {share}"
    else:
        told = (
            f"{of}, {name} has the highest score on {part}; it was not chosen on dev. It "
            f"recovers {share}"
        )
    bank = f"On {row['treebank']}: " if name_bank else ""
    return f"{bank}{told}{_chain(best, series)}."


def _kind(best: Series, series: Sequence[Series]) -> str:
    """Say what a series goes through, and which series it is where its treebank has others."""
    if not best.layered:
        return "methods"
    bank = best.rows[0]["treebank_fingerprint"]
    alike = [one for one in series if one.layered and one.rows[0]["treebank_fingerprint"] == bank]
    name = best.name.replace(f", {best.rows[0]['treebank']}", "", 1)
    return f"layers of {name}" if len(alike) > 1 else "layers"


def _chain(best: Series, series: Sequence[Series]) -> str:
    """Tell what the linear chain has on the same treebank."""
    first = best.rows[0]
    for row in (row for one in series for row in one.rows):
        alike = all(row[key] == first[key] for key in ("treebank_fingerprint", "punct"))
        if row["method"] == "linear" and alike and row is not best.rows[best.best]:
            return f"; the linear chain has {100 * row['uuas']:.1f}%"
    return ""
