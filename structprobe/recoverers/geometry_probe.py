"""The structural probe in other geometries, on the best layer on dev."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.errors import MethodError, unknown_name
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.probe import NAMES

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_NAMES = {geometry: name for geometry, name in NAMES.items() if geometry != "euclidean"}


class GeometryProbe(BestLayer):
    """Fits the probe on every layer, with distances of another geometry than the Euclidean.

    With ``u = B h`` and ``v = B k``, the distance of two words with the vectors h and k is

    - for ``probe-hyperbolic``, the squared distance of ``exp(u)`` and ``exp(v)`` in the Poincaré
      ball (Chen et al. 2021, Probing BERT in Hyperbolic Spaces);
    - for ``probe-signed``, a difference of two squares, ``‖B₁ (h - k)‖² - ‖B₂ (h - k)‖²``;
    - for ``probe-kernel-poly``, ``probe-kernel-sigmoid`` and ``probe-kernel-rbf``,
      ``κ(u, u) - 2 κ(u, v) + κ(v, v)`` with a kernel κ (White et al. 2021, A Non-Linear Structural
      Probe).

    See `structprobe.probe.losses.geometries`. All else is as for `BestLayer`, except for the
    recipe, which is ``"whitened"``.

    Parameters
    ----------
    encoder : Encoder
        The model.
    geometry : {"hyperbolic", "signed", "polynomial", "sigmoid", "rbf"}
        The geometry.
    **options
        As for `BestLayer`.

    Raises
    ------
    MethodError
        If the geometry is none of these.
    """

    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {name: {"geometry": geometry} for geometry, name in _NAMES.items()}
    )
    order = 12
    recipe = "whitened"  # The same for all, so that only the geometry differs

    def __init__(self, encoder: Encoder, *, geometry: str, **options: Any) -> None:
        if geometry not in _NAMES:
            hint = "for the Euclidean geometry, use BestLayer(encoder)"
            raise MethodError(unknown_name("geometry", geometry, _NAMES), hint=hint)
        self.name = _NAMES[geometry]
        super().__init__(encoder, geometry=geometry, **options)
