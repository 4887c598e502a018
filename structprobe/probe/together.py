"""Fit many probes on one set of trees together: layers, ranks and seeds, as memory allows.

A lone probe is the special case of one. Probes of one seed share their batches; gold values are
made once; what a layer's vectors must be known for is summed up once for all probes on it.
"""

from __future__ import annotations

import numbers
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from numpy.random import SeedSequence

from structprobe.errors import ProbeError
from structprobe.probe.examples import KINDS, Examples, layer_name, read_examples
from structprobe.probe.fitting import fit_kind, moments_of
from structprobe.probe.inputs import check_origin, check_pairs, check_width, hold_out, origin_of
from structprobe.probe.progress import progress
from structprobe.probe.settings import Settings, read_fraction, read_generator, read_settings

if TYPE_CHECKING:
    from structprobe.probe.estimator import StructuralProbe

MEMORY_GB = 4.0
# Hyperparameters in which probes that are fitted together may differ.
OWN = ("rank", "random_state", "verbose")

Job = tuple[Hashable, "StructuralProbe"]


@dataclass(frozen=True, slots=True)
class _Split:
    """What a seed learns from and chooses by, with what it draws from."""

    train: Examples
    dev: Examples
    seeds: Mapping[str, tuple[SeedSequence, SeedSequence]]


def fit_together(
    jobs: Sequence[Job],
    X: Mapping[Any, Any],
    y: Any,
    *,
    dev: tuple[Mapping[Any, Any], Any] | None = None,
    memory_gb: float = MEMORY_GB,
) -> Iterator[list[Job]]:
    """Fit probes on several layers of the same sentences, group by group of layers.

    Each probe is found as by its own `fit`: with the same whole number for its random state, on
    the processor, bit for bit.

    Parameters
    ----------
    jobs : sequence of (layer, StructuralProbe)
        The probes, each with the key in `X` of its layer. They may differ in rank, random state
        and verbosity alone.
    X : mapping of hashable to vectors
        The vectors of each layer, as `StructuralProbe.fit` takes them.
    y : Treebank, sequence of Sentence, or sequence of heads
        The trees.
    dev : tuple of (mapping, y), optional
        Vectors of each layer, and trees, to choose by.
    memory_gb : float
        The room for vectors in training, in units of 10⁹ bytes; as many layers as fit are
        trained at once, at least one.

    Yields
    ------
    list of (layer, StructuralProbe)
        The jobs that were just done; these probes are fitted.

    Raises
    ------
    ProbeError
        As `StructuralProbe.fit`, or the probes differ in more.
    TreeError
        The heads of a sentence are no tree.
    """
    whole, whole_dev = _read(X, y, dev)
    settings, ranks = _settings(jobs, whole)
    splits: dict[Hashable, _Split] = {}
    for layers in layer_groups([layer for layer, _ in jobs], whole, whole_dev, settings, memory_gb):
        places = [place for place, (layer, _) in enumerate(jobs) if layer in layers]
        moments = None if whole_dev is None else moments_of(whole, layers, settings)
        for seed, own in _by_seed(jobs, places).items():
            probe = jobs[own[0]][1]
            if seed not in splits:
                splits[seed] = _split(probe, whole, whole_dev)
            split = splits[seed]
            found = {}
            for kind in KINDS:
                with progress(_label(kind, layers), shown=probe.verbose) as on_step:
                    found[kind] = fit_kind(
                        kind,
                        split.train,
                        split.dev,
                        _ranks_by_layer(jobs, ranks, own),
                        moments_of(split.train, layers, settings) if moments is None else moments,
                        settings,
                        split.seeds[kind],
                        on_step,
                    )
            about = {
                "recipe": probe.recipe,
                "device": str(settings.device),
                "n_train": len(split.train.lengths),
                "n_dev": len(split.dev.lengths),
            }
            for place in own:
                layer, probe = jobs[place]
                probe.distance_components_, probe.depth_components_ = (
                    found[kind][layer, ranks[place]].components for kind in KINDS
                )
                courses = {kind: found[kind][layer, ranks[place]].history for kind in KINDS}
                probe.history_ = about | courses
                probe.n_features_in_ = whole.layers[layer].hidden_size
                probe.origin_ = origin_of(X[layer])
                probe.treebank_fingerprint_ = getattr(y, "fingerprint", None)
        yield [jobs[place] for place in places]


def layer_groups(
    layers: Sequence[Hashable],
    train_set: Examples,
    dev_set: Examples | None,
    settings: Settings,
    memory_gb: float,
) -> list[list[Hashable]]:
    """Cut layers into groups whose vectors fit into memory at once; layers of one width.

    Parameters
    ----------
    layers : sequence of hashable
        Layers, in the order in which they are to be trained; repeated ones count once.
    train_set, dev_set : Examples
        Their sentences.
    settings : Settings
        Tells the type of the vectors.
    memory_gb : float
        The room, in units of 10⁹ bytes.

    Returns
    -------
    list of list of hashable
        The groups; none is empty.
    """
    n_dev = 0 if dev_set is None else int(dev_set.lengths.sum())
    row_bytes = int(train_set.lengths.sum()) * settings.products.itemsize + n_dev * 4
    groups: list[list[Hashable]] = []
    left, width = 0.0, 0
    for layer in dict.fromkeys(layers):
        own = train_set.layers[layer].hidden_size
        left -= own * row_bytes
        if left < 0 or own != width:
            groups.append([])
            left, width = memory_gb * 1e9 - own * row_bytes, own
        groups[-1].append(layer)
    return groups


def _read(
    X: Mapping[Any, Any], y: Any, dev: tuple[Mapping[Any, Any], Any] | None
) -> tuple[Examples, Examples | None]:
    """Take the training and the dev set, checked against each other."""
    train_set = read_examples(X, y)
    if dev is None:
        return train_set, None
    dev_set = read_examples(dev[0], dev[1], " of dev")
    for layer, words in train_set.layers.items():
        name = layer_name(layer)
        if layer not in dev_set.layers:
            raise ProbeError(f"there is no {name} of dev")
        check_width(dev_set.layers[layer], words.hidden_size, f"{name} of dev")
        check_origin(origin_of(dev[0][layer]), origin_of(X[layer]), f"{name} of dev")
        check_pairs(words, name)
        check_pairs(dev_set.layers[layer], f"{name} of dev")
    return train_set, dev_set


def _settings(jobs: Sequence[Job], train_set: Examples) -> tuple[Settings, list[int]]:
    """Check what the probes are told: what all share, and the rank of each."""
    if not jobs:
        raise ProbeError("there is no probe to fit")
    first, ranks = jobs[0][1].get_params(), []
    for layer, probe in jobs:
        if layer not in train_set.layers:
            known = ", ".join(map(str, train_set.layers))
            raise ProbeError(f"there are no vectors of layer {layer}", hint=f"there are: {known}")
        params = probe.get_params()
        differing = [name for name in params if name not in OWN and params[name] != first[name]]
        if differing:
            raise ProbeError(
                f"probes that are fitted together differ in {differing[0]}",
                hint=f"they may differ in {', '.join(OWN)}",
            )
        settings = read_settings(params, train_set.layers[layer].hidden_size)
        ranks.append(settings.rank)
    return settings, ranks


def _by_seed(jobs: Sequence[Job], places: Sequence[int]) -> dict[Hashable, list[int]]:
    """Put jobs with the same number for their random state together; others stay alone."""
    groups: dict[Hashable, list[int]] = {}
    for place in places:
        state = jobs[place][1].random_state
        seed = int(state) if isinstance(state, numbers.Integral) else ("job", place)
        groups.setdefault(seed, []).append(place)
    return groups


def _split(probe: StructuralProbe, whole: Examples, whole_dev: Examples | None) -> _Split:
    """Hold sentences out where there is no dev set, and draw the seeds of both fits."""
    generator = read_generator(probe.random_state)
    if whole_dev is None:
        share = read_fraction(probe.validation_fraction)
        kept, held_out = hold_out(whole.lengths, share, generator)
        whole, whole_dev = whole.take(kept), whole.take(held_out)
    # numpy's own types leave out that a generator's seed can spawn more.
    drawn = cast(SeedSequence, generator.bit_generator.seed_seq).spawn(2 * len(KINDS))
    seeds = dict(zip(KINDS, zip(drawn[::2], drawn[1::2], strict=True), strict=True))
    return _Split(whole, whole_dev, seeds)


def _ranks_by_layer(
    jobs: Sequence[Job], ranks: Sequence[int], places: Sequence[int]
) -> dict[Hashable, list[int]]:
    """Tell which ranks are wanted on each layer, each once."""
    wanted: dict[Hashable, list[int]] = {}
    for place in places:
        own = wanted.setdefault(jobs[place][0], [])
        if ranks[place] not in own:
            own.append(ranks[place])
    return wanted


def _label(kind: str, layers: Sequence[Hashable]) -> str:
    """Name what is trained, for the progress bar."""
    if len(layers) == 1:
        return kind if layers[0] is None else f"{kind}, layer {layers[0]}"
    return f"{kind}, {len(layers)} layers"
