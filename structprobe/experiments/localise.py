"""Where in a model the syntax is: the curve over layers, a learned mix, and layers from below.

Three ways that need not agree (survey 'A Primer in BERTology', section 5.2): the score of a probe
on each layer; the weights of a learned mix of all layers, with their centre of gravity; and the
score of such mixes of the layers 0 to l, as l grows, with the layer at which it is gained
(Tenney et al. 2019, BERT Rediscovers the Classical NLP Pipeline, section 3).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structprobe.devices import find_device
from structprobe.errors import MethodError, ProbeError, ScoreError, unknown_name
from structprobe.experiments.config import LocaliseConfig
from structprobe.experiments.runs.grid import parse_layers
from structprobe.experiments.runs.run import Banks
from structprobe.progress import progress_bar
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.methods import find_methods
from structprobe.results.rows import per_cent
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.probe.readers.biaffine_mix import BiaffineMix
    from structprobe.probe.readers.layer_mix import LayerMix

_log = logging.getLogger(__name__)

# For each probe the score that says where each kind of mix gains.
METRICS = {
    "probe": {"distance": "uuas", "depth": "root_acc"},
    "probe-tree": {"distance": "uuas", "depth": "root_acc"},
    "biaffine": {"heads": "uuas"},
}


@dataclass(frozen=True)
class Localised:
    """Where the syntax is, three ways."""

    probe: str  # Which probe was fitted: one of `METRICS`
    layers: tuple[int, ...]  # The layers, ascending
    curve: dict[int, Scores]  # Of a probe on each layer alone
    weights: dict[str, dict[int, float]]
    gravity: dict[str, float]  # Mean layer under these weights
    cumulative: dict[int, Scores]  # Of a mix of the layers from the lowest to each
    expected: dict[str, float]
    part: str  # What the scores are of: ``"test"`` or ``"dev"``
    n_sentences: int  # How many sentences that has

    @property
    def best_layer(self) -> int:
        """The layer of the highest UUAS on the curve; the lowest of the best."""
        return max(self.layers, key=lambda layer: (self.curve[layer].uuas or 0, -layer))

    def values(self) -> dict[str, Any]:
        """Give it in plain values, for JSON."""
        return {
            "probe": self.probe,
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
                    **{f"{kind}_weight": own[layer] for kind, own in self.weights.items()},
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
    probe: str = "probe",
    layers: str | Iterable[int] = "all",
    rank: int | None = None,
    seed: int = 0,
    punct: str | None = None,
    config: LocaliseConfig | None = None,
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
    probe : {"probe", "probe-tree", "biaffine"}, default="probe"
        What is fitted on each layer and on the mixes, as `compare` names it.
    layers : str or iterable of int, default="all"
        As `parse_layers` reads them; two or more. Vectors of all of them are held at once.
    rank : int, optional
        Rank of all probes; the probe's own default unless given.
    seed : int, default=0
        Random state.
    punct : {"upos", "xpos", "keep"}, optional
        The words left out of UUAS and root accuracy.
    config : LocaliseConfig, optional
        All else: the limit on training steps, the device, the cache.

    Returns
    -------
    Localised
        The curve, the mixes and what they say.

    Raises
    ------
    ProbeError
        If a layer or the rank is out of range.
    MethodError
        If there is no such probe to localise.
    ScoreError
        If a treebank is empty or lacks heads, or there are fewer than two layers.
    """
    from structprobe.probe.readers.layer_mix import centre_of_gravity, expected_layer

    config = config or LocaliseConfig()
    if probe not in METRICS:
        raise MethodError(unknown_name("probe", probe, METRICS))
    find_device(config.device, error=ProbeError)
    banks = Banks.of(train, dev, test, punct)
    assert banks.dev is not None  # it had to be given
    gold, part = banks.scored or banks.dev, banks.part or "dev"
    chosen = sorted(parse_layers(layers, encoder.n_layers))
    if len(chosen) < 2:
        raise ScoreError(f"layer {chosen[0]} alone", hint="give two or more layers")
    vectors = {
        name: encoder.encode(bank, layers=chosen, cache=config.cache, progress=config.progress)
        for name, bank in banks.parts.items()
    }
    known = {part: {layer: bank.layer(layer) for layer in chosen} for part, bank in vectors.items()}
    told: dict[str, Any] = {
        "rank": rank,
        "max_steps": config.max_steps,
        "random_state": seed,
        "device": config.device,
    }
    recoverer = find_methods()[probe].cls
    assert issubclass(recoverer, BestLayer)
    probes = recoverer(encoder, layers=chosen, progress=config.progress, **told).fit_layers(
        vectors["train"], banks.train, (vectors["dev"], banks.dev)
    )
    at = known[part]
    curve = {
        layer: score(gold, fitted.predictions(at[layer]), punct=punct)
        for layer, fitted in probes.items()
    }
    held_out = known["dev"], banks.dev
    cumulative: dict[int, Scores] = {}
    with progress_bar("mixes of layers", len(chosen), "mix", shown=config.progress) as advance:
        for n in range(1, len(chosen) + 1):
            own = {layer: known["train"][layer] for layer in chosen[:n]}
            mix = _new_mix(probe, told | {"verbose": config.progress is not False})
            mix.fit(own, banks.train, dev=held_out)
            cumulative[chosen[n - 1]] = score(gold, mix.predictions(at), punct=punct)
            uuas = per_cent(cumulative[chosen[n - 1]].uuas)
            _log.info("mix of the layers %s: UUAS %s", chosen[:n], uuas)
            advance(1)
    metrics = METRICS[probe]
    found = {kind: getattr(mix, f"{kind}_weights_") for kind in metrics}
    return Localised(
        probe=probe,
        layers=tuple(chosen),
        curve=curve,
        weights={kind: dict(zip(chosen, own.tolist(), strict=True)) for kind, own in found.items()},
        gravity={kind: centre_of_gravity(chosen, own) for kind, own in found.items()},
        cumulative=cumulative,
        expected={
            kind: expected_layer(
                {layer: getattr(scores, metric) or 0.0 for layer, scores in cumulative.items()}
            )
            for kind, metric in metrics.items()
        },
        part=part,
        n_sentences=len(gold),
    )


def _new_mix(probe: str, told: Mapping[str, Any]) -> LayerMix | BiaffineMix:
    """Make the mix on which a probe is fitted."""
    from structprobe.probe.readers.biaffine_mix import BiaffineMix
    from structprobe.probe.readers.layer_mix import LayerMix

    if probe == "biaffine":
        return BiaffineMix(**told)
    return LayerMix(**told, loss="tree" if probe == "probe-tree" else "absolute")
