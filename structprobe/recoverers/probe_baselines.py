"""Baselines for the probe: without context, by word form alone, or on an untrained model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from structprobe.encoder import Encoder
from structprobe.errors import MethodError
from structprobe.recoverers.best_layer import BestLayer
from structprobe.treebank.sentence import Sentence


class LayerZero(BestLayer):
    """Fits the probe on layer 0, the embedding output, where words have no context.

    Parameters
    ----------
    encoder, layers, **options
        As for `BestLayer`; only layer 0 is accepted.

    Raises
    ------
    MethodError
        If other layers are given.
    """

    name = "probe-layer-0"
    order = 90

    def __init__(self, encoder: Encoder, *, layers: Iterable[int] = (0,), **options: Any) -> None:
        wanted = tuple(layers)
        if wanted != (0,):
            what = f"{self.name} uses only layer 0, not {wanted}"
            raise MethodError(what, hint="leave out layers, or use BestLayer(encoder, layers=...)")
        super().__init__(encoder, layers=wanted, **options)


class TypeProbe(LayerZero):
    """Fits the probe on one vector per word form, the mean at layer 0 over the training set.

    The vector of a word is the mean of all vectors of its form at layer 0 in the training set, so
    it does not contain the positions that many models add at layer 0. Forms that do not occur in
    the training set have the mean of all forms. The fitted probe cannot be loaded without these
    vectors.

    Parameters
    ----------
    encoder, layers, **options
        As for `LayerZero`.

    Raises
    ------
    MethodError
        As for `LayerZero`.
    """

    name = "probe-types"

    def _encoder_for(self, train: Sequence[Sentence]) -> Any:
        from structprobe.encoder.form_vectors import TypeEncoder

        return TypeEncoder(self.encoder, train, cache=self.cache, progress=self.progress)


class DecayProbe(LayerZero):
    """Fits the probe on means of layer 0 over the sentence, where near words weigh more (Decay0).

    Each word has the weighted mean of all words of its sentence at layer 0; a word that is `d`
    words away has the weight ``1 / 2**d`` (Hewitt and Manning 2019, A Structural Probe for Finding
    Syntax in Word Representations, section 3.2; their code counts the word itself twice). The
    fitted probe cannot be loaded without these vectors.

    Parameters
    ----------
    encoder, layers, **options
        As for `LayerZero`.

    Raises
    ------
    MethodError
        As for `LayerZero`.
    """

    name = "probe-decay0"
    order = 91

    def _encoder_for(self, train: Sequence[Sentence]) -> Any:
        from structprobe.encoder.mixed_words import DecayEncoder

        return DecayEncoder(self.encoder)


class ProjProbe(LayerZero):
    """Fits the probe on an untrained BiLSTM over layer 0, random weights in one layer (Proj0).

    The BiLSTM is as wide as the model (Hewitt and Manning 2019, A Structural Probe for Finding
    Syntax in Word Representations, section 3.2); its weights are drawn with `random_state`. The
    fitted probe cannot be loaded without these vectors.

    Parameters
    ----------
    encoder, layers, **options
        As for `LayerZero`.

    Raises
    ------
    MethodError
        As for `LayerZero`.
    """

    name = "probe-proj0"
    order = 91

    def _encoder_for(self, train: Sequence[Sentence]) -> Any:
        from structprobe.encoder.mixed_words import ProjEncoder

        return ProjEncoder(self.encoder, self.random_state)


class UntrainedProbe(BestLayer):
    """Fits the probe on the best layer of an untrained copy of the model (random weights).

    Parameters
    ----------
    encoder : Encoder
        The model; its weights are replaced by random ones, drawn with `random_state`.
    random_state : int, default=0
        Random state of the weights and the probes.
    **options
        As for `BestLayer`.
    """

    name = "probe-untrained"
    order = 91

    def __init__(self, encoder: Encoder, *, random_state: int = 0, **options: Any) -> None:
        super().__init__(encoder.untrained(random_state), random_state=random_state, **options)
