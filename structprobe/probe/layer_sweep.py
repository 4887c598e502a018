"""`LayerSweep`: the probes of all layers in one training run."""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Mapping
from typing import Any

from structprobe.errors import ProbeError
from structprobe.probe.estimator import StructuralProbe
from structprobe.probe.training.joint_fit import fit_together
from structprobe.probe.training.settings import MEMORY_GB, read_generator


class LayerSweep:
    """Fit the same probe on every layer of a model, all layers in one training run.

    All layers share the batches and the gold values. Each keeps its own learning rate, early stop
    and best matrices, and leaves the run when it is done: what comes out is what
    `StructuralProbe.fit` gives on that layer alone, on the processor bit for bit.

    Parameters
    ----------
    memory_gb : float
        The room for vectors in training, in units of 10⁹ bytes. As many layers as fit are trained
        at once; one that does not fit by itself is streamed, as by `StructuralProbe`.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        The seed of every layer's probe. One number is drawn from anything but a number.
    **settings
        All else that `StructuralProbe` takes: ``rank``, ``recipe`` and so on.

    Examples
    --------
    >>> import numpy as np
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> layer = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> sweep = LayerSweep(max_steps=50, random_state=0)
    >>> probes = sweep.fit({0: layer, 1: layer}, heads)
    >>> [tree.tolist() for tree in probes[1].predict(layer)]
    [[2, 0, 2], [0, 1]]
    """

    def __init__(
        self, *, memory_gb: float = MEMORY_GB, random_state: Any = None, **settings: Any
    ) -> None:
        self.memory_gb, self.random_state = memory_gb, random_state
        self.settings = {**settings, "memory_gb": memory_gb}
        StructuralProbe(**self.settings)  # names a setting that there is not

    def fit(self, X: Any, y: Any, *, dev: tuple[Any, Any] | None = None) -> dict[Any, Any]:
        """Fit one probe on each layer.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of each layer, each as `StructuralProbe.fit` takes them.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees of the sentences that all layers are of.
        dev : tuple of (X, y), optional
            Vectors of each layer and trees to choose the best matrices by; by default a random
            share of the training sentences, the same for all layers.

        Returns
        -------
        dict of StructuralProbe
            The fitted probes, by layer.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or a loss stopped being finite.
        TreeError
            The heads of a sentence are no tree.
        """
        layers = layers_of(X, "X")
        if dev is not None:
            if not isinstance(dev, tuple | list) or len(dev) != 2:
                raise ProbeError(f"dev is {type(dev).__name__}", hint="give dev=(X_dev, y_dev)")
            dev = layers_of(dev[0], "X of dev"), dev[1]
        seed = self.random_state
        if not isinstance(seed, numbers.Integral):
            seed = int(read_generator(seed).integers(2**31))
        probes = {layer: StructuralProbe(**self.settings, random_state=seed) for layer in layers}
        list(fit_together([*probes.items()], layers, y, dev=dev))
        return probes


def layers_of(X: Any, name: str) -> Mapping[Hashable, Any]:
    """Take the vectors of several layers in any form."""
    if hasattr(X, "layers") and hasattr(X, "layer"):
        return {layer: X.layer(layer) for layer in X.layers}
    if not isinstance(X, Mapping):
        raise ProbeError(
            f"{name} is {type(X).__name__}, not the vectors of several layers",
            hint="give an EncodedBank, or a dict of layer to vectors",
        )
    return X
