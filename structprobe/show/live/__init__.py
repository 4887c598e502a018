"""A page on this machine that parses what is typed, by the probes of one or several layers."""

from structprobe.show.live.probes import LiveProbes
from structprobe.show.live.server import serve

__all__ = ["LiveProbes", "serve"]
