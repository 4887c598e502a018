"""Whether a model uses what a probe reads: what removing it changes, beside its controls.

Removing any subspace harms a model. So the same is removed with the same rank in random directions,
along the principal axes, and as what control probes read; and each difference is paired with the
untouched model, sentence by sentence or pair by pair.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from structprobe.errors import ProbeError, StructprobeError, check_encoder
from structprobe.experiments.behaviour.measuring import Planned, measure_interventions, with_head
from structprobe.experiments.config import InterveneConfig, checked_config
from structprobe.experiments.layers_ranks_seeds import parse_layers
from structprobe.stimuli.bias import Resampling
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.treebank.controls import CONTROLS
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.behaviour.interventions.coordinates import Coordinates
    from structprobe.behaviour.interventions.subspaces import Subspace
    from structprobe.behaviour.measures import Measure
    from structprobe.encoder.encoder import Encoder
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.stimuli.suites.reading import SuiteGroup

_log = logging.getLogger(__name__)


def read_interventions(
    encoder: Any,
    train: Sequence[Sentence],
    dev: Sequence[Sentence] | None = None,
    test: Sequence[Sentence] | None = None,
    *,
    pairs: Sequence[MinimalPair] = (),
    layer: int | None = None,
    rank: int | None = None,
    probe: StructuralProbe | None = None,
    config: InterveneConfig | None = None,
) -> list[dict[str, Any]]:
    """Measure what a model loses if the subspace of a probe is removed, beside controls.

    A structural probe is fitted to the words of a layer, and the subspace that it reads is removed
    from the words of all texts that the model then reads: an oblique projection in whitened
    coordinates, which does not depend on the model's scales (`probe_subspace`). The same is done
    with the subspaces of `control_subspaces`.

    Parameters
    ----------
    encoder : Encoder or LanguageModel
        The model.
    train, dev, test : sequence of Sentence
        The treebank. Probes are fitted on `train` with `dev`; bits per word and UUAS are measured
        on `test`, by default on `dev`.
    pairs : sequence of MinimalPair, optional
        Minimal pairs, as `read_suites` gives them.
    layer : int, optional
        The layer, 0 to `n_layers`; by default that of `probe`.
    rank : int, optional
        Rank of the probe, less than the width of the vectors; needed without `probe`.
    probe : StructuralProbe, optional
        A fitted probe of this model; by default it is fitted.
    config : InterveneConfig, optional
        Further options: what else is removed, controls, measures, training.

    Returns
    -------
    list of dict
        One row for each intervention and measure. Keys: ``intervention`` (``"probe"``,
        ``"relation"``, ``"depth"``, or the name of a control subspace), ``control_of`` (None for
        what is no control), ``layer``, ``rank``, ``variance`` (the share of the raw variance of
        the words that is removed), ``seed``, ``n_changed`` and ``n_sinks`` (positions that were
        changed, and attention sinks that were left alone), ``model``, ``fingerprint``, ``measure``,
        ``phenomenon``, ``untouched`` and ``value`` (without and with the intervention),
        ``difference`` with ``low`` and ``high`` (a 95 % percentile bootstrap interval over
        sentences, or pairs), ``beyond_random`` with its bounds (the difference from the mean of
        the random subspaces of equal rank and variance, paired in the same way; only for what is
        no control), ``n`` (sentences or pairs) and ``why_empty``.

    Raises
    ------
    ProbeError
        If the layer is out of range, the rank is too large, or the probe is not of this model.
    StructprobeError
        If the treebank has no trees, or there is nothing to measure.
    """
    from structprobe.behaviour.measures import Attachment, Pairs, Parsing, Surprisal

    config = checked_config(config, InterveneConfig)
    own: Encoder = getattr(encoder, "encoder", encoder)
    check_encoder(own, ProbeError)
    layer, rank = _choices(own, layer, rank, probe)
    for name, bank in (("train", train), ("dev", dev), ("test", test)):
        _check_trees(name, bank)
    model, why = (encoder, None) if encoder is not own else with_head(own)
    own = own if model is None else model.encoder
    if why is not None:
        _log.warning("%s: measures of a language model are left empty", why)
    scored = list((test or dev or ())[: config.sentences])
    if probe is not None:
        _tell_origin(own, layer, probe)
    found = _Found(own, train, dev, layer, rank, probe, config)
    measures: list[Measure] = []
    measures += [Surprisal(scored)] if scored else []
    measures += [Pairs(pairs)] if pairs else []
    measures += [Attachment(config.attachment, config.seed)] if config.attachment else []
    if scored and found.later:
        measures.append(Parsing(found.later, scored, config.punct))
    if not measures:
        what = "there is nothing to measure"
        raise StructprobeError(what, hint="give a dev or test set, or minimal pairs")
    how = replace(Resampling(), random_state=config.seed)
    return measure_interventions(
        own if model is None else model, found.planned, measures, how=how, progress=config.progress
    )


def _choices(
    encoder: Encoder, layer: int | None, rank: int | None, probe: StructuralProbe | None
) -> tuple[int, int | None]:
    """Check layer and rank before anything is encoded."""
    told = (getattr(probe, "origin_", None) or {}).get("layer")
    layer = told if layer is None else layer
    if layer is None:
        raise ProbeError("no layer was given", hint="choose one")
    (layer,) = parse_layers([layer], encoder.n_layers, encoder.layers)
    if probe is not None:
        return layer, rank
    if rank is None:
        raise ProbeError("no rank was given, and a probe of full rank leaves nothing", hint="32")
    if not 1 <= rank < encoder.hidden_size:
        what = f"rank {rank} of vectors that are {encoder.hidden_size} wide"
        raise ProbeError(what, hint=f"choose a rank from 1 to {encoder.hidden_size - 1}")
    return layer, rank


def _tell_origin(encoder: Encoder, layer: int, probe: StructuralProbe) -> None:
    """Say where a probe was fitted on words that were read in another way, such as without BOS."""
    from structprobe.probe.data.inputs import check_origin

    try:
        check_origin(encoder.origin(layer), getattr(probe, "origin_", None), "what is changed")
    except ProbeError as error:
        _log.warning("%s", error)


def pairs_of(groups: Iterable[SuiteGroup]) -> list[MinimalPair]:
    """Give the minimal pairs of suites, and say what is left out."""
    found: list[MinimalPair] = []
    for group in groups:
        found += group.pairs
        for name, why in group.faults.items():
            _log.warning("%s, %s is left out: %s", group.name, name, why)
        if group.suites:
            _log.warning("%s is left out: SyntaxGym suites are not measured here", group.name)
    return found


def _check_trees(name: str, bank: Sequence[Sentence] | None) -> None:
    """Refuse a treebank without trees."""
    for sentence in bank or ():
        if sentence.heads is None:
            what = f"a sentence of {name} has no tree"
            raise StructprobeError(what, where=sentence.where, hint="give a treebank with trees")


class _Found:
    """The probes and subspaces of a model."""

    def __init__(
        self,
        encoder: Encoder,
        train: Sequence[Sentence],
        dev: Sequence[Sentence] | None,
        layer: int,
        rank: int | None,
        probe: StructuralProbe | None,
        config: InterveneConfig,
    ) -> None:
        from structprobe.behaviour.control_subspaces import control_subspaces
        from structprobe.behaviour.interventions.coordinates import Coordinates
        from structprobe.behaviour.interventions.subspaces import probe_subspace

        self.config, self.layer, self.train, self.dev = config, layer, train, dev
        later = [one for one in self._later(encoder) if one > layer]
        how: dict[str, Any] = {"layers": [layer, *later], "progress": config.progress}
        self.bank = encoder.encode(train, cache=config.cache, **how)
        self.dev_bank = encoder.encode(dev, cache=config.cache, **how) if dev else None
        vectors = self.bank.layer(layer)
        coordinates = Coordinates.fit(vectors, bound=config.bound)
        probe = probe or self._fit(layer, rank, train, dev)
        rank = probe.distance_components_.shape[0] if rank is None else rank
        controls = {
            name: self._fit(layer, rank, CONTROLS[name](train, 0),
                            None if dev is None else CONTROLS[name](dev, 0))
            for name in config.controls
        }  # fmt: skip
        self.later = {one: self._fit(one, rank, train, dev) for one in later}
        part = config.part
        self.planned: list[Planned] = []
        for name in config.remove:
            subspace = (
                probe_subspace(probe, coordinates, part=part)
                if name == "probe"
                else self._concept(name, coordinates)
            )
            self._plan(subspace, name, None, None)
            beside = control_subspaces(
                subspace,
                n_random=config.n_random,
                probes=controls if name == "probe" else None,
                part=part,
                seed=config.seed,
            )
            for one, seed in beside:
                self._plan(one, one.name, name, seed)

    def _plan(
        self, subspace: Subspace, name: str, control_of: str | None, seed: int | None
    ) -> None:
        """Plan the removal of a subspace."""
        from structprobe.behaviour.interventions.remove import Remove

        sinks = "auto" if self.config.bound is None else self.config.bound
        removal = Remove(subspace, self.layer, sinks=sinks)
        self.planned.append(
            Planned(removal, name, control_of, seed, subspace.rank, subspace.variance)
        )

    def _later(self, encoder: Encoder) -> Iterator[int]:
        """Choose the layers behind the intervention in which trees are read."""
        if self.config.later is not None:
            given = list(self.config.later)
            yield from parse_layers(given, encoder.n_layers, encoder.layers) if given else ()
            return
        first, last = self.layer + 1, encoder.n_layers
        yield from sorted({first, (first + last) // 2, last}) if first <= last else ()

    def _fit(
        self, layer: int, rank: int | None, train: Any, dev: Sequence[Sentence] | None
    ) -> StructuralProbe:
        """Fit a probe on a layer."""
        from structprobe.probe.estimator import StructuralProbe

        config = self.config
        probe = StructuralProbe(
            rank=rank, recipe=config.recipe, max_steps=config.max_steps,
            random_state=config.seed, device=config.device,
        )  # fmt: skip
        also = None if self.dev_bank is None or dev is None else (self.dev_bank.layer(layer), dev)
        return probe.fit(self.bank.layer(layer), train, dev=also)

    def _concept(self, name: str, coordinates: Coordinates) -> Subspace:
        """Find the subspace of the relation of words, or of their depth."""
        from structprobe.behaviour.interventions.subspaces import concept_subspace
        from structprobe.trees import tree_depths

        labels: list[Any] = []
        for sentence in self.train:
            assert sentence.heads is not None  # since it was checked
            if name == "depth":
                labels.append(tree_depths(sentence.heads))
            elif sentence.deprels is None:
                what = "the sentence has no relations, which are to be removed"
                raise StructprobeError(what, where=sentence.where)
            else:
                labels.append([one.split(":")[0] for one in sentence.deprels])
        return concept_subspace(self.bank.layer(self.layer), labels, coordinates, name=name)
