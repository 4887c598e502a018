"""`LayerMix`: distance and depth probes on a learned mix of layers."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self, cast

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from structprobe.probe.data.examples import KINDS, read_examples
from structprobe.probe.data.inputs import read_words
from structprobe.probe.layer_sweep import layers_of
from structprobe.probe.projecting import predict_depths, predict_distances
from structprobe.probe.readers.mixing import common_width, fit_mix, mix_words, pick_layers
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.settings import read_generator, read_settings
from structprobe.progress import progress_bar
from structprobe.scores.prediction import Prediction
from structprobe.trees import decode_rooted


class LayerMix:
    """A structural probe on a mix of layers whose weights are learned with it.

    Distances and depths have a mix each. The weights are those of layers brought to unit scale
    (mean square about the sentence's mean); see `structprobe.probe.readers.mixing`.

    Parameters
    ----------
    rank : int, optional
        Rank of both probes; full unless given.
    max_steps : int, optional
        The budget; the default recipe's own unless given.
    random_state : int
        Draws batches and starts.
    device : str
        Where to train, as `StructuralProbe` takes it.
    loss : {"absolute", "tree"}
        What distances are trained by, as of `StructuralProbe`.
    verbose : bool
        Whether to show a progress bar, on standard error, where that is a terminal.

    Attributes
    ----------
    layers_ : tuple
        The layers that are mixed.
    distance_weights_, depth_weights_ : ndarray of float64, shape (n_layers,)
        The weights, which sum to 1.
    distance_factors_, depth_factors_ : ndarray of float64, shape (n_layers,)
        What the raw vectors of each layer are multiplied by.
    distance_components_, depth_components_ : ndarray of float32, shape (rank, hidden_size)
        The matrices, for mixed raw vectors.
    history_ : dict
        Under ``distance`` and ``depth`` one entry an evaluation.

    Examples
    --------
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> layer = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> mix = LayerMix(max_steps=50, random_state=0).fit({0: layer, 1: layer}, heads, (
    ...     {0: layer, 1: layer}, heads))
    >>> float(round(mix.distance_weights_.sum(), 6))
    1.0
    """

    def __init__(
        self,
        *,
        rank: int | None = None,
        max_steps: int | None = None,
        random_state: int = 0,
        device: str = "auto",
        loss: str = "absolute",
        verbose: bool = False,
    ) -> None:
        self.rank, self.max_steps, self.loss = rank, max_steps, loss
        self.random_state, self.device, self.verbose = random_state, device, verbose

    def fit(self, X: Any, y: Any, dev: tuple[Any, Any]) -> Self:
        """Learn both mixes.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of each layer, all of one width.
        y : Treebank, sequence of Sentence, or sequence of heads
            The trees.
        dev : tuple of (X, y)
            What the best mixes are chosen by.

        Returns
        -------
        LayerMix
            Itself.

        Raises
        ------
        ProbeError
            The vectors, trees or settings cannot be used, or a loss stopped being finite.
        """
        train_set = read_examples(layers_of(X, "X"), y)
        held = pick_layers(layers_of(dev[0], "X of dev"), train_set.layers, " of dev")
        dev_set = read_examples(held, dev[1], " of dev")
        width = common_width(train_set.layers.values())
        told = {
            "rank": self.rank,
            "recipe": "whitened",
            "max_steps": self.max_steps,
            "batch_size": None,
            "learning_rate": None,
            "device": self.device,
            "products": "float32",
            "loss": self.loss,
        }
        settings = read_settings(told, width)
        generator = read_generator(self.random_state)
        self.layers_: tuple[Any, ...] = tuple(train_set.layers)
        seeds = cast(SeedSequence, generator.bit_generator.seed_seq).spawn(len(KINDS))
        n_steps = len(KINDS) * (settings.max_steps or Whitened().max_steps)
        shown = None if self.verbose else False
        with progress_bar("mix", n_steps, "step", shown=shown) as advance:
            distance, depth = (
                fit_mix(kind, train_set, dev_set, settings, seed, advance)
                for kind, seed in zip(KINDS, seeds, strict=True)
            )
        self.distance_weights_, self.depth_weights_ = distance.weights, depth.weights
        self.distance_factors_, self.depth_factors_ = distance.factors, depth.factors
        self.distance_components_, self.depth_components_ = distance.components, depth.components
        self.history_ = {"distance": distance.history, "depth": depth.history}
        return self

    def predictions(self, X: Any) -> list[Prediction]:
        """Recover the tree of each sentence.

        Parameters
        ----------
        X : EncodedBank, or mapping of hashable to vectors
            The vectors of the layers that were mixed; others may be there.

        Returns
        -------
        list of Prediction
            Heads, distances and depths.

        Raises
        ------
        ProbeError
            A layer is missing.
        """
        given = pick_layers(layers_of(X, "X"), self.layers_)
        layers = {layer: read_words(vectors) for layer, vectors in given.items()}
        distances = predict_distances(
            mix_words(layers, self.distance_factors_), self.distance_components_
        )
        depths = predict_depths(mix_words(layers, self.depth_factors_), self.depth_components_)
        heads = decode_rooted(distances, depths)
        return [Prediction(*parts) for parts in zip(heads, distances, depths, strict=True)]


def centre_of_gravity(layers: Any, weights: NDArray[np.floating]) -> float:
    """Mean layer under the weights of a mix.

    Tenney et al. 2019, BERT Rediscovers the Classical NLP Pipeline, section 3.1.
    """
    # weights (n_layers,)
    return float(np.dot(np.asarray(layers, dtype=float), weights))


def expected_layer(scores: Mapping[Hashable, float]) -> float:
    """Mean layer at which a score is gained, when layers are added from below.

    Tenney et al. 2019, section 3.2, equation 2: the sum of ``l * (score_l - score_(l-1))`` over
    all layers but the first, over the sum of the gains. Losses count as negative gains.
    """
    layers = np.array([*scores], dtype=float)
    gains = np.diff([*scores.values()])
    total = gains.sum()
    return float(np.round(np.dot(layers[1:], gains) / total, 12)) if total else float("nan")
