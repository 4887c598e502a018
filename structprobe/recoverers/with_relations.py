"""Trees of any method, with relations read from word vectors."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from structprobe.errors import MethodError, ProbeError
from structprobe.recoverers.base import Recoverer, TextRecoverer, fit_checked
from structprobe.recoverers.best_layer import NO_DEV, BestLayer
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.recoverers.tree_probe import TreeProbe
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import WordVectors
    from structprobe.probe.readers.relation_reader import RelationReader


class WithRelations(TextRecoverer):
    """Adds relations to the trees of another method; the trees stay as they are, unless asked.

    The relations are read from word vectors with a `RelationReader`, fitted to the gold trees, of
    the layer that the other method reads. If that has none, or is not a probe on word vectors, the
    layer is the one with the lowest loss of relations on dev.

    Parameters
    ----------
    recoverer : Recoverer
        The method, fitted or not; `fit` fits it.
    encoder : Encoder, optional
        The model whose vectors are read; by default that of the method.
    layer : int, optional
        The layer to read; by default it is chosen.
    reads, subtypes
        As for `RelationReader`.
    decoding : {"published", "root", "joint"}
        As for `StructuralProbe`; ``"published"`` leaves the trees as the method decodes them,
        ``"root"`` needs distances, and ``"joint"`` distances or arc scores.
    max_steps
        As for `RelationReader`.
    random_state, device, cache, progress
        As for `BestLayer`.

    Attributes
    ----------
    reader_ : RelationReader
        The fitted reader.
    layer_ : int
        The layer that it reads.
    weight_ : float or None
        The weight of relations, for ``decoding="joint"``.
    chosen_ : dict
        As for the method; ``choice`` names the layer of the relations if it is another, and the
        weight of relations if there is one.

    Raises
    ------
    MethodError
        If the method has no encoder, and none is given.

    Examples
    --------
    >>> method = WithRelations(TreeProbe(encoder)).fit(train, dev)  # doctest: +SKIP
    >>> method.predict(test)[0].deprels  # doctest: +SKIP
    ('det', 'nsubj', 'root')
    """

    fitted_attribute = "reader_"

    reader_: RelationReader
    layer_: int
    weight_: float | None

    def __init__(
        self,
        recoverer: Recoverer,
        *,
        encoder: Encoder | None = None,
        layer: int | None = None,
        reads: str = "pair",
        subtypes: bool = False,
        decoding: str = "published",
        max_steps: int | None = None,
        random_state: int = 0,
        device: str = "auto",
        cache: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> None:
        encoder = getattr(recoverer, "encoder", None) if encoder is None else encoder
        if encoder is None:
            what = f"the method {recoverer.name!r} reads no word vectors"
            raise MethodError(what, hint="pass encoder=Encoder(...) for its relations")
        self.recoverer, self.encoder, self.layer = recoverer, encoder, layer
        self.reads, self.subtypes, self.decoding = reads, subtypes, decoding
        self.max_steps = max_steps
        self.random_state, self.device = random_state, device
        self.cache, self.progress = cache, progress
        ends = {"published": "", "root": "-root", "joint": "-joint"}
        self.name = f"{recoverer.name}-relations{ends.get(decoding, '')}"
        self.uses_gold, self.reads_head = recoverer.uses_gold, recoverer.reads_head
        self.recipe = getattr(recoverer, "recipe", "whitened")  # Of the trees

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Fit the method, then readers on one layer or all."""
        from structprobe.probe.data.relation_labels import check_relations
        from structprobe.probe.losses.relations import READS
        from structprobe.probe.readers.relation_decoding import choose_weight
        from structprobe.probe.readers.relation_reader import RelationReader
        from structprobe.probe.training.settings import read_decoding, read_name

        read_decoding(self.decoding, read_name("reads", self.reads, READS))
        if self.decoding == "joint" and dev is None:
            raise ProbeError("choosing the weight of relations needs a dev set", hint=NO_DEV)
        check_relations({"train": train, "dev": dev}, subtypes=self.subtypes)
        fit_checked(self.recoverer, train, dev)
        probe = self._probe()
        own = self.layer if self.layer is not None or probe is None else probe.layer
        told: dict[str, Any] = {"reads": self.reads, "subtypes": self.subtypes}
        told |= {"max_steps": self.max_steps, "random_state": self.random_state}
        lowest = math.inf
        for layer in self.encoder.layers if own is None else [own]:
            shown = self.progress is not False
            reader = RelationReader(verbose=shown, device=self.device, **told)
            held_out = None if dev is None else (self._encode(dev, layer), dev)
            reader.fit(self._encode(train, layer), train, dev=held_out)
            loss = min(one["dev_loss"] for one in reader.history_)
            if loss < lowest:
                lowest, self.reader_, self.layer_ = loss, reader, layer
        self.weight_ = None
        if self.decoding == "joint" and dev is not None:
            words = self.reader_._words(self._encode(dev, self.layer_))[None]
            self.weight_ = choose_weight(self.recoverer.predict(dev), self.reader_, words, dev)
        self._note_choices()

    def _note_choices(self) -> None:
        """Note what the method chose, and the layer of the relations if it is another."""
        told, probe, own = dict(self.recoverer.chosen_), self._probe(), []
        if probe is None or probe.layer != self.layer_:
            own.append(f"relations from layer {self.layer_}")
        if self.weight_ is not None:
            own.append(f"decoding {self.decoding}, weight {self.weight_:g}")
        elif self.decoding != "published":
            own.append(f"decoding {self.decoding}")
        if own:
            told["choice"] = "; ".join([*filter(None, [told.get("choice")]), *own])
        self.chosen_ = told

    def _probe(self) -> ProbeRecoverer | None:
        """Give the probe whose word vectors the reader reads too, if the trees come from one."""
        own: object = self.recoverer
        if getattr(own, "encoder", None) is not self.encoder:
            return None
        own = getattr(own, "recoverer_", None) if isinstance(own, BestLayer) else own
        return own if isinstance(own, ProbeRecoverer) else None

    def _encode(self, sentences: Sequence[Sentence], layer: int) -> WordVectors:
        """Encode sentences for the reader, as the probe does if there is one."""
        probe = self._probe()
        encoder = self.encoder if probe is None else probe.encoder
        shown = self.progress if len(sentences) > 1 else False
        found = encoder.encode(sentences, layers=layer, cache=self.cache, progress=shown)
        return found.layer(layer)

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence, with relations."""
        self._check_fitted()
        trees = self.recoverer.predict(sentences)
        self._note_choices()  # which may depend on the sentences
        if not trees:
            return []
        from structprobe.probe.readers.relation_decoding import labelled

        words = self.reader_._words(self._encode(sentences, self.layer_))[None]
        return labelled(trees, self.reader_, words, self.decoding, self.weight_)

    def describe(self) -> dict[str, Any]:
        """Return the values of a result row that describe the method of the trees."""
        told = self.recoverer.describe() | super().describe()
        if self.is_fitted:
            of_trees = told.get("n_parameters", 0)
            told["n_parameters"] = of_trees + self.reader_.n_parameters_
        return told


class ProbeRelations(WithRelations):
    """The structural probe's trees, with relations read from the same layer.

    The probe is that of `BestLayer`. With the published decoding, so are heads, distances and
    depths, and with them UUAS, UAS and root accuracy. The fitted method cannot be saved; a
    `StructuralProbe` with relations can.

    Parameters
    ----------
    encoder, punct, rank
        As for `BestLayer`.
    reads, subtypes, decoding
        As for `WithRelations`.
    max_steps : int, optional
        Number of steps of the probe, and of the reader.
    cache, random_state, device, progress, fitted
        As for `BestLayer`.
    **settings
        Further arguments of `BestLayer`, such as ``layers``.
    """

    order = 10
    recipe = "auto"  # Of the trees
    variants = MappingProxyType(
        {
            "probe-relations": {"decoding": "published"},
            "probe-relations-root": {"decoding": "root"},
            "probe-relations-joint": {"decoding": "joint"},
        }
    )
    options = MappingProxyType({"rank": int, "max_steps": int, "reads": str, "subtypes": bool})
    from_context = BestLayer.from_context
    trees: type[BestLayer] = BestLayer

    def __init__(
        self,
        encoder: Encoder,
        *,
        punct: str | None = None,
        rank: int | None = None,
        reads: str = "pair",
        subtypes: bool = False,
        decoding: str = "published",
        max_steps: int | None = None,
        cache: str | os.PathLike[str] | None = None,
        random_state: int = 0,
        device: str = "auto",
        progress: bool | None = None,
        fitted: dict[Any, Any] | None = None,
        **settings: Any,
    ) -> None:
        shared: dict[str, Any] = {"random_state": random_state, "device": device, "cache": cache}
        shared |= {"max_steps": max_steps, "progress": progress}
        trees = self.trees(encoder, punct=punct, rank=rank, fitted=fitted, **shared, **settings)
        super().__init__(trees, reads=reads, subtypes=subtypes, decoding=decoding, **shared)


class TreeRelations(ProbeRelations):
    """The trees of the probe that is trained like a parser, with relations from the same layer.

    Parameters
    ----------
    encoder, punct, rank, reads, subtypes, decoding, max_steps
        As for `ProbeRelations`.
    cache, random_state, device, progress, fitted, **settings
        As for `ProbeRelations`.
    """

    order = 11
    recipe = "whitened"  # Of the trees
    variants = MappingProxyType(
        {
            "probe-tree-relations": {"decoding": "published"},
            "probe-tree-relations-joint": {"decoding": "joint"},
        }
    )
    trees = TreeProbe
