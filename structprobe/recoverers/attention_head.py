"""The base of methods that read one attention head: choosing the head."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import EncoderError, ScoreError, refuse_kind
from structprobe.recoverers.base import TextRecoverer, gold_root
from structprobe.scores.gold_edges import GoldEdges
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.attention.word_attentions import AttentionBatch
    from structprobe.encoder.encoder import Encoder

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.floating]
Ints: TypeAlias = NDArray[np.integer]


class AttentionHead(TextRecoverer):
    """Recovers trees from the attention head with the highest UUAS on dev.

    All heads of all layers are scored in one pass over dev, in the same way as by `score`.

    Parameters
    ----------
    encoder : Encoder
        The model.
    layer, head : int, optional
        The layer and the head in it, from 1; by default chosen by `fit`.
    gold_root : bool, default False
        Whether to use the gold root, which also sets `uses_gold`.
    special : {"drop", "renormalise", "keep"}, default "drop"
        How to treat attention to special tokens, see `WordAttentions`.
    symmetrised : bool, default False
        Whether to replace both weights of a pair of words by their sum.
    punct, cache, progress
        As for `BestLayer`; attention is cached.

    Attributes
    ----------
    dev_uuas_ : ndarray of float64, shape (n_layers, n_heads)
        UUAS of every head on dev, or on train if `fit` was called without dev; the layers are those
        that have attention, see `WordAttentions.layers`.
    best_heads_ : ndarray of int64, shape (n_layers,)
        The best head of each layer by `dev_uuas_`, from 1.
    makes_trees : bool
        Whether the heads form a tree; otherwise each word has its own best head.
    chosen_ : dict
        ``layer`` and ``head``, both from 1; ties go to the first.

    Raises
    ------
    EncoderError
        If the model returns no attention, an option is unknown, or layer or head is out of range.
    """

    order = 40
    options: Mapping[str, type] = MappingProxyType(
        {"layer": int, "head": int, "gold_root": bool, "special": str, "symmetrised": bool}
    )
    fitted_attribute = "chosen_"
    from_context = ("encoder", "punct", "cache", "progress")
    makes_trees = True

    dev_uuas_: NDArray[np.float64]
    best_heads_: NDArray[np.int64]

    def __init__(
        self,
        encoder: Encoder,
        *,
        layer: int | None = None,
        head: int | None = None,
        gold_root: bool = False,
        special: str = "drop",
        symmetrised: bool = False,
        punct: str | None = None,
        cache: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> None:
        from structprobe.attention.word_attentions import WordAttentions

        self.encoder, self.layer, self.head = encoder, layer, head
        self.gold_root, self.special, self.symmetrised = gold_root, special, symmetrised
        self.punct, self.progress = punct, progress
        self.uses_gold = gold_root
        self.name += {"renormalise": "-renormalised", "keep": "-special-kept"}.get(special, "")
        self.name += "-symmetrised" * symmetrised + "-gold-root" * gold_root
        self.attentions = WordAttentions(
            encoder, special=special, symmetrised=symmetrised, cache=cache
        )
        layers, n_heads = self.attentions.layers, self.attentions.n_heads
        for name, one in (("layer", layer), ("head", head)):
            if one is not None and not isinstance(one, Integral):
                refuse_kind(name, one, "a whole number", EncoderError, f"{name}s count from 1")
        if layer is not None and layer not in layers:
            hint = f"choose a layer from 1 to {layers[-1]}"
            if len(layers) < layers[-1]:
                hint = f"choose one of the layers {', '.join(map(str, layers))}"
            raise EncoderError(f"layer {layer} has no attention weights", hint=hint)
        if head is not None and not 1 <= head <= n_heads:
            hint = f"choose a head from 1 to {n_heads}"
            raise EncoderError(f"there is no attention head {head}", hint=hint)
        if layer is not None and head is not None:
            self.chosen_ = {"layer": layer, "head": head}

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Choose the best head on dev, or on train without dev."""
        self.dev_uuas_ = self.score_heads(train if dev is None else dev)
        self.best_heads_ = self.dev_uuas_.argmax(axis=1) + 1
        rows, columns = np.indices(self.dev_uuas_.shape)
        layers, heads = np.array(self.attentions.layers)[rows], columns + 1
        is_open = (layers == (self.layer or layers)) & (heads == (self.head or heads))
        row, column = np.argwhere(is_open)[self.dev_uuas_[is_open].argmax()].tolist()
        self.chosen_ = {"layer": self.attentions.layers[row], "head": column + 1}

    def score_heads(self, sentences: Sequence[Sentence]) -> NDArray[np.float64]:
        """Score every head of every layer in one pass.

        Parameters
        ----------
        sentences : sequence of Sentence
            Sentences with heads.

        Returns
        -------
        ndarray of float64, shape (n_layers, n_heads)
            The UUAS of each head, as from `score`.

        Raises
        ------
        ScoreError
            If the sentences have no heads, no edges to score, or not the tags that `punct` needs.
        """
        gold = GoldEdges(sentences, self.punct)
        if not gold.n_edges:
            what = "there are no gold edges between scored words to choose a head by"
            hint = f"the protocol is {gold.protocol.describe(correlations=False)}"
            raise ScoreError(what, hint=hint)
        right = np.zeros((self.attentions.n_layers, self.attentions.n_heads), dtype=np.int64)
        for batch in self.attentions.read(sentences, progress=self.progress):
            right += self.count_right(batch, gold, sentences)
        return right / gold.n_edges

    def count_right(
        self, batch: AttentionBatch, gold: GoldEdges, sentences: Sequence[Sentence]
    ) -> NDArray[np.int64]:
        """Count the correct edges of every head in a batch of attention.

        Parameters
        ----------
        batch : AttentionBatch
            Attention, read with the options of this method.
        gold : GoldEdges
            The gold edges of `sentences`.
        sentences : sequence of Sentence
            All sentences, including those of the batch.

        Returns
        -------
        ndarray of int64, shape (n_layers, n_heads)
            Counts over the sentences of the batch.
        """
        some = gold.padded(batch.sentences)
        roots = self._roots(batch, sentences)
        scores = self._arc_scores(batch, roots)  # (b, n_layers, n_heads, n, n + 1)
        shape = scores.shape[1:3]
        scores = scores.reshape(len(scores), -1, *scores.shape[-2:])  # (b, k, n, n + 1)
        heads = self._heads_over_kept(scores, batch.lengths, some.kept, roots)
        return some.count_right(heads).reshape(shape)

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence from the chosen head."""
        self._check_fitted()
        layer = self.attentions.layers.index(self.chosen_["layer"])
        head = self.chosen_["head"] - 1
        found: dict[int, Prediction] = {}
        for batch in self.attentions.read(sentences, progress=self.progress) if sentences else ():
            roots = self._roots(batch, sentences)
            scores = self._arc_scores(batch.of_head(layer, head), roots)[:, 0]  # (b, 1, n, n + 1)
            heads = self._heads(scores, batch.lengths, roots)[:, 0]  # (b, n)
            for number, n, row, arcs in zip(
                batch.sentences.tolist(), batch.lengths, heads, scores[:, 0], strict=True
            ):
                own = arcs[:n, : n + 1].copy()
                found[number] = Prediction(row[:n], arc_scores=own, as_tree=self.makes_trees)
        return [found[number] for number in range(len(sentences))]

    @abstractmethod
    def _heads(self, scores: Floats, lengths: Ints, roots: Ints | None) -> Ints:
        """Decode (b, k, n, n + 1) arc scores to heads (b, k, n); padding is whatever it is."""

    @abstractmethod
    def _heads_over_kept(
        self, scores: Floats, lengths: Ints, kept: Bools, roots: Ints | None
    ) -> Ints:
        """Decode again over the kept words, like `score`; -1 for ignored words."""

    def _arc_scores(self, batch: AttentionBatch, roots: Ints | None) -> NDArray[np.float32]:
        """Return the arc scores (b, n_layers, n_heads, n, n + 1), with the gold root forced."""
        scores = batch.arc_scores()
        if roots is not None:
            rows, words = np.arange(len(roots)), roots - 1
            scores[..., 0] = -np.inf
            scores[rows, :, :, words] = -np.inf
            scores[rows, :, :, words, 0] = 0.0
        return scores

    def _roots(self, batch: AttentionBatch, sentences: Sequence[Sentence]) -> Ints | None:
        """Return the gold roots (b,) of a batch, from 1, if they are used."""
        if not self.gold_root:
            return None
        return np.array([gold_root(sentences[number], self.name) for number in batch.sentences])
