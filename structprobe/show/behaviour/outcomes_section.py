"""The section of the report about many models: what probes find beside what models do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.results.outcomes import accuracies
from structprobe.show.behaviour.outcomes_table import name_of, outcome_cells, outcome_notes
from structprobe.show.report.elements import Child, Markup, element, figure, note, section
from structprobe.show.report.elements import text_table as make_table

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 250, 40, 110, 12, 40
_TENS = 10  # per cent between the lines of the grid


def outcomes_section(outcomes: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Show the table of models, and UUAS against accuracy for each suite."""
    asked = [one for one in outcomes if one["behaviour"] and one["uuas"] is not None]
    if not asked:
        return None
    told: list[Child] = [make_table("Models, one a line", outcome_cells(outcomes))]
    suites = dict.fromkeys(suite for one in asked for suite, _ in accuracies(one))
    panels = [_scatter(suite, asked) for suite in suites]
    told.append(element("div", panels, class_="panels"))
    return section("outcomes", "Probe and behaviour", [*told, *map(note, outcome_notes(outcomes))])


def _scatter(suite: str, outcomes: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Draw a point a model: UUAS to the right, accuracy upwards, both with their intervals."""
    points = {}
    for one in outcomes:
        scored = accuracies(one).get((suite, "all"))
        if scored is not None:
            points[name_of(one)] = (_ends(one, "uuas"), _ends(scored, "accuracy"))
    if not points:
        return None
    spans = []
    for axis in (0, 1):
        ends = [value for both in points.values() for value in both[axis]]
        low, high = min(ends) // _TENS * _TENS, -(-max(ends) // _TENS) * _TENS
        spans.append((low, max(high, low + _TENS)))
    (left, right), (bottom, top) = spans

    def x(value: float) -> float:
        return round(_LEFT + (value - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(_TOP + (top - value) / (top - bottom) * (_HEIGHT - _TOP - _BOTTOM), 1)

    marks: list[Child] = []
    for value in range(int(bottom), int(top) + 1, _TENS):
        marks.append(element("path", d=f"M{_LEFT} {y(value)}H{_WIDTH - _RIGHT}", class_="grid"))
        marks.append(element("text", str(value), x=_LEFT - 6, y=y(value), class_="tick left"))
    for value in range(int(left), int(right) + 1, _TENS):
        place = {"x": x(value), "y": _HEIGHT - _BOTTOM + 16}
        marks.append(element("text", str(value), **place, class_="tick"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    marks.append(element("text", "UUAS", x=middle, y=_HEIGHT - 6, class_="tick"))
    for at, (name, (uuas, accuracy)) in enumerate(points.items()):
        cross = f"M{x(uuas[0])} {y(accuracy[1])}H{x(uuas[2])}"
        cross += f"M{x(uuas[1])} {y(accuracy[0])}V{y(accuracy[2])}"
        said = f"{name}: UUAS {uuas[1]:.1f}, accuracy {accuracy[1]:.1f}"
        dot = element("circle", element("title", said), cx=x(uuas[1]), cy=y(accuracy[1]), r=3)
        label = element("text", name, x=x(uuas[1]) + 7, y=y(accuracy[1]) - 7, class_="tick right")
        marks.append(element("g", element("path", d=cross), dot, class_=f"line c{at % 7}"))
        marks.append(label)
    told = "; ".join(f"{name} {u[1]:.1f} and {a[1]:.1f}" for name, (u, a) in points.items())
    caption = f"UUAS and accuracy: {suite}"
    said = f"{caption}, in per cent. {told}. The table lists the numbers."
    return figure(caption, marks, f"0 0 {_WIDTH} {_HEIGHT}", said)


def _ends(row: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    """Give a share in per cent between the bounds of its interval."""
    value = 100 * row[key]
    low, high = (row.get(f"{key}{end}") for end in ("_low", "_high"))
    return (value if low is None else 100 * low, value, value if high is None else 100 * high)
