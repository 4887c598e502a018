"""The picture of a saved probe's card: the dev loss during training."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from structprobe.draw.palette import STROKES

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 84, 36, 40  # margins, for numbers and names

_LINES = {"distance": STROKES["right"], "depth": STROKES["wrong"]}
# The colours are made for a white background and lightened on a dark one. The background is drawn,
# as the dark theme of a site may differ from the reader's preference, which the picture follows.
_STYLE = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#999}.ground{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.ground{fill:#1b1f24}"
    ".line{filter:brightness(1.6)}}"
)


def training_curve(history: Mapping[str, Any]) -> str | None:
    """Draw the L1 loss on dev by step: one line per kind of probe, with a dot at the minimum."""
    points = {}
    for kind in _LINES:
        evaluations = (history.get(kind) or {}).get("evaluations") or ()
        known = [one for one in evaluations if one.get("dev_loss") is not None]
        if len(known) > 1:
            points[kind] = [(one["step"], one["dev_loss"]) for one in known]
    if not points:
        return None
    last, highest = (max(column) for column in zip(*chain(*points.values()), strict=True))
    if not 0 < highest < float("inf") or last <= 0:
        return None

    def place(step: float, loss: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / last
        return round(x, 1), round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * loss / highest, 1)

    lowest_losses = ", ".join(
        f"{kind} {min(loss for _, loss in some):.3f}" for kind, some in points.items()
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>L1 loss on dev by training step; the lowest: {lowest_losses}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        *_axes(place, last, highest),
    ]
    for kind, some in points.items():
        stroke = _LINES[kind]
        dashes = ",".join(map(str, stroke.dashes))
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in some))
        parts.append(
            f'<polyline class="line" points="{path}" fill="none" stroke="{stroke.colour}" '
            f'stroke-width="2" stroke-dasharray="{dashes or "none"}"/>'
        )
        x, y = place(*min(some, key=lambda point: point[1]))
        parts.append(f'<circle class="line" cx="{x}" cy="{y}" r="4" fill="{stroke.colour}"/>')
    parts += _names(points, place)
    return "\n".join([*parts, "</svg>\n"])


def _axes(place: Any, last: int, highest: float) -> list[str]:
    """Draw both axes with the numbers at their ends."""
    (x, y), (right, _), (_, top) = place(0, 0), place(last, 0), place(0, highest)
    return [
        f'<path class="axis" d="M{x},{top}V{y}H{right}" fill="none"/>',
        f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">0</text>',
        f'<text x="{x - 6}" y="{top + 4}" text-anchor="end">{highest:.2f}</text>',
        f'<text x="{x}" y="{y + 16}" text-anchor="middle">0</text>',
        f'<text x="{right}" y="{y + 16}" text-anchor="middle">{last:,}</text>',
        f'<text x="{x}" y="{top - 16}" text-anchor="start">L1 loss on dev</text>',
        f'<text x="{(x + right) / 2}" y="{y + 30}" text-anchor="middle">training step</text>',
    ]


def _names(points: Mapping[str, list[tuple[int, float]]], place: Any) -> list[str]:
    """Write the name of each line at its end, without overlaps."""
    ends = sorted((place(*some[-1])[1], kind) for kind, some in points.items())
    names, lowest = [], -float("inf")
    for y, kind in ends:
        lowest = max(y, lowest + 14)
        names.append(f'<text x="{WIDTH - RIGHT + 8}" y="{lowest + 4}">{kind}</text>')
    return names
