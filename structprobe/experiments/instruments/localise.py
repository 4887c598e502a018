"""Which layers encode syntax: scores by layer, a learned mix, and cumulative mixes.

Three measures that need not agree (survey 'A Primer in BERTology', section 5.2): the score of a
probe on each layer; the weights of a learned mix of all layers, with their centre of gravity; and
the scores of mixes of the layers 0 to l for growing l, with the expected layer of the gains (Tenney
et al. 2019, BERT Rediscovers the Classical NLP Pipeline, section 3). There is an expected layer
only where the mix of all layers clearly scores higher than the lowest layer: where the 95% interval
of the difference, by the paired bootstrap over sentences, is above 0. The same for groups of edges
is in `edge_groups`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from structprobe.devices import find_device
from structprobe.errors import MethodError, ProbeError, ScoreError, check_encoder, unknown_name
from structprobe.experiments.config import LocaliseConfig, checked_config
from structprobe.experiments.instruments.edge_groups import EdgeGroup, group_edges
from structprobe.experiments.layers_ranks_seeds import check_ranks, parse_layers
from structprobe.experiments.runs.run import Banks, warn_before
from structprobe.progress import progress_bar
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.methods import find_methods
from structprobe.results.rows import per_cent
from structprobe.scores.paired import PairedTest, paired_bootstrap
from structprobe.scores.protocol import choose_protocol
from structprobe.scores.result import Scores
from structprobe.scores.scoring import ScoredEdges, score, score_with_edges
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors

_log = logging.getLogger(__name__)

# For each probe, the score that measures the gain of each kind of mix.
METRICS = {
    "probe": {"distance": "uuas", "depth": "root_acc"},
    "probe-tree": {"distance": "uuas", "depth": "root_acc"},
    "biaffine": {"heads": "uuas"},
}


@dataclass(frozen=True)
class Localised:
    """Which layers encode syntax, by three measures."""

    probe: str  # Which probe was fitted: one of `METRICS`
    layers: tuple[int, ...]  # The layers, ascending
    curve: dict[int, Scores]  # Scores of a probe on each layer
    weights: dict[str, dict[int, float]]
    gravity: dict[str, float]  # The mean layer under these weights
    cumulative: dict[int, Scores]  # Scores of a mix of the layers up to each
    expected: dict[str, float | None]  # None where the gain is not clearly above 0
    gains: dict[str, PairedTest | None]  # Of the mix of all layers over the lowest layer
    groups: list[EdgeGroup]  # All edges, and those of each relation, length and size of phrase
    part: str  # Which set the scores are on: ``"test"`` or ``"dev"``
    n_sentences: int  # The number of its sentences
    warnings: list[str]  # What may make the scores misleading

    @property
    def best_layer(self) -> int:
        """The layer with the highest UUAS; ties go to the lowest."""
        return max(self.layers, key=lambda layer: (self.curve[layer].uuas or 0, -layer))

    def values(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        layers = []
        for layer in self.layers:
            scores, mixed = self.curve[layer], self.cumulative[layer]
            one = {"layer": layer, "uuas": scores.uuas, "root_acc": scores.root_acc}
            one |= {f"{kind}_weight": own[layer] for kind, own in self.weights.items()}
            one |= {"cumulative_uuas": mixed.uuas, "cumulative_root_acc": mixed.root_acc}
            layers.append(one)
        return {
            "probe": self.probe, "part": self.part, "n_sentences": self.n_sentences,
            "punct": self.curve[self.layers[0]].protocol.punct, "best_layer": self.best_layer,
            "centre_of_gravity": self.gravity, "expected_layer": self.expected,
            "gain": {kind: _interval(one) for kind, one in self.gains.items()}, "layers": layers,
            "groups": [one.values() for one in self.groups], "warnings": self.warnings,
        }  # fmt: skip


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
    """Find out which layers of a model encode syntax.

    Parameters
    ----------
    encoder : Encoder
        The model.
    train, dev : sequence of Sentence
        Sentences with heads, for training and for early stopping.
    test : sequence of Sentence, optional
        Sentences for the scores; by default `dev`.
    probe : {"probe", "probe-tree", "biaffine"}, default="probe"
        The method fitted on each layer and on the mixes, as named by `compare`.
    layers : str or iterable of int, default="all"
        At least two layers, as for `sweep`. The vectors of all are in memory at once.
    rank : int, optional
        Rank of all probes; by default that of the method.
    seed : int, default=0
        Random state.
    punct
        As for `sweep`.
    config : LocaliseConfig, optional
        Further options: the limit on training steps, device, cache.

    Returns
    -------
    Localised
        The scores by layer, the weights and scores of the mixes, and the expected layers, also for
        edges by relation, by length, and by the size of the phrase that contains them.

    Raises
    ------
    ProbeError
        If a layer or the rank is out of range.
    MethodError
        If `probe` is unknown.
    ScoreError
        If a treebank is empty or has no heads, or fewer than two layers are given.
    TreebankError
        If the text of a treebank is withheld, unless that is allowed.
    """
    from structprobe.probe.readers.biaffine_mix import BiaffineMix
    from structprobe.probe.readers.layer_mix import LayerMix, centre_of_gravity

    config = checked_config(config, LocaliseConfig)
    if probe not in METRICS:
        raise MethodError(unknown_name("probe", probe, METRICS))
    find_device(config.device, error=ProbeError)
    choose_protocol((), punct, for_counts="the localisation of edges")
    banks = Banks.of(train, dev, test, punct, allow_withheld=config.allow_withheld)
    check_encoder(encoder, ProbeError)
    if rank is not None:  # before anything is encoded
        check_ranks([rank], encoder.hidden_size)
    if banks.dev is None:
        raise ScoreError("dev is None", hint="give a dev set, for early stopping")
    gold, part = banks.scored or banks.dev, banks.part or "dev"
    warn_before(banks)
    chosen = sorted(parse_layers(layers, encoder.n_layers, encoder.layers))
    if len(chosen) < 2:
        raise ScoreError(f"only one layer was given: {chosen[0]}", hint="give at least two layers")
    how: dict[str, Any] = {"layers": chosen, "cache": config.cache, "progress": config.progress}
    vectors = {name: encoder.encode(bank, **how) for name, bank in banks.parts.items()}
    known = {part: {layer: bank.layer(layer) for layer in chosen} for part, bank in vectors.items()}
    told: dict[str, Any] = {"rank": rank, "max_steps": config.max_steps, "random_state": seed}
    told["device"] = config.device
    recoverer = find_methods()[probe].cls
    assert issubclass(recoverer, BestLayer)
    probes = recoverer(encoder, layers=chosen, progress=config.progress, **told).fit_layers(
        vectors["train"], banks.train, (vectors["dev"], banks.dev)
    )
    at = known[part]
    curve = {
        layer: score(gold, one.predictions(at[layer]), punct=punct) for layer, one in probes.items()
    }
    held_out = known["dev"], banks.dev
    told["verbose"] = config.progress is not False
    new_mix: Callable[..., LayerMix | BiaffineMix] = BiaffineMix
    if probe != "biaffine":
        new_mix = partial(LayerMix, loss="tree" if probe == "probe-tree" else "absolute")
    own: dict[int, WordVectors] = {}
    cumulative: dict[int, Scores] = {}
    edges: dict[int, ScoredEdges] = {}
    with progress_bar("mixes of layers", len(chosen), "mix", shown=config.progress) as advance:
        for layer in chosen:
            own[layer] = known["train"][layer]
            mix = new_mix(**told).fit(own, banks.train, dev=held_out)
            found = score_with_edges(gold, mix.predictions(at), punct)
            cumulative[layer], edges[layer] = found
            uuas = per_cent(cumulative[layer].uuas)
            _log.info("mix of the layers %s: UUAS %s", [*own], uuas)
            advance(1)
    metrics = METRICS[probe]
    learned = {kind: getattr(mix, f"{kind}_weights_") for kind in metrics}
    gains = {kind: gain_of(cumulative, metric) for kind, metric in metrics.items()}
    expected = {kind: expected_of(cumulative, gain) for kind, gain in gains.items()}
    weights = {kind: dict(zip(chosen, own.tolist(), strict=True)) for kind, own in learned.items()}
    gravity = {kind: centre_of_gravity(chosen, own) for kind, own in learned.items()}
    return Localised(
        probe=probe, layers=tuple(chosen), curve=curve, weights=weights, gravity=gravity,
        cumulative=cumulative, expected=expected, gains=gains, groups=group_edges(edges),
        part=part, n_sentences=len(gold), warnings=banks.cautions,
    )  # fmt: skip


def gain_of(cumulative: Mapping[int, Scores], metric: str) -> PairedTest | None:
    """Compare the mix of all layers with the lowest layer; None where nothing was scored."""
    lowest, *_, whole = cumulative.values()
    if getattr(lowest, metric) is None or getattr(whole, metric) is None:
        return None
    return paired_bootstrap(whole, lowest, metric, n=1000)


def expected_of(cumulative: Mapping[int, Scores], gain: PairedTest | None) -> float | None:
    """Return the expected layer, where there is a clear gain."""
    from structprobe.probe.readers.layer_mix import expected_layer

    if gain is None or gain.low <= 0:
        return None
    found = expected_layer({i: getattr(one, gain.metric) for i, one in cumulative.items()})
    return None if math.isnan(found) else found


def _interval(gain: PairedTest | None) -> dict[str, float] | None:
    """Return a gain with its interval."""
    return None if gain is None else {"value": gain.difference, "low": gain.low, "high": gain.high}
