"""Where in a model the syntax is: the curve over layers, a learned mix, and layers from below.

Three ways that need not agree (survey 'A Primer in BERTology', section 5.2): the score of a probe
on each layer; the weights of a learned mix of all layers, with their centre of gravity; and the
score of such mixes of the layers 0 to l, as l grows, with the layer at which it is gained
(Tenney et al. 2019, BERT Rediscovers the Classical NLP Pipeline, section 3).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structprobe.errors import ScoreError
from structprobe.experiments.grid import parse_layers
from structprobe.experiments.runs import Banks
from structprobe.progress import progress_bar
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

_log = logging.getLogger(__name__)

# The score that says where each kind of mix gains.
METRICS = {"distance": "uuas", "depth": "root_acc"}


@dataclass(frozen=True)
class Localised:
    """Where the syntax is, three ways.

    Attributes
    ----------
    layers : tuple of int
        The layers, ascending.
    curve : dict of int to Scores
        Of a probe on each layer alone.
    weights : dict of str to dict of int to float
        Under ``distance`` and ``depth`` the weight of each layer in the mix of all.
    gravity : dict of str to float
        Mean layer under these weights.
    cumulative : dict of int to Scores
        Of a mix of the layers from the lowest to each.
    expected : dict of str to float
        Mean layer at which UUAS (``distance``) and root accuracy (``depth``) are gained; NaN where
        nothing is.
    part : str
        What the scores are of: ``"test"`` or ``"dev"``.
    n_sentences : int
        How many sentences that has.
    """

    layers: tuple[int, ...]
    curve: dict[int, Scores]
    weights: dict[str, dict[int, float]]
    gravity: dict[str, float]
    cumulative: dict[int, Scores]
    expected: dict[str, float]
    part: str
    n_sentences: int

    @property
    def best_layer(self) -> int:
        """The layer of the highest UUAS on the curve; the lowest of the best."""
        return max(self.layers, key=lambda layer: (self.curve[layer].uuas or 0, -layer))

    def values(self) -> dict[str, Any]:
        """Give it in plain values, for JSON.

        Returns
        -------
        dict
            Scores as fractions.
        """
        return {
            "part": self.part,
            "n_sentences": self.n_sentences,
            "punct": next(iter(self.curve.values())).protocol.punct,
            "best_layer": self.best_layer,
            "centre_of_gravity": self.gravity,
            "expected_layer": self.expected,
            "layers": [
                {
                    "layer": layer,
                    "uuas": self.curve[layer].uuas,
                    "root_acc": self.curve[layer].root_acc,
                    "distance_weight": self.weights["distance"][layer],
                    "depth_weight": self.weights["depth"][layer],
                    "cumulative_uuas": self.cumulative[layer].uuas,
                    "cumulative_root_acc": self.cumulative[layer].root_acc,
                }
                for layer in self.layers
            ],
        }


def localise(
    encoder: Encoder,
    train: Sequence[Sentence],
    dev: Sequence[Sentence],
    test: Sequence[Sentence] | None = None,
    *,
    layers: str | Iterable[int] = "all",
    rank: int | None = None,
    seed: int = 0,
    max_steps: int | None = None,
    punct: str | None = None,
    cache: str | os.PathLike[str] | None = None,
    device: str = "auto",
    progress: bool | None = None,
) -> Localised:
    """Find out where in a model the syntax is.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train, dev : sequence of Sentence
        Sentences to learn from, and to choose the best probes by.
    test : sequence of Sentence, optional
        Sentences to report on; `dev` unless given.
    layers : str or iterable of int, default="all"
        As `parse_layers` reads them; two or more. Vectors of all of them are held at once.
    rank : int, optional
        Rank of all probes; full unless given.
    seed : int, default=0
        Random state.
    max_steps : int, optional
        The limit on the steps of each fit; the default recipe's own unless given.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy.
    cache : path, optional
        A folder for word vectors.
    device : str, default="auto"
        Where the probes are trained.
    progress : bool, optional
        Whether to draw bars on stderr; by default where that is a terminal.

    Returns
    -------
    Localised
        The curve, the mixes and what they say.

    Raises
    ------
    ProbeError
        If a layer or the rank is out of range.
    ScoreError
        If a treebank is empty or lacks heads, or there are fewer than two layers.
    """
    from structprobe.probe.layers import LayerSweep
    from structprobe.probe.mix import LayerMix, centre_of_gravity, expected_layer

    banks = Banks.of(train, dev, test, punct)
    assert banks.dev is not None  # it had to be given
    gold, part = banks.scored or banks.dev, banks.part or "dev"
    chosen = sorted(parse_layers(layers, encoder.n_layers))
    if len(chosen) < 2:
        raise ScoreError(f"layer {chosen[0]} alone", hint="give two or more layers")
    vectors = {
        name: encoder.encode(bank, layers=chosen, cache=cache, progress=progress)
        for name, bank in banks.parts.items()
    }
    known = {part: {layer: bank.layer(layer) for layer in chosen} for part, bank in vectors.items()}
    told: dict[str, Any] = {
        "rank": rank,
        "max_steps": max_steps,
        "random_state": seed,
        "device": device,
        "verbose": progress is not False,
    }
    held_out = known["dev"], banks.dev
    probes = LayerSweep(**told).fit(known["train"], banks.train, dev=held_out)
    at = known[part]
    curve = {
        layer: score(gold, probe.predictions(at[layer]), punct=punct)
        for layer, probe in probes.items()
    }
    cumulative: dict[int, Scores] = {}
    with progress_bar("mixes of layers", len(chosen), "mix", shown=progress) as advance:
        for n in range(1, len(chosen) + 1):
            own = {layer: known["train"][layer] for layer in chosen[:n]}
            mix = LayerMix(**told).fit(own, banks.train, held_out)
            cumulative[chosen[n - 1]] = score(gold, mix.predictions(at), punct=punct)
            _log.info("mix of the layers %s: UUAS %s", chosen[:n], cumulative[chosen[n - 1]].uuas)
            advance(1)
    weights = {
        kind: dict(zip(chosen, getattr(mix, f"{kind}_weights_").tolist(), strict=True))
        for kind in METRICS
    }
    return Localised(
        layers=tuple(chosen),
        curve=curve,
        weights=weights,
        gravity={
            kind: centre_of_gravity(chosen, getattr(mix, f"{kind}_weights_")) for kind in METRICS
        },
        cumulative=cumulative,
        expected={
            kind: expected_layer(
                {layer: getattr(scores, metric) or 0.0 for layer, scores in cumulative.items()}
            )
            for kind, metric in METRICS.items()
        },
        part=part,
        n_sentences=len(gold),
    )
