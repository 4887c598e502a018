"""Trees as text, SVG or tikz-dependency code, or for networkx and displaCy."""

from structprobe.draw.graph import to_displacy, to_networkx
from structprobe.draw.svg import draw_svg
from structprobe.draw.text import draw_text
from structprobe.draw.tikz import draw_tikz

__all__ = ["draw_svg", "draw_text", "draw_tikz", "to_displacy", "to_networkx"]
