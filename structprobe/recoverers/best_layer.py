"""The structural probe on the layer that is best on dev."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.errors import Hint, ProbeError
from structprobe.recoverers.base import TextRecoverer
from structprobe.recoverers.probe import ProbeRecoverer, chosen_by, training_cautions
from structprobe.scores import score
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import EncodedBank


NO_DEV = Hint("pass one to fit", shell="give one with --dev or --treebank")


class BestLayer(TextRecoverer):
    """Fits a probe on every layer and keeps the one with the highest UUAS on the dev set.

    Parameters
    ----------
    encoder : Encoder
        The model.
    layers : iterable of int, optional
        The layers to choose from; by default all.
    punct : {"upos", "xpos", "keep", "polar"}, optional
        Which words UUAS on dev ignores, see `Protocol`.
    cache : path, optional
        A folder in which to cache word vectors; by default all layers are kept in memory.
    random_state : int, default=0
        Random state of the training.
    device : str, default="auto"
        Where to train.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.
    fitted : dict, optional
        Where equal methods leave what they fitted to the same sentences for one another.
    **settings
        Further arguments of `StructuralProbe`, such as ``rank`` and ``max_steps``.

    Attributes
    ----------
    recoverer_ : ProbeRecoverer
        The probe on the chosen layer, which can parse and be saved.
    curve_ : dict of int to float
        The UUAS on dev of each layer; of methods with relations, the LAS.
    chosen_ : dict
        ``layer``: the best of `curve_`; ties go to the lowest.

    Examples
    --------
    >>> probe = BestLayer(encoder, cache="VECTORS/").fit(train, dev)  # doctest: +SKIP
    >>> probe.chosen_, probe.curve_[4]  # doctest: +SKIP
    ({'layer': 3}, 0.6616)
    """

    name = "probe"
    order = 10
    options = MappingProxyType({"rank": int, "max_steps": int})
    recipe = "auto"  # Its numbers are part of the key of a row
    criterion = "uuas"  # The score on dev by which the layer is chosen
    fitted_attribute = "recoverer_"
    from_context = ("encoder", "punct", "cache", "random_state", "device", "progress", "fitted")

    recoverer_: ProbeRecoverer
    curve_: Mapping[int, float]

    def __init__(
        self,
        encoder: Encoder,
        *,
        layers: Iterable[int] | None = None,
        punct: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        random_state: int = 0,
        device: str = "auto",
        progress: bool | None = None,
        fitted: dict[Any, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.encoder, self.punct, self.cache = encoder, punct, cache
        self.layers = tuple(encoder.layers if layers is None else layers)
        self.random_state, self.device, self.progress = random_state, device, progress
        self.settings, self._fitted = settings, fitted

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Fit probes on all layers in one training run, and choose a layer on dev."""
        if dev is None:
            raise ProbeError("choosing a layer needs a dev set", hint=NO_DEV)
        if self.criterion == "las":
            from structprobe.probe.data.relation_labels import check_relations

            check_relations({"train": train, "dev": dev})
        told = type(self), self.layers, self.punct, self.random_state, str(self.device)
        own = sorted((name, value) for name, value in self.settings.items() if value is not None)
        key = *told, repr(own), *map(id, (self.encoder, train, dev))
        known = {} if self._fitted is None else self._fitted
        if key not in known:
            self._choose_layer(train, dev)
            found = self.recoverer_, self.curve_, self.chosen_
            known[key] = found, (self.encoder, train, dev)  # so that their ids stay in use
        self.recoverer_, self.curve_, self.chosen_ = known[key][0]

    def _choose_layer(self, train: Sequence[Sentence], dev: Sequence[Sentence]) -> None:
        """Fit all probes, and set the fitted attributes."""
        told: dict[str, Any] = {"cache": self.cache, "progress": self.progress}
        encoder = self._encoder_for(train)
        vectors, dev_vectors = (
            encoder.encode(bank, layers=self.layers, **told) for bank in (train, dev)
        )
        probes = self.fit_layers(vectors, train, (dev_vectors, dev))
        values = {
            layer: score(dev, probe.predictions(dev_vectors.layer(layer)), punct=self.punct)
            for layer, probe in probes.items()
        }
        curve = {layer: getattr(found, self.criterion) for layer, found in values.items()}
        self.curve_ = {layer: value for layer, value in curve.items() if value is not None}
        if not self.curve_:
            raise ProbeError("no layer can be chosen: the dev set has no edges to score")
        layer = max(sorted(self.curve_), key=self.curve_.__getitem__)
        self.recoverer_ = ProbeRecoverer(encoder, layer, probes[layer], name=self.name, **told)
        self.chosen_ = {"layer": layer}

    def _encoder_for(self, train: Sequence[Sentence]) -> Any:
        """Give what turns words into vectors, which a baseline may learn from the training set."""
        del train
        return self.encoder

    def fit_layers(self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]) -> Any:
        """Fit an estimator on every layer.

        Parameters
        ----------
        vectors : EncodedBank
            The vectors of the training sentences, in all layers.
        train : sequence of Sentence
            Their trees.
        dev : tuple of (EncodedBank, sequence of Sentence)
            Vectors and trees for early stopping.

        Returns
        -------
        dict of int to estimator
            The fitted estimator of each layer, with a method `predictions`.
        """
        from structprobe.probe.estimator import StructuralProbe, fit_together

        told = {"recipe": self.recipe} | self._told()
        probes = {layer: StructuralProbe(**told) for layer in vectors.layers}
        layers, dev_layers = (
            {layer: bank.layer(layer) for layer in vectors.layers} for bank in (vectors, dev[0])
        )
        list(fit_together([*probes.items()], layers, train, dev=(dev_layers, dev[1])))
        return probes

    def describe(self) -> dict[str, Any]:
        """Return the values of a result row, with warnings about the chosen probe."""
        told = super().describe()
        if self.is_fitted:
            told |= chosen_by(self.recoverer_.probe)
            told["warnings"] = training_cautions(self.recoverer_.probe)
        return told

    def _told(self) -> dict[str, Any]:
        """Return the arguments of the estimators."""
        told = {"random_state": self.random_state, "device": self.device, **self.settings}
        return {"verbose": self.progress is not False} | told

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence from the chosen layer."""
        self._check_fitted()
        return self.recoverer_.predict(sentences)


def fit_each(
    make: Callable[[], Any], vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
) -> dict[int, Any]:
    """Fit an estimator on every layer, one after the other; see `BestLayer.fit_layers`."""
    dev_vectors, dev_trees = dev
    return {
        layer: make().fit(vectors.layer(layer), train, dev=(dev_vectors.layer(layer), dev_trees))
        for layer in vectors.layers
    }
