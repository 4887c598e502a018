"""Scores by layer or rank as SVG: a line a series, intervals as bands, baselines dashed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from structprobe.results.rows import METRICS, Row
from structprobe.results.settings import (
    PROTOCOL,
    SETTINGS,
    band_of,
    differing,
    over_seeds,
    protocol_of,
    tell_settings,
)
from structprobe.show.report.elements import Child, Markup, element, figure, join
from structprobe.show.report.series import Series
from structprobe.show.row_labels import SCORES

Scale = Callable[[float], float]

_WIDTH, _HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 122, 12, 34
_LEADER = 16  # from the end of a dashed line to its label
_LETTERS = 12.0  # height of a label
_COLOURS = 7  # in the style sheet
_MOST_BANDS = 7  # more would be a fog
_NAMES = {**SCORES, "selectivity": "Selectivity", "near_word_bias": "Near-word bias"}
_PLAIN = {"near_word_bias"}  # all others are shown in per cent
_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # between the numbers of a plain axis
_MOST_STEPS = 7


def protocol_curves(series: Sequence[Series], metrics: Sequence[str] = METRICS) -> list[Child]:
    """Draw curves by one protocol beside one another, and beside its baselines alone."""
    protocols: dict[object, list[Series]] = {}
    for one in series:
        protocols.setdefault(protocol_of(one.rows[0]), []).append(one)
    apart = differing([row for one in series for row in one.rows], PROTOCOL)
    return [
        [element("h3", ", ".join(tell_settings(own[0].rows[0], apart))) if apart else None, panels]
        for own in protocols.values()
        if (panels := draw_curves(own, metrics)) is not None
    ]


def draw_curves(series: Sequence[Series], metrics: Sequence[str] = METRICS) -> Markup | None:
    """Draw one panel a score, of those that any run on a layer has."""
    if not any(one.layered for one in series):
        return None
    # A run on a layer is no baseline, but a point; so are those of other settings.
    lines = [one for one in series if one.rows[0]["layer"] is not None]
    flat = over_seeds([row for one in series for row in one.rows if row["layer"] is None])
    apart = differing(flat, SETTINGS)
    baselines: dict[str, Row] = {}
    for row in flat:
        name = ", ".join([row["method"], *tell_settings(row, apart)])
        baselines[name if name not in baselines else f"{name} ({row['key']})"] = row
    rows = [row for one in lines for row in one.rows]
    shown = [metric for metric in metrics if any(row[metric] is not None for row in rows)]
    panels = [_panel(metric, lines, baselines) for metric in shown]
    if not panels:
        return None
    named = []
    for at, one in enumerate(lines):
        again = f" (dashes of {3 * (at // _COLOURS)})" if at >= _COLOURS else ""
        swatch = element("span", class_=f"swatch c{at % _COLOURS}")
        named.append(element("li", swatch, f"{one.name}{again}"))
    legend = element("ul", named, class_="legend") if len(lines) > 1 else None
    return join(legend, element("div", panels, class_="panels"))


def _panel(metric: str, lines: Sequence[Series], baselines: Mapping[str, Row]) -> Markup:
    dashed = {name: row for name, row in baselines.items() if row[metric] is not None}
    by = lines[0].by
    known: list[int] = sorted({row[by] for one in lines for row in one.rows})
    # Ranks are mostly powers of two: they stand side by side.
    places: dict[float, float] = {
        value: value if by == "layer" else at for at, value in enumerate(known)
    }
    first, span = places[known[0]], max(1, places[known[-1]] - places[known[0]])
    values = _axis(metric, [*(row for one in lines for row in one.rows), *dashed.values()])
    low, high, unit = values[0], values[-1], _unit(metric)

    def x(value: float) -> float:
        return _LEFT + (places[value] - first) / span * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - unit * value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    heights = {f"{value:g}": y(value / unit) for value in values}
    marks: list[Child] = [_ticks(by, {str(value): x(value) for value in known}, heights)]
    marks += _dashes(dashed, metric, y)
    for draw in (_band, _line) if len(lines) <= _MOST_BANDS else (_line,):
        marks += [draw(one, metric, at, x, y) for at, one in enumerate(lines)]
    told = _told(metric, lines, dashed)
    return figure(_NAMES[metric], marks, f"0 0 {_WIDTH} {_HEIGHT}", told)


def _axis(metric: str, rows: Sequence[Row]) -> list[float]:
    """Choose the numbers on the axis, from its lower end to its upper."""
    values = [end for row in rows for end in (row[metric], *(band_of(row, metric) or ()))]
    known = [_unit(metric) * value for value in values if value is not None]
    span = max(known) - min(known)
    step: float = 10 if span <= 60 else 20
    if metric in _PLAIN:
        step = next((one for one in _STEPS if span <= _MOST_STEPS * one), span)
    first, last = math.floor(min(known) / step), math.ceil(max(known) / step)
    return [round(step * at, 9) for at in range(first, max(last, first + 1) + 1)]


def _unit(metric: str) -> float:
    """Give what a value is multiplied by where it is shown."""
    return 1.0 if metric in _PLAIN else 100.0


def _say(metric: str, value: float) -> str:
    return f"{value:z.2f}" if metric in _PLAIN else f"{100 * value:z.1f}"


def _ticks(by: str, places: Mapping[str, float], heights: Mapping[str, float]) -> Markup:
    marks = []
    for told, height in heights.items():
        at = _px(height)
        marks.append(element("path", d=f"M{_LEFT} {at}H{_WIDTH - _RIGHT}", class_="grid"))
        marks.append(element("text", told, x=_LEFT - 6, y=at, class_="tick left"))
    every, below = math.ceil(len(places) / 13), _HEIGHT - _BOTTOM + 16
    for told in [*places][::every]:
        marks.append(element("text", told, x=_px(places[told]), y=below, class_="tick"))
    middle = _px((_LEFT + _WIDTH - _RIGHT) / 2)
    return join(marks, element("text", by, x=middle, y=_HEIGHT - 4, class_="tick"))


def _dashes(dashed: Mapping[str, Row], metric: str, y: Scale) -> list[Markup]:
    """Draw baselines; a thin line leads from each to its label where that had to move."""
    means = _means(dashed, metric)
    names = [f"{name} {_say(metric, mean)}" for name, mean in means.items()]
    heights = [y(mean) for mean in means.values()]
    places = _spread(heights, _LETTERS, _TOP - 4, _HEIGHT - _BOTTOM + 4)
    end = _WIDTH - _RIGHT
    marks = []
    for told, height, place in zip(names, heights, places, strict=True):
        leader = f"M{end} {_px(height)}L{end + _LEADER - 3} {_px(place)}"
        marks.append(element("path", d=f"M{_LEFT} {_px(height)}H{end}", class_="dashed"))
        marks.append(element("path", d=leader, class_="leader"))
        marks.append(element("text", told, x=end + _LEADER, y=_px(place), class_="tick right"))
    return marks


def _means(dashed: Mapping[str, Row], metric: str) -> dict[str, float]:
    """Give the score of each baseline, the greatest first; of several seeds the mean."""
    shown = {f"{name} (mean)" if row.get("n_seeds") else name: row for name, row in dashed.items()}
    means = {name: row[metric] for name, row in shown.items()}
    return dict(sorted(means.items(), key=lambda one: -one[1]))


def _spread(wanted: Sequence[float], apart: float, first: float, last: float) -> list[float]:
    """Place labels in order between two ends, as near to where they are wanted as can be."""
    # Where labels touch they move as one block to the mean of what they want (least squares).
    blocks: list[list[float]] = []
    for rank, place in enumerate(wanted):
        blocks.append([place - apart * rank])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    starts = [fmean(block) for block in blocks for _ in block]
    latest = last - apart * (len(wanted) - 1)
    return [max(first, min(start, latest)) + apart * rank for rank, start in enumerate(starts)]


def _band(one: Series, metric: str, at: int, x: Scale, y: Scale) -> Markup | None:
    bands = [(row[one.by], band) for row in one.rows if (band := band_of(row, metric))]
    if len(bands) < 2:
        return None
    corners = [(place, high) for place, (_, high) in bands]
    corners += [(place, low) for place, (low, _) in reversed(bands)]
    points = " ".join(f"{_px(x(place))},{_px(y(value))}" for place, value in corners)
    return element("polygon", points=points, class_=f"band c{at % _COLOURS}")


def _line(one: Series, metric: str, at: int, x: Scale, y: Scale) -> Markup:
    """Draw the line of a series, a point a run that tells its number."""
    rows = [row for row in one.rows if row[metric] is not None]
    points = [(x(row[one.by]), y(row[metric])) for row in rows]
    dots = []
    for row, (px, py) in zip(rows, points, strict=True):
        told = f"{one.name}, {one.by} {row[one.by]}: {_NAMES[metric]} {_say(metric, row[metric])}"
        spread = row.get(f"{metric}_sd")
        told += "" if spread is None else f" ± {_say(metric, spread)}"
        dots.append(element("circle", element("title", told), cx=_px(px), cy=_px(py), r=3))
    path = " ".join(f"{_px(px)},{_px(py)}" for px, py in points)
    dashes = None if at < _COLOURS else f"{3 * (at // _COLOURS)} 2"  # where colours come again
    line = element("polyline", points=path, stroke_dasharray=dashes)
    return element("g", line, dots, class_=f"line c{at % _COLOURS}")


def _told(metric: str, lines: Sequence[Series], dashed: Mapping[str, Row]) -> str:
    told = []
    for one in lines:
        rows = [row for row in one.rows if row[metric] is not None]
        if rows:
            ends = rows[0], max(rows, key=lambda row: row[metric]), rows[-1]
            first, best, last = (
                f"{_say(metric, row[metric])} at {one.by} {row[one.by]}" for row in ends
            )
            told.append(
                f"{one.name}: {first}, highest {best}, {last}"
                if one.layered
                else f"{one.name}: {first}"
            )
    told += [f"{name} {_say(metric, mean)}" for name, mean in _means(dashed, metric).items()]
    curves = "; ".join(told)
    unit = "" if metric in _PLAIN else " in per cent"
    by = lines[0].by
    return f"{_NAMES[metric]} by {by}{unit}. {curves}. The table lists all the numbers."


def _px(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
