"""Probes of some treebanks on the test sets of others, as plain matrices for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from structprobe.show.row_labels import SCORES, protocols_of
from structprobe.show.table import NOTHING, lay_out

_METRICS = ("uuas", "dspr", "root_acc")
_LINEAR, _ALL = "linear", "all"
_MOST_NAMED = 3  # cells of which a warning holds

Cells = Mapping[tuple[str, str], Mapping[str, Any]]


def format_transfer(values: Mapping[str, Any]) -> str:
    """Lay out what `Transfer.values` gives."""
    tested, trained = values["tested_on"], values["trained_on"]
    rows: Cells = {(one["trained_on"], one["tested_on"]): one for one in values["rows"]}
    drops: Cells = {
        (one["trained_on"], one["tested_on"]): one
        for one in values["drops"]
        if one["metric"] == "uuas"
    }
    lines = []
    for metric in _METRICS:
        lines += [*_scores(metric, rows, trained, tested), ""]
    if drops:
        losing = [name for name in trained if any(name == a for a, _ in drops)]
        columns = [name for name in tested if any(name == b for _, b in drops)]
        told = "Drop in UUAS: of the probe trained on the same treebank, minus that of this probe"
        keys = "value", "low", "high"
        cells = [
            [a, *(_with_interval(*(drops.get((a, b), {}).get(key) for key in keys))
                  for b in columns)]
            for a in losing
        ]  # fmt: skip
        lines += [told, *_laid_out(["trained on", *columns], cells), ""]
    for kind in ("distance", "depth"):
        lines += _angles(kind, values["angles"])
    return "\n".join([*lines, *_lines_below(values, rows)])


def _scores(
    metric: str, rows: Cells, trained: Sequence[str], tested: Sequence[str]
) -> Iterable[str]:
    """Lay out the matrix of a score, with the mean over the other treebanks."""
    cells = []
    for name in (*trained, _LINEAR):
        others = [rows[name, test][metric] for test in tested
                  if test != name and (name, test) in rows]  # fmt: skip
        whole = name not in (_LINEAR, _ALL) and None not in others
        mean = f"{100 * fmean(others):z.1f}" if whole else NOTHING
        cells.append([name, *(_score(metric, rows.get((name, test))) for test in tested), mean])
    return [SCORES[metric], *_laid_out(["trained on", *tested, "mean of others"], cells)]


def _laid_out(heading: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    return lay_out([heading, *cells], [True, *(False for _ in heading[1:])])


def _score(metric: str, row: Mapping[str, Any] | None) -> str:
    keys = metric, f"{metric}_low", f"{metric}_high"
    return _with_interval(*((row or {}).get(key) for key in keys))


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return NOTHING
    shown = "" if low is None or high is None else f" [{100 * low:z.1f}, {100 * high:z.1f}]"
    return f"{100 * value:z.1f}{shown}"


def _angles(kind: str, angles: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lay out the mean angles of each two probes of a kind."""
    halves = any(one["halves"] for one in angles)  # as many sentences on the diagonal and off it
    own = {(one["a"], one["b"]): one for one in angles
           if one["kind"] == kind and one["halves"] == halves}  # fmt: skip
    if not own:
        return []
    names = list(dict.fromkeys(name for pair in own for name in pair))
    cells = []
    for a in names:
        both = [own.get((a, b)) or own.get((b, a)) for b in names]
        cells.append([a, *(NOTHING if one is None else f"{one['mean']:z.1f}" for one in both)])
    chance = sorted({f"{one['chance']:z.1f}" for one in own.values()})
    told = f"Mean angle between the subspaces of {kind} probes, in degrees"
    told += f" (of random subspaces: {' to '.join(dict.fromkeys((chance[0], chance[-1])))})"
    return [told, *_laid_out(["", *names], cells), ""]


def _lines_below(values: Mapping[str, Any], rows: Cells) -> list[str]:
    """Say how the scores were taken, why some are missing, and what is doubtful."""
    reasons: dict[str, list[tuple[str, str]]] = {}
    doubts: dict[str, list[tuple[str, str]]] = {}
    for cell, row in rows.items():
        if row["why_empty"]:
            reasons.setdefault(row["why_empty"], []).append(cell)
        for text in row["warnings"] or () if cell[0] != _LINEAR else ():
            doubts.setdefault(text, []).append(cell)
    first = next(iter(rows.values()))
    below = [
        f"Rows: training sets of the probes; columns: test sets; linear: the linear chain. Layer "
        f"{values['layer']}, rank {values['rank']}, seed {values['seed']}; 95% bootstrap intervals "
        "over sentences in brackets.",
        "Only edges, distances and roots are compared, no relations.",
    ]
    below += [f"In per cent; {one.describe()}." for one in protocols_of(rows.values())]
    if values["angles"]:
        below.append(
            "Angles are measured after whitening the word vectors of the two training sets "
            "together; 0 degrees: the two subspaces are the same."
        )
        if any(one["halves"] for one in values["angles"]):
            below.append(
                "Angles are between probes trained on random halves of the training sets; on the "
                "diagonal, between the two halves of one training set, as a reference."
            )
    elif first["rank"] is not None and len(values["trained_on"]) > 1:
        below.append("No angles: at full rank, all subspaces are the same; choose a lower rank.")
    probes = Counter(name for name, _ in rows if name != _LINEAR)
    below += [f"No scores of {_named(cells, probes)}: {why}" for why, cells in reasons.items()]
    below += [f"Warning: {text}." for text in values["warnings"]]
    below += [f"Warning ({_named(cells, probes)}): {text}." for text, cells in doubts.items()]
    return below


def _named(cells: Sequence[tuple[str, str]], probes: Mapping[str, int]) -> str:
    """Name cells, whole rows by the probe alone."""
    own = Counter(name for name, _ in cells)
    if sum(probes[name] for name in own) == len(cells):
        told = [*own] if len(own) < len(probes) else ["all probes"]
    else:
        told = [f"{a} on {b}" for a, b in cells]
    more = f" and {len(told) - _MOST_NAMED} more" if len(told) > _MOST_NAMED else ""
    return ", ".join(told[:_MOST_NAMED]) + more
