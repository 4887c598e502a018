"""Colours of pictures are told apart by eyes that lack one kind of cone."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from structprobe.draw.palette import STROKES
from structprobe.show.pictures.style import COLOURS
from structprobe.show.report.page import asset

# Machado, Oliveira & Fernandes (2009), severity 1: what eyes see, in linear RGB.
SEEN = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = XYZ.sum(axis=1)


def lab(colour, seen):
    """CIE L*a*b* of a colour as some eyes see it."""
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(XYZ @ np.clip(np.asarray(seen) @ linear, 0, 1) / WHITE)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_colours_differ(seen) -> None:
    # A difference of some 2.3 is just seen; side by side in thin lines several times that.
    for one, other in combinations(COLOURS, 2):
        assert np.linalg.norm(lab(one, seen) - lab(other, seen)) > 8
    styles = [STROKES[name] for name in ("right", "missed", "wrong")]
    for one, other in combinations(styles, 2):
        assert np.linalg.norm(lab(one.colour, seen) - lab(other.colour, seen)) > 15
        assert one.dashes != other.dashes


def luminance(colour):
    """Relative luminance of a colour (WCAG 2)."""
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ XYZ[1]


@pytest.mark.parametrize(("scheme", "least"), [("light", 3.0), ("dark", 4.5)])
def test_arcs_of_the_pages_show_and_differ(scheme: str, least: float) -> None:
    # Lines need 3 against their ground (WCAG 1.4.11); those of the dark scheme have that of text.
    place = ("light", "dark").index(scheme)
    block = re.findall(r":root \{(.*?)\}", asset("style.css"), re.DOTALL)[place]
    colours = dict(re.findall(r"--(\w+): (#\w{6});", block))
    arcs = [colours[name] for name in ("right", "missed", "wrong")]
    for one in arcs:
        low, high = sorted([luminance(one), luminance(colours["paper"])])
        assert (high + 0.05) / (low + 0.05) >= least
    for seen in SEEN.values():
        for one, other in combinations(arcs, 2):
            assert np.linalg.norm(lab(one, seen) - lab(other, seen)) > 15
