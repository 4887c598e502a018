"""The probe on kernel features, on the best layer on dev."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import EncodedBank


class LandmarkProbe(BestLayer):
    """Fits the probe on kernels of each word with landmarks, so that its map is not linear.

    It shows how much of the trees is in the vectors in a non-linear way, beside `BestLayer`, to
    which it is otherwise equal but for the recipe, ``"whitened"``. The fitted probe cannot be
    saved.

    Parameters
    ----------
    encoder : Encoder
        The model.
    kernel, n_landmarks
        As for `KernelProbe`.
    **options
        As for `BestLayer`, with further arguments of `KernelProbe`, such as ``rank``.
    """

    name = "probe-landmarks"
    order = 12
    recipe = "whitened"
    options = MappingProxyType({**BestLayer.options, "kernel": str, "n_landmarks": int})

    def __init__(
        self,
        encoder: Encoder,
        *,
        kernel: str = "rbf",
        n_landmarks: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(encoder, kernel=kernel, n_landmarks=n_landmarks, **options)

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit a kernel probe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.readers.kernel_probe import KernelProbe, fit_kernel_probes

        told = {"recipe": self.recipe} | self._told()
        probes = {layer: KernelProbe(**told) for layer in vectors.layers}
        layers, dev_layers = (
            {layer: bank.layer(layer) for layer in vectors.layers} for bank in (vectors, dev[0])
        )
        fit_kernel_probes(probes, layers, train, (dev_layers, dev[1]))
        return probes
