"""What came out of the runs, in a sentence or two for each treebank."""

from __future__ import annotations

from collections.abc import Sequence

from structprobe.errors import counted
from structprobe.results.rows import Row
from structprobe.results.settings import (
    PROTOCOL,
    differing,
    protocol_of,
    tell_seeds,
    tell_settings,
)
from structprobe.show.report.series import Series

MOST = 6  # treebanks of which it is told what came out; of the others the table tells it


def leading(series: Sequence[Series]) -> list[Series]:
    """Give the series that is told of first on each treebank, by each protocol."""
    found: dict[object, Series] = {}
    for one in series:
        several = one.layered or len(one.rows) > 1 or len(series) == 1
        if several and not one.is_control:
            found.setdefault(protocol_of(one.rows[0]), one)
    return list(found.values())


def findings(series: Sequence[Series]) -> list[str]:
    """Tell the best run on each treebank, and the chain beside it."""
    led = leading(series)
    # What of a protocol is told: that in which the runs differ.
    apart = differing([row for one in series for row in one.rows], PROTOCOL)
    told = [_finding(one, series, apart) for one in led[:MOST]]
    if len(led) > MOST:
        more = counted(len(led) - MOST, "more treebank")
        told.append(f"The table lists the scores on {more}.")
    return told


def _finding(best: Series, series: Sequence[Series], apart: Sequence[str]) -> str:
    row = best.rows[best.best]
    bank = ", ".join(tell_settings(row, apart))
    name, part = best.names[best.best], row["part"]
    share = f"{_share(row)} of the gold edges (UUAS)"
    of = f"{'of' if bank else 'Of'} {len(best.rows)} {_kind(best, series)}"
    if len(best.rows) == 1:
        told = f"{name} recovers {share} on {part}"
    elif best.chosen_on_dev:
        told = f"{of}, {name} is the best on dev: on {part} it recovers {share}"
    else:
        told = (
            f"{of}, {name} has the highest score on {part}; it was not chosen on dev. It "
            f"recovers {share}"
        )
    return f"{f'On {bank}: ' if bank else ''}{told}{_chain(best, series)}."


def _share(row: Row) -> str:
    """Tell the share of edges, with its deviation over seeds and its interval over sentences."""
    share = f"{100 * row['uuas']:.1f}%"
    low, high = row["uuas_low"], row["uuas_high"]
    interval = "" if low is None else f"[{100 * low:.1f}, {100 * high:.1f}]"
    if seeds := tell_seeds([row]):
        share += f" ± {100 * row['uuas_sd']:.1f} (mean and standard deviation over {seeds})"
    return f"{share} {interval}".rstrip()


def _kind(best: Series, series: Sequence[Series]) -> str:
    """Say what a series goes through, and which series it is where its treebank has others."""
    if not best.layered:
        return "methods"
    first = best.rows[0]
    layered = [one for one in series if one.layered and not one.is_control]
    alike = [one for one in layered if _comparable(one.rows[0], first)]
    name = best.name.replace(f", {first['treebank']}", "", 1)
    return f"layers of {name}" if len(alike) > 1 else "layers"


def _chain(best: Series, series: Sequence[Series]) -> str:
    """Tell what the linear chain has on the same treebank."""
    for row in (row for one in series for row in one.rows):
        alike = row["method"] == "linear" and _comparable(row, best.rows[0])
        if alike and row is not best.rows[best.best]:
            return f"; the linear chain has {100 * row['uuas']:.1f}%"
    return ""


def _comparable(row: Row, other: Row) -> bool:
    return protocol_of(row) == protocol_of(other)
