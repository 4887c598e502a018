"""Syntactic substitutability: attention averaged over sentences with substituted words."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import EncoderError, ProbeError
from structprobe.progress import progress_bar
from structprobe.recoverers.base import TextRecoverer, bracketed
from structprobe.recoverers.linear import chains_for_missing
from structprobe.recoverers.perturbed import tree_of_pairs
from structprobe.scores import score
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.subwords.sentences import SpacedWords

K = 10  # substitutes per word
_AT_ONCE = 64  # sentences whose variants are read together

Floats = NDArray[np.float32]

_logger = logging.getLogger(__name__)


class Substitutability(TextRecoverer):
    """Averages attention over sentences in which a word is substituted (Jian & Reddy 2023).

    Jian & Reddy (2023), 'Syntactic Substitutability as Unsupervised Dependency Syntax': the
    dependencies of a word stay the same when a word of the same category takes its place. For each
    word, the k words that a masked language model finds most probable in its place make k more
    sentences. The score of the edge between words i and j is the attention of j to i, averaged over
    the heads of a layer, the sentence and those in which i is substituted, or that of i to j
    likewise, whichever is higher. The tree is the maximum spanning tree, in the layer with the
    highest UUAS on dev.

    Parameters
    ----------
    encoder : Encoder
        A model with attention, a mask token and its head for masked language modelling.
    k : int, default 10
        Substitutes per word. With 0, attention in the sentence alone is averaged over heads, for
        comparison; this needs no head or mask token.
    layer : int, optional
        The layer, from 1; by default chosen by `fit`.
    limit : int, optional
        Maximum sentence length, in words; by default unlimited. Longer sentences, and those that do
        not fit into the model, get the linear chain, as in `Perturbed`.
    punct : {"upos", "xpos", "keep"}, optional
        Which words UUAS on dev ignores, see `Protocol`.
    progress : bool, optional
        Whether to show progress bars; by default if stderr is a terminal.

    Attributes
    ----------
    curve_ : dict of int to float
        UUAS of each layer on dev, or on train if `fit` was called without dev.
    chosen_ : dict
        ``layer``; ties go to the lowest.

    Raises
    ------
    EncoderError
        If the model has no attention, no mask token or not its head; or has no such layer.
    ProbeError
        If `k` is negative or `limit` is below 1.

    Notes
    -----
    Differences from the authors' code. Words are given without tags, so all words with a letter are
    substituted, not only those of open classes, prepositions and determiners, and substitutes are
    not checked for their part of speech. The word itself is never its own substitute. Punctuation
    stays in the sentences; UUAS decodes again over the kept words. Attention to a word is summed
    over its subwords, as in `WordAttentions`, not averaged. As there, a word is masked by one token
    however many subwords it has, substitutes are whole words of one token, and attention to special
    tokens is left out and each row divided by its sum.

    The tree is undirected: its score is UUAS. For the other scores, it is directed from the word
    with the highest mean attention, which is not part of the method.

    A sentence of n words takes n passes to find substitutes, and ``1 + k n`` for their attention.

    Examples
    --------
    >>> method = Substitutability(encoder, k=3).fit(train, dev)  # doctest: +SKIP
    >>> method.chosen_, method.curve_  # doctest: +SKIP
    """

    name = "substitutability"
    order = 52
    reads_head = True
    options: Mapping[str, type] = MappingProxyType({"k": int, "layer": int, "limit": int})
    fitted_attribute = "chosen_"
    from_context = ("encoder", "punct", "progress")

    curve_: Mapping[int, float]

    def __init__(
        self,
        encoder: Encoder,
        *,
        k: int = K,
        layer: int | None = None,
        limit: int | None = None,
        punct: str | None = None,
        progress: bool | None = None,
    ) -> None:
        from structprobe.attention.word_attentions import WordAttentions
        from structprobe.encoder.encoder import unwatched
        from structprobe.masking.substitutes import Substitutes

        if k < 0:
            raise ProbeError(f"k must be at least 0 substitutes, got {k}")
        if limit is not None and limit < 1:
            raise ProbeError(f"limit must be at least 1 word, got {limit}")
        self.encoder, self.k, self.layer, self.limit = encoder, k, layer, limit
        self.punct, self.progress = punct, progress
        self.name = bracketed(
            self.name, {"k": None if k == K else k, "layer": layer, "limit": limit}
        )
        self._substitutes = Substitutes(encoder, k) if k else None
        # Unknown words are told where substitutes are found, once.
        self._attentions = WordAttentions(unwatched(encoder), special="renormalise")
        if layer is not None:
            if layer not in self._attentions.layers:
                choices = ", ".join(map(str, self._attentions.layers))
                what = f"layer {layer} has no attention weights"
                raise EncoderError(what, hint=f"choose one of the layers {choices}")
            self.chosen_ = {"layer": layer}

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Choose the best layer on dev, or on train without dev."""
        if self.layer is not None:
            return
        bank, layers = train if dev is None else dev, self._attentions.layers
        averages = self._averages(bank, range(len(layers)))
        curve = {}
        for index, layer in enumerate(layers):
            trees = [None if one is None else _decode(one[index]) for one in averages]
            found, _ = chains_for_missing(bank, trees, self.limit)
            curve[layer] = score(bank, found, punct=self.punct).uuas
        self.curve_ = {layer: uuas for layer, uuas in curve.items() if uuas is not None}
        if not self.curve_:
            raise ProbeError("no layer can be chosen: the dev set has no edges to score")
        self.chosen_ = {"layer": max(self.curve_, key=self.curve_.__getitem__)}

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence from the chosen layer."""
        self._check_fitted()
        if not len(sentences):
            return []
        layer = self.chosen_["layer"]
        averages = self._averages(sentences, [self._attentions.layers.index(layer)])
        trees = [None if one is None else _decode(one[0]) for one in averages]
        found, choice = chains_for_missing(sentences, trees, self.limit)
        self.chosen_ = {"layer": layer}
        if choice:
            self.chosen_ |= {"choice": choice}
            _logger.warning("%s: %s", self.name, choice)
        return found

    def _averages(
        self, sentences: Sequence[Sentence], layers: Sequence[int]
    ) -> list[Floats | None]:
        """Give the averaged attention from word to word in some layers, by index."""
        # -> (n_layers, n, n); None if a sentence is too long
        from structprobe.encoder.subwords.sentences import space_sentences

        found: list[Floats | None] = [None] * len(sentences)
        short = [i for i, one in enumerate(sentences) if len(one) <= (self.limit or len(one))]
        if not short:
            return found
        bank = [sentences[i] for i in short]
        substitutes: list[list[list[str]] | None] = [[[]] * len(one) for one in bank]
        if self._substitutes:
            substitutes = self._substitutes.find(bank, self.progress)
        else:
            next(self.encoder.batches(bank))  # which tells of unknown words
        spaced = space_sentences(bank, self.encoder.spacing)
        with progress_bar("attend", len(short), "sent", shown=self.progress) as advance:
            for start in range(0, len(short), _AT_ONCE):
                some = slice(start, start + _AT_ONCE)
                averages = self._some_averages(spaced[some], substitutes[some], layers)
                for i, average in zip(short[some], averages, strict=True):
                    found[i] = average
                    advance(1)
        return found

    def _some_averages(
        self,
        spaced: Sequence[SpacedWords],
        substitutes: Sequence[list[list[str]] | None],
        layers: Sequence[int],
    ) -> Iterator[Floats | None]:
        """Read all variants of some sentences."""
        texts: list[Any] = []  # the variants, spaced
        places = []  # of each, its sentence and the word that is substituted
        for i, (one, of_words) in enumerate(zip(spaced, substitutes, strict=True)):
            if of_words is not None:
                texts.append(one)
                places.append((i, slice(None)))
            for place, words in enumerate(of_words or ()):
                for word in words:
                    others = (*one.words[:place], word, *one.words[place + 1 :])
                    texts.append(replace(one, words=others))
                    places.append((i, slice(place, place + 1)))
        sums = [np.zeros((len(layers), *2 * [len(one.words)]), np.float32) for one in spaced]
        for batch in self._attentions.read(texts, progress=False) if texts else ():
            attention = batch.weights[:, layers].mean(axis=2)  # (b, n_layers, n, n)
            for number, n, own in zip(
                batch.sentences.tolist(), batch.lengths, attention, strict=True
            ):
                i, columns = places[number]
                sums[i][:, :, columns] += own[:, :n, :n][:, :, columns]
        for total, of_words in zip(sums, substitutes, strict=True):
            counts = np.array([1 + len(one) for one in of_words or ()], dtype=np.float32)
            yield None if of_words is None else total / counts


def _decode(attention: Floats) -> Prediction:
    """Decode attention from word to word, (n, n)."""
    received = attention.sum(axis=0, where=~np.eye(len(attention), dtype=bool), dtype=np.float64)
    depths = -received / max(1, len(attention) - 1)
    closeness = np.maximum(attention, attention.T)
    return tree_of_pairs(closeness, int(depths.argmin()) + 1, depths)
