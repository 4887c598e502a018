"""matplotlib, loaded when it is needed, and its fonts for any script."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from structprobe.errors import StructprobeError

_log = logging.getLogger(__name__)


def load_matplotlib() -> Any:
    """Import matplotlib."""
    try:
        import matplotlib
    except ImportError as error:
        raise StructprobeError(
            "figures need matplotlib, which is not installed",
            hint="install it with: pip install 'structprobe[plot]'",
        ) from error
    return matplotlib


def fonts_for(texts: Iterable[str]) -> list[str]:
    """Name installed fonts that have all letters of some texts, as far as there are any."""
    load_matplotlib()
    from matplotlib.font_manager import findfont
    from matplotlib.ft2font import FT2Font

    found = ["DejaVu Sans"]  # which comes with matplotlib
    missing = set(map(ord, "".join(texts))) - set(FT2Font(findfont(found[0])).get_charmap())
    for font in _further_fonts() if missing else ():
        there = missing & set(FT2Font(font.fname).get_charmap())
        if there:
            missing -= there
            found.append(font.name)
        if not missing:
            break
    if missing:
        _log.warning("no installed font has %s", " ".join(f"U+{c:04X}" for c in sorted(missing)))
    return found


def _further_fonts() -> Iterator[Any]:
    """Go through upright fonts, those that matplotlib knows first, then those it has not seen."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    known = {font.fname for font in fontManager.ttflist}
    yield from _upright(fontManager.ttflist)
    # Its list is kept from one time to the next, and fonts may have come since.
    for path in sorted(findSystemFonts()):
        if path not in known:
            before = len(fontManager.ttflist)
            try:
                fontManager.addfont(path)
            except (OSError, RuntimeError):  # damaged, or of a kind that it does not read
                continue
            yield from _upright(fontManager.ttflist[before:])


def _upright(fonts: Iterable[Any]) -> list[Any]:
    """Give the upright fonts of usual weight, those without serifs first."""
    usual = [
        font
        for font in fonts
        if font.weight in (400, "normal", "regular")
        and font.style == "normal"
        and not font.name.startswith("Last Resort")  # which has a box for every letter
    ]
    return sorted(usual, key=lambda font: ("Sans" not in font.name, font.name))
