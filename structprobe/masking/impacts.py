"""The impact of masking one word on another: on its vector, probability or log-probability."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.encoder.checks import overflow
from structprobe.encoder.encoder import Encoder
from structprobe.encoder.keys import pass_key
from structprobe.encoder.subwords.batching import make_halving
from structprobe.encoder.subwords.sentences import SentenceLike, SpacedWords
from structprobe.errors import EncoderError, unknown_name
from structprobe.masking.masked_copies import (
    LEFT_TO_RIGHT,
    OTHERS,
    PAIRS,
    MaskedCopies,
    MaskedRows,
)
from structprobe.masking.masked_head import MaskedHead, find_mask, head_fingerprint
from structprobe.models.limits import pick_layers
from structprobe.models.reading import reading
from structprobe.progress import progress_bar

MEASURES = ("distance", "probability", "pmi")

Impacts = NDArray[np.float32]

_logger = logging.getLogger(__name__)

# Impacts, kept as long as their encoder: n * n numbers per sentence, which is little.
_recalled: WeakKeyDictionary[Encoder, dict[Any, list[Impacts | None]]] = WeakKeyDictionary()


class MaskedImpacts:
    """Reads the impact of each word of a sentence on each other from a masked language model.

    The word itself is masked too, unless it is left unmasked.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        measure: str = "distance",
        layer: int | None = None,
        limit: int | None = None,
        unmasked: bool = False,
    ) -> None:
        if measure not in MEASURES:
            raise EncoderError(unknown_name("measure", measure, MEASURES))
        if limit is not None and limit < 1:
            raise EncoderError(f"limit must be at least 1 word, got {limit}")
        if unmasked and measure == "pmi":
            what = "measure='pmi' compares probabilities of a masked word, so it cannot be unmasked"
            raise EncoderError(what, hint="leave out unmasked, or use another measure")
        self.encoder, self.measure, self.limit = encoder, measure, limit
        layer = encoder.layers[-1] if layer is None else layer
        (self.layer,) = pick_layers(layer, encoder.n_layers, encoder.layers)
        self._scheme = OTHERS if unmasked else LEFT_TO_RIGHT if measure == "pmi" else PAIRS
        self._method = "CPMI" if measure == "pmi" else "perturbed masking"
        self._mask_token = find_mask(encoder, self._method)
        self._halving = make_halving(encoder.loaded.name)
        self._read_rows: Callable[[MaskedRows], Tensor] = self._vectors
        if measure != "distance":
            needed_by = "CPMI" if measure == "pmi" else "measure='probability'"
            instead = "" if measure == "pmi" else ", or use measure='distance'"
            self._head = MaskedHead(encoder, needed_by, instead)
            self._read_rows = self._chances

    def read(
        self, sentences: Iterable[SentenceLike], progress: bool | None = None
    ) -> Iterator[tuple[int, Impacts]]:
        """Give the impacts within each sentence, the longest sentences first."""
        # -> (n, n)
        read = []
        for batch in self.encoder.batches(sentences):
            layout = batch.layout
            for one in zip(batch.numbers.tolist(), batch.sentences, batch.pieces, strict=True):
                n_pieces, n_words = len(one[2].ids), one[2].n_words
                if n_pieces <= (layout.size or n_pieces) and n_words <= (self.limit or n_words):
                    read.append(one)
        texts = [pieces for *_, pieces in read]
        copies = MaskedCopies(texts, layout, self._mask_token, self._scheme)
        self._foretell(copies)
        with progress_bar("mask", copies.n_rows, "pass", shown=progress) as advance:
            for place, impacts in self._run(copies, advance):
                number, sentence, _ = read[place]
                _refuse_non_finite(impacts, sentence)
                yield number, impacts

    def recall(
        self, sentences: Sequence[SentenceLike], progress: bool | None = None
    ) -> list[Impacts | None]:
        """Give the impacts within all sentences, computed once per encoder."""
        # -> (n, n)
        head = None if self.measure == "distance" else head_fingerprint(self.encoder)
        told = (self.measure, self._scheme, self.limit, self.layer)
        settings = (*told, self.encoder.pooling, head)
        key = (*settings, *pass_key(self.encoder, sentences).values())
        known = _recalled.setdefault(self.encoder, {})
        if key not in known:
            found: list[Impacts | None] = [None] * len(sentences)
            for number, impacts in self.read(sentences, progress):
                found[number] = impacts
            known[key] = found
        return known[key]

    def _foretell(self, copies: MaskedCopies) -> None:
        """Log the number of passes and their time, measured on a batch of medium length."""
        if not copies.batches:
            return
        middle = copies.batches[len(copies.batches) // 2]

        def read(batch: tuple[int, int]) -> None:
            self._read_rows(copies.rows(*batch)).cpu()

        for _ in range(2):  # the first warms up
            start = time.perf_counter()
            with torch.no_grad():
                self._halving.run(read, middle, _halve)
            seconds = (time.perf_counter() - start) * len(copies.batches)
        told = f"{copies.n_rows:,} passes for {len(copies.sentences):,} sentences"
        _logger.info("%s: %s, about %s seconds", self._method, told, f"{seconds:,.1f}")

    def _run(
        self, copies: MaskedCopies, on_rows: Callable[[int], object]
    ) -> Iterator[tuple[int, Impacts]]:
        """Run all copies through the model, and collect the impacts of each sentence."""
        # Vectors of words with no other masked, (n, hidden_size), of an unfinished sentence.
        held: Tensor | None = None
        matrix = np.empty((0, 0), dtype=np.float32)

        def collect(batch: tuple[int, int]) -> list[tuple[int, Impacts]]:
            nonlocal held, matrix
            found, rows = [], copies.rows(*batch)
            lengths = [copies.sentences[part.sentence].n_words for part in rows.parts]
            values, alone = self._values(rows, lengths, held)
            for part, n in zip(rows.parts, lengths, strict=True):
                if part.begins:
                    matrix = np.zeros((n, n), dtype=np.float32)
                own = slice(part.first, part.last)
                is_read = rows.words[own] >= 0
                pair = rows.words[own][is_read], rows.others[own][is_read]
                np.add.at(matrix, pair, values[own][is_read])
                if part.ends:
                    found.append((part.sentence, self._impacts(matrix)))
            held = None if alone is None or rows.parts[-1].ends else alone[-lengths[-1] :]
            return found

        for start, stop in copies.batches:
            for found in self._halving.run(collect, (start, stop), _halve):
                yield from found
            on_rows(stop - start)

    def _impacts(self, values: NDArray[np.float32]) -> Impacts:
        """Compare each word with no other masked, on the diagonal, with the same word otherwise."""
        # values (n, n) -> (n, n)
        return values if self.measure == "distance" else np.diag(values)[:, None] - values

    def _values(
        self, rows: MaskedRows, lengths: Sequence[int], held: Tensor | None
    ) -> tuple[NDArray[np.float32], Tensor | None]:
        """Give what is read of each word; of a vector, the distance from that with no other masked.

        Those vectors are given too.
        """
        # -> (n_rows, n_read), (n_words, hidden_size)
        with torch.no_grad():
            read = self._read_rows(rows)  # (n_rows, n_read, width)
            if self.measure != "distance":
                return read.squeeze(-1).cpu().numpy(), None
            n_rows = [part.last - part.first for part in rows.parts]
            firsts = np.repeat(np.cumsum([0, *lengths[:-1]]), n_rows)[:, None]
            places = torch.from_numpy(np.maximum(rows.words, 0) + firsts).to(read.device)
            alone = read.new_zeros(sum(lengths), read.shape[-1])  # (n_words, width)
            if held is not None:
                alone[: len(held)] = held
            single = torch.from_numpy((rows.words == rows.others) & (rows.words >= 0))
            single = single.to(read.device)
            alone[places[single]] = read[single]
            change = torch.linalg.vector_norm(alone[places] - read, dim=-1)  # (n_rows, n_read)
            return change.cpu().numpy(), alone

    def _vectors(self, rows: MaskedRows) -> Tensor:
        """Give the vectors of the words that are read, (n_rows, n_read, hidden_size)."""
        ids, mask, weights = self.encoder.loaded.put(rows.ids, rows.mask, rows.weights)
        loaded = self.encoder.loaded
        with reading(loaded.model):
            (hidden,) = loaded.run(ids, mask, [self.layer])
        return weights @ hidden.float()

    def _chances(self, rows: MaskedRows) -> Tensor:
        """Give the (log-)probability of the words that are read, (n_rows, n_read, 1)."""
        ids, mask, weights, truth = self.encoder.loaded.put(
            rows.ids, rows.mask, rows.weights, rows.unmasked
        )
        normalise = torch.log_softmax if self.measure == "pmi" else torch.softmax

        def look(logits: Tensor, truth: Tensor, asked: Tensor) -> Tensor:
            # (n_rows, n_positions, n_vocabulary), (n_rows, n_positions) -> (n_rows, n_positions, 1)
            chances = normalise(logits[asked].float(), dim=-1)  # (n_asked, n_vocabulary)
            right: Tensor = chances.new_zeros(asked.shape)  # (n_rows, n_positions)
            right[asked] = chances.gather(1, truth[asked][:, None]).squeeze(1)
            return right[:, :, None]

        asked = (weights > 0).any(dim=1)  # (n_rows, n_positions)
        return weights @ self._head.read(look, ids, mask, truth, asked)


def _halve(batch: tuple[int, int]) -> list[tuple[int, int]]:
    """Divide the copies of a batch."""
    start, stop = batch
    middle = (start + stop) // 2
    return [(start, middle), (middle, stop)] if middle > start else []


def _refuse_non_finite(impacts: NDArray[np.float32], sentence: SpacedWords) -> None:
    """Raise an error for infinite or NaN impacts."""
    if not np.isfinite(impacts).all():
        on, by = (sentence.words[i] for i in np.argwhere(~np.isfinite(impacts))[0])
        raise overflow(f"the impact of word {by!r} on {on!r}", sentence.where)
