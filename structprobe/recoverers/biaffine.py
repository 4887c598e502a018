"""A biaffine parser on the best layer on dev, as an upper bound of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.recoverers.best_layer import BestLayer, fit_each
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import EncodedBank


class Biaffine(BestLayer):
    """Chooses the head of each word by a biaffine score of the two word vectors, as in a parser.

    It is fitted on every layer with the full number of steps, and the layer is chosen by UUAS on
    dev. UUAS and UAS are of the best directed tree over the log-probabilities of heads. The fitted
    parser cannot be saved.

    Parameters
    ----------
    encoder, layers, punct, cache, random_state, device, progress
        As for `BestLayer`.
    **settings
        Further arguments of `BiaffineProbe`, such as ``rank`` and ``max_steps``.
    """

    name = "biaffine"
    order = 5
    recipe = "whitened"

    def fit_layers(
        self, vectors: EncodedBank, train: Any, dev: tuple[EncodedBank, Any]
    ) -> dict[int, Any]:
        """Fit a biaffine probe on every layer; see `BestLayer.fit_layers`."""
        from structprobe.probe.readers.biaffine_probe import BiaffineProbe

        return fit_each(partial(BiaffineProbe, **self._told()), vectors, train, dev)


class BiaffineRelations(Biaffine):
    """Chooses heads as biaffine does, and the relation of each word to its head in the same way.

    Heads and the choice of the layer are those of `Biaffine`, so UUAS, UAS and root accuracy are
    too. Relations are fitted on the chosen layer alone, after the heads. The fitted parser cannot
    be saved.

    Parameters
    ----------
    encoder : Encoder
        The model.
    subtypes : bool, default False
        As for `BiaffineProbe`.
    **options
        As for `Biaffine`.
    """

    name = "biaffine-relations"
    options = MappingProxyType({**Biaffine.options, "subtypes": bool})

    def __init__(self, encoder: Encoder, *, subtypes: bool = False, **options: Any) -> None:
        super().__init__(encoder, subtypes=subtypes, **options)

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        from structprobe.probe.data.relation_labels import check_relations

        check_relations({"train": train, "dev": dev}, subtypes=self.settings["subtypes"])
        kept = ("layers", "punct", "cache", "random_state", "device", "progress")
        given = {name: value for name, value in self.settings.items() if name != "subtypes"}
        given |= {name: getattr(self, name) for name in kept}
        arcs = Biaffine(self.encoder, fitted=self._fitted, **given)
        arcs._fit(train, dev)
        self.curve_, self.chosen_, own = arcs.curve_, arcs.chosen_, arcs.recoverer_
        probe: Any = deepcopy(own.probe)  # that of the arcs alone may be shared
        probe.set_params(relations=True, subtypes=self.settings["subtypes"])
        held_out = None if dev is None else (own.encode(dev), dev)
        probe.fit_relations(own.encode(train), train, dev=held_out)
        how: dict[str, Any] = {"name": self.name, "cache": self.cache, "progress": self.progress}
        self.recoverer_ = ProbeRecoverer(own.encoder, own.layer, probe, **how)
