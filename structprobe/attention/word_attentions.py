"""`WordAttentions`: attention between words, in every layer and head."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.attention.forward import attentions_of_pass
from structprobe.attention.rows import AttentionRows, attention_rows
from structprobe.attention.segment_pairs import PairFrame, find_pair_frame, pair_rows
from structprobe.attention.trial import find_attention
from structprobe.checksums import checksum
from structprobe.drafts import draft_file
from structprobe.encoder.cache.cache_folder import (
    claim,
    one_line_faults,
    refuse_foreign,
    save_array,
    short_digest,
    to_json,
)
from structprobe.encoder.checks import overflow
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.keys import pass_key
from structprobe.encoder.subwords.batching import TextBatch, halve, make_batches, make_halving
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SentenceLike, SpacedWords
from structprobe.errors import EncoderError, StoreError, check_encoder, counted, unknown_name
from structprobe.progress import progress_bar
from structprobe.stored_files import refuse_links

SPECIAL = ("drop", "renormalise", "keep")
"""How attention to special tokens may be treated, see `WordAttentions`."""

_AT_ONCE = 1024  # sentences in memory while they are paired; even


@dataclass(frozen=True, slots=True, eq=False)
class RawAttention:
    """The attention of some sentences as read, before any options are applied."""

    sentences: NDArray[np.int64]  # (b,): indices, from 0
    lengths: NDArray[np.int64]  # (b,): numbers of words
    words: NDArray[np.float32]  # (b, n_layers, n_heads, n, n + 2): from word to word


@dataclass(frozen=True, slots=True, eq=False)
class AttentionBatch:
    """The attention of some sentences of similar length, padded with zeros.

    Layers and heads are counted from 0 here: index 0 is the first layer that has attention (layer 1
    in most models, see `WordAttentions.layers`).
    """

    sentences: NDArray[np.int64]  # (b,): indices of the sentences, from 0
    lengths: NDArray[np.int64]  # (b,): numbers of words
    weights: NDArray[np.float32]  # (b, n_layers, n_heads, n, n)
    special: NDArray[np.float32]  # (b, n_layers, n_heads, n)
    first: NDArray[np.float32]  # (b, n_layers, n_heads, n)
    special_kept: bool = False  # Whether special tokens are an additional node

    def arc_scores(self) -> NDArray[np.float32]:
        """Give attention as arc scores: the score of head `j` for word `i` is weight `i`, `j`."""
        # -> (b, n_layers, n_heads, n, n + 1)
        root = self.special if self.special_kept else np.zeros_like(self.special)
        return np.concatenate([root[..., None], self.weights], axis=-1)

    def of_head(self, layer: int, head: int) -> AttentionBatch:
        """Give the attention of one head."""
        own = np.s_[:, layer : layer + 1, head : head + 1]
        return replace(
            self, weights=self.weights[own], special=self.special[own], first=self.first[own]
        )


class WordAttentions:
    """The attention of a model as matrices from word to word, for all layers and heads.

    Attention *to* a word is summed over its subwords, attention *from* a word is averaged over its
    subwords (Clark et al. 2019, 'What does BERT look at?', section 4.1). Attention to a subword of
    several words is divided evenly among them; attention to a subword of no word (only spaces) is
    left out. So each row, together with the attention to special tokens, sums to at most 1.

    A sentence that is too long for the model is read in the windows of `Encoder`: the row of a word
    comes from the window that gives it most context, with 0 for words outside of it.

    The attention is tried on made-up texts first. With eager attention, which returns weights, the
    model must have the same last hidden state as without, within the bounds for padding; no weight
    may be on later tokens in a causal model; weights are shares, and each row sums to 1 if it comes
    from softmax over all tokens (to less in models with attention sinks). Otherwise the model is
    refused. In hybrid models, layers without attention are named in a warning and left out.

    For an encoder-decoder model, this is the self-attention of the encoder. For a causal model,
    matrices are lower triangular, except for words that share a subword.

    Parameters
    ----------
    encoder : Encoder
        The model. It is run with eager attention; its own passes are not affected.
    special : {"drop", "renormalise", "keep"}, default "drop"
        ``"drop"``: attention to special tokens is left out. ``"renormalise"``: the same, and each
        row is divided by its sum (a row of zeros stays 0). ``"keep"``: as ``"drop"``, but in
        `AttentionBatch.arc_scores` the special tokens together take the place of the root.
    symmetrised : bool, default False
        Whether to replace both weights of a pair of words by their sum. Rows then no longer sum to
        at most 1.
    cache : path, optional
        A cache folder, as for `Encoder.encode`. Attention that is read to the end is stored, 4
        bytes for each layer, head and pair of words, and reused with any options if model and
        words are the same. By default, nothing is stored.

    Attributes
    ----------
    layers : tuple of int
        The layers that have attention, from 1: all, except in hybrid models.
    n_layers, n_heads : int
        Number of these layers, and of heads per layer.
    causal : bool
        Whether the model only attends to preceding words.

    Raises
    ------
    EncoderError
        If the model returns no attention, as state-space models, or returns what is not its
        attention (see above); or if `special` is unknown.

    Examples
    --------
    >>> attentions = WordAttentions(Encoder("bert-base-cased"))  # doctest: +SKIP
    >>> for batch in attentions.read([["The", "dog", "barks"]]):  # doctest: +SKIP
    ...     print(batch.weights.shape)
    (1, 12, 12, 3, 3)
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        special: str = "drop",
        symmetrised: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        if special not in SPECIAL:
            raise EncoderError(unknown_name("special", special, SPECIAL))
        check_encoder(encoder, EncoderError)
        self.encoder, self.special = encoder, special
        self.symmetrised, self.cache = symmetrised, cache
        self.attending = find_attention(encoder.loaded, encoder.surroundings.before)
        self.layers, self.causal = self.attending.layers, self.attending.causal
        self.n_layers, self.n_heads = len(self.layers), self.attending.n_heads

    def __repr__(self) -> str:
        return (
            f"<WordAttentions: {self.n_layers} layers of {self.n_heads} heads, "
            f"special={self.special!r}, symmetrised={self.symmetrised!r}, of {self.encoder!r}>"
        )

    def read(
        self, sentences: Sequence[SentenceLike], *, progress: bool | None = None
    ) -> Iterator[AttentionBatch]:
        """Read sentences batch by batch; only one batch is in memory at a time.

        Parameters
        ----------
        sentences : sequence of Sentence or of sequences of str
            A `Treebank`, or lists of words.
        progress : bool, optional
            Whether to show a progress bar; by default if stderr is a terminal.

        Yields
        ------
        AttentionBatch
            Sentences of similar length, the longest first; each sentence is in one batch.

        Raises
        ------
        EncoderError
            If there are no sentences, or a weight is not finite.
        StoreError
            If the folder is not a structprobe cache, is damaged, or the disk is full.
        """
        with (
            progress_bar("attend", len(sentences), "sent", shown=progress) as advance,
            contextlib.closing(self._raw(sentences)) as batches,
        ):
            for batch in batches:
                yield self._finish(batch)
                advance(len(batch.sentences))

    def read_pairs(
        self, sentences: Sequence[SentenceLike], *, progress: bool | None = None
    ) -> Iterator[tuple[AttentionBatch, NDArray[np.int64]]]:
        """Read sentences in consecutive pairs, as two segments.

        An unpaired last sentence is left out, and so are pairs that are too long for the model.

        Parameters
        ----------
        sentences, progress
            As for `read`.

        Yields
        ------
        batch : AttentionBatch
            Some pairs, each as if it were one sentence, with special tokens in the middle;
            ``sentences`` has the index of the first sentence of each pair.
        segments : ndarray of int64, shape (b, n)
            0 for words of the first sentence, 1 for all others.

        Raises
        ------
        EncoderError
            As for `read`, and if the tokenizer does not support two segments.
        """
        frame = find_pair_frame(self.encoder.loaded.tokenizer)
        n_sentences = len(sentences) // 2 * 2
        with progress_bar("attend", n_sentences // 2, "pair", shown=progress) as advance:
            for start in range(0, n_sentences, _AT_ONCE):
                some = sentences[start : min(start + _AT_ONCE, n_sentences)]
                for batch, segments in self._pairs(some, frame):
                    yield replace(batch, sentences=batch.sentences + start), segments
                advance(len(some) // 2)

    def _pairs(
        self, sentences: Sequence[SentenceLike], frame: PairFrame
    ) -> Iterator[tuple[AttentionBatch, NDArray[np.int64]]]:
        """Read the pairs that fit the model, in batches of similar length."""
        pieces: dict[int, Pieces] = {}
        spaced: dict[int, SpacedWords] = {}
        for text in self.encoder.batches(sentences):
            pieces |= zip(text.numbers.tolist(), text.pieces, strict=True)
            spaced |= zip(text.numbers.tolist(), text.sentences, strict=True)
        limit, layout = self.encoder.loaded.max_positions, text.layout
        pairs = {n: (pieces[n], pieces[n + 1]) for n in range(0, len(pieces), 2)}
        pairs = {n: pair for n, pair in pairs.items() if frame.width(pair) <= (limit or np.inf)}
        numbers = np.array([*pairs], dtype=np.int64)
        widths = [frame.width(pair) for pair in pairs.values()]

        def attend(own: NDArray[np.int64]) -> tuple[AttentionBatch, NDArray[np.int64]]:
            some = [pairs[n] for n in own.tolist()]
            firsts = np.array([one.n_words for one, _ in some], dtype=np.int64)
            lengths = firsts + np.array([other.n_words for _, other in some])
            segments = (np.arange(lengths.max()) >= firsts[:, None]).astype(np.int64)
            words = self._attend([pair_rows(some, frame, layout.pad)], *segments.shape)
            _refuse_non_finite(words, [spaced[n] for n in own.tolist()])
            return self._finish(RawAttention(own, lengths, words)), segments

        halving = make_halving(self.encoder.loaded.name)
        for batch in make_batches(widths, layout.batch_tokens):
            yield from halving.run(attend, numbers[batch], _halve_pairs)

    def _raw(self, sentences: Sequence[SentenceLike]) -> Generator[RawAttention, None, None]:
        """Give the unprocessed attention, from the model or from the cache."""
        passes = self._passes(sentences)
        if self.cache is None:
            yield from passes
            return
        folder, key = Path(self.cache), pass_key(self.encoder, sentences)
        names = [short_digest(to_json({**key, "version": n}).encode()) for n in (1, 2)]
        old, path = (folder / f"attention-{name}.npy" for name in names)
        with one_line_faults(folder):
            refuse_foreign(folder)
            there = old if old.exists() and not path.exists() else path
            if there.exists():
                refuse_links(there, folder, StoreError)
                if not stat.S_ISREG(there.lstat().st_mode):
                    raise _damaged(there, "it is a link, or not a regular file")
                stored = _read_stored(there, with_checks=there == path)
                yield from _complete(stored, len(sentences), there)
            else:
                yield from _store(path, passes)

    def _passes(self, sentences: Sequence[SentenceLike]) -> Iterator[RawAttention]:
        """Run sentences through the model."""

        def attend(batch: TextBatch) -> RawAttention:
            lengths = np.array([pieces.n_words for pieces in batch.pieces], dtype=np.int64)
            words = self._attend(attention_rows(batch), len(lengths), lengths.max())
            _refuse_non_finite(words, batch.sentences)
            return RawAttention(batch.numbers, lengths, words)

        halving = make_halving(self.encoder.loaded.name)
        for batch in self.encoder.batches(sentences):
            yield from halving.run(attend, batch, halve)

    def _attend(self, parts: Iterable[AttentionRows], b: int, n: int) -> NDArray[np.float32]:
        """Run rows through the model; the last two columns: special tokens, first position."""
        # -> (b, n_layers, n_heads, n, n + 2)
        device = self.encoder.loaded.device
        words = torch.zeros((b, self.n_layers, self.n_heads, n, n + 2), device=device)
        with torch.no_grad():
            for rows in parts:
                self._add(rows, words)
        return words.cpu().numpy()

    def _add(self, rows: AttentionRows, words: torch.Tensor) -> None:
        """Add the attention of some windows to the matrices of their sentences."""
        loaded = self.encoder.loaded
        ids, mask, sentence = loaded.put(rows.ids, rows.mask, rows.sentence)
        source, target = loaded.put(rows.source, rows.target)
        (types,) = [None] if rows.types is None else loaded.put(rows.types)
        attentions = attentions_of_pass(loaded, self.attending, ids, mask, types)
        n_rows, n_heads, n_positions, _ = attentions[0].shape
        for layer, weights in enumerate(attentions):
            to_words = weights.float().flatten(1, 2) @ target
            to_words = to_words.view(n_rows, n_heads, n_positions, -1)
            from_words = source[:, None] @ to_words  # (n_rows, n_heads, n, n + 2)
            words[:, layer].index_add_(0, sentence, from_words)

    def _finish(self, batch: RawAttention) -> AttentionBatch:
        """Separate special tokens from the matrices, and apply the options."""
        weights = batch.words[..., :-2]
        special, first = batch.words[..., -2], batch.words[..., -1]
        if self.special == "renormalise":
            total = weights.sum(axis=-1, keepdims=True)
            weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
        if self.symmetrised:
            others = ~np.eye(weights.shape[-1], dtype=np.bool_)
            weights = weights + weights.swapaxes(-1, -2) * others
        kept = self.special == "keep"
        return AttentionBatch(batch.sentences, batch.lengths, weights, special, first, kept)


def _store(path: Path, batches: Iterator[RawAttention]) -> Iterator[RawAttention]:
    """Pass batches on, and store them once all were read, completely or not at all."""
    claim(path.parent)
    with draft_file(path) as file:
        for batch in batches:
            arrays = batch.sentences, batch.lengths, batch.words
            for array in (*arrays, checksum(path.name, arrays)):
                save_array(file, array)
            yield batch


def _read_stored(path: Path, *, with_checks: bool) -> Iterator[RawAttention]:
    """Give the stored batches in their order; older versions wrote no checksums."""
    with path.open("rb") as file:
        while file.tell() < path.stat().st_size:
            try:
                arrays = [
                    np.lib.format.read_array(file, allow_pickle=False)
                    for _ in range(3 + with_checks)
                ]
                if with_checks and not np.array_equal(arrays.pop(), checksum(path.name, arrays)):
                    raise ValueError("checksum mismatch")
                batch = RawAttention(*arrays)
            except Exception as error:  # a damaged header raises errors of any type
                raise _damaged(path, error) from error
            yield batch


def _complete(
    batches: Iterator[RawAttention], n_sentences: int, path: Path
) -> Iterator[RawAttention]:
    """Pass stored batches on, and raise an error unless each sentence is in one of them."""
    left = set(range(n_sentences))
    for batch in batches:
        numbers = batch.sentences.tolist()
        if not left.issuperset(numbers) or len({*numbers}) < len(numbers):
            raise _damaged(path, f"sentences {numbers} are not among those left")
        left.difference_update(numbers)
        yield batch
    if left:
        raise _damaged(path, f"{counted(len(left), 'sentence')} missing")


def _halve_pairs(numbers: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return np.array_split(numbers, 2) if len(numbers) > 1 else []


def _damaged(path: Path, why: object) -> StoreError:
    return StoreError(f"{path} is damaged: {why}", hint="delete it to compute it again")


def _refuse_non_finite(words: NDArray[np.float32], sentences: Sequence[SpacedWords]) -> None:
    """Raise an error for infinite or NaN attention that names the first sentence and layer."""
    if np.isfinite(words.sum()):  # a quick test that misses nothing
        return
    number, layer = np.argwhere(~np.isfinite(words).all(axis=(2, 3, 4)))[0]
    raise overflow(f"layer {layer + 1}: the attention", sentences[number].where)
