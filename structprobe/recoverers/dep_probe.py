"""DepProbe on the best layer on dev: labelled trees from distances and the words' own relations."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from structprobe.encoder import Encoder
from structprobe.errors import MethodError
from structprobe.recoverers.best_layer import BestLayer

FIXED = {"relations": "dependent", "decoding": "root"}


class DepProbe(BestLayer):
    """Finds labelled trees with DepProbe: distances, and relations read from each word alone.

    The undirected tree is the minimum spanning tree of the structural probe's distances. The
    relation of each word to its head is read from the word's own vector, by a softmax over the
    relations, among which ``root`` is one like the others. The root is the word with the highest
    log-probability of ``root``, all arcs point away from it, and no other word takes that relation
    (Müller-Eberstein, van der Goot and Plank 2022, Probing for Labeled Dependency Trees, section
    3). The log-odds of ``root`` would not do, as their offsets differ from word to word.

    It is a `StructuralProbe` with ``relations="dependent"`` and ``decoding="root"``, trained with
    the recipe of this library; the two maps share no parameters. The layer is chosen by LAS on dev.

    Parameters
    ----------
    encoder : Encoder
        The model.
    **settings
        As for `BestLayer`, and so those of `StructuralProbe`, such as ``rank`` and ``subtypes``.

    Raises
    ------
    MethodError
        If ``relations`` or ``decoding`` are others.
    """

    name = "depprobe"
    order = 10
    criterion = "las"
    options = MappingProxyType({"rank": int, "max_steps": int, "subtypes": bool})

    def __init__(self, encoder: Encoder, **settings: Any) -> None:
        for key, value in FIXED.items():
            if settings.setdefault(key, value) != value:
                what = f"{self.name} has {key}={value!r}, not {settings[key]!r}"
                raise MethodError(what, hint=f"leave out {key}, or use BestLayer(encoder, ...)")
        super().__init__(encoder, **settings)
