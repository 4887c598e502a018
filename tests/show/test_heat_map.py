"""Heat maps: what is drawn is what was given; without matplotlib one clear line."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from structprobe.errors import StructprobeError
from structprobe.show.pictures.heat_map import draw_heat_map, heat_maps, save_heat_maps

TABLE = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, np.nan]])


def test_what_is_drawn() -> None:
    pytest.importorskip("matplotlib")
    axes = draw_heat_map(TABLE, title="nsubj")
    (image,) = axes.get_images()
    assert image.get_array().filled(-1) == pytest.approx(np.array([[10, 20, 30], [40, 50, -1]]))
    assert image.get_extent() == [0.5, 3.5, 0.5, 2.5]  # head 1 to 3, layer 1 at the bottom
    assert image.origin == "lower"
    assert image.get_clim() == (0, 50)
    assert (axes.get_title(), axes.get_xlabel(), axes.get_ylabel()) == ("nsubj", "head", "layer")
    again = draw_heat_map(TABLE / 2, ax=axes)
    assert again is axes
    assert len(axes.get_images()) == 2


def test_a_page() -> None:
    pytest.importorskip("matplotlib")
    page = heat_maps({f"table {number}": TABLE for number in range(6)})
    ElementTree.fromstring(page)
    assert page == heat_maps({f"table {number}": TABLE for number in range(6)})
    assert page.count('id="axes_') == 12  # six maps, six scales, and no empty ones


def test_bad_input() -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(StructprobeError, match=r"values of shape \(3,\); give one for each layer"):
        draw_heat_map([1, 2, 3])
    with pytest.raises(StructprobeError, match="no tables to draw"):
        heat_maps({})


def test_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(StructprobeError, match=r"pip install 'structprobe\[plot\]'"):
        draw_heat_map(TABLE)
    save_heat_maps(None, tmp_path / "new")
    assert "no heat maps: figures need matplotlib" in caplog.text
    assert not (tmp_path / "new").exists()
