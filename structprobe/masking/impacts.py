"""Perturbed masking: how masking one word changes the representation of another masked word."""

from __future__ import annotations

import logging
import os
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
from structprobe.masking.masked_copies import MaskedCopies, MaskedRows
from structprobe.models import Model
from structprobe.models.adapters import fetch_adapter, find_adapter, unwrap
from structprobe.models.fingerprints import fingerprint_parameters
from structprobe.models.languages import set_language
from structprobe.models.limits import pick_layers
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import reading
from structprobe.progress import progress_bar

MEASURES = ("distance", "probability")

Impacts = NDArray[np.float32]

_logger = logging.getLogger(__name__)

# Impacts, kept as long as their encoder: n * n numbers per sentence, which is little.
_recalled: WeakKeyDictionary[Encoder, dict[Any, list[Impacts | None]]] = WeakKeyDictionary()


class MaskedImpacts:
    """Reads the impact of each word of a sentence on each other from a masked language model."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        measure: str = "distance",
        layer: int | None = None,
        limit: int | None = None,
    ) -> None:
        if measure not in MEASURES:
            raise EncoderError(unknown_name("measure", measure, MEASURES))
        if limit is not None and limit < 1:
            raise EncoderError(f"limit must be at least 1 word, got {limit}")
        self.encoder, self.measure, self.limit = encoder, measure, limit
        layer = encoder.layers[-1] if layer is None else layer
        (self.layer,) = pick_layers(layer, encoder.n_layers, encoder.layers)
        self._mask_token = _find_mask(encoder)
        self._halving = make_halving(encoder.loaded.name)
        self._read_rows: Callable[[MaskedRows], Tensor] = self._vectors
        if measure == "probability":
            self._whole = _with_masked_head(encoder)
            self._read_rows = self._probabilities

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
        copies = MaskedCopies([pieces for *_, pieces in read], layout, self._mask_token)
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
        head = head_fingerprint(self.encoder) if self.measure == "probability" else None
        settings = (self.measure, self.limit, self.layer, self.encoder.pooling, head)
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
        _logger.info("perturbed masking: %s, about %s seconds", told, f"{seconds:,.1f}")

    def _run(
        self, copies: MaskedCopies, on_rows: Callable[[int], object]
    ) -> Iterator[tuple[int, Impacts]]:
        """Run all copies through the model, and collect the impacts of each sentence."""
        held: Tensor | None = None  # (n, width): words masked alone, of an unfinished sentence
        matrix = np.empty((0, 0), dtype=np.float32)

        def collect(batch: tuple[int, int]) -> list[tuple[int, Impacts]]:
            nonlocal held, matrix
            found, rows = [], copies.rows(*batch)
            lengths = [copies.sentences[part.sentence].n_words for part in rows.parts]
            changes, alone = self._changes(rows, lengths, held)
            for part, n in zip(rows.parts, lengths, strict=True):
                if part.begins:
                    matrix = np.zeros((n, n), dtype=np.float32)
                one, other = rows.words[part.first : part.last].T
                matrix[one, other], matrix[other, one] = changes[part.first : part.last].T
                if part.ends:
                    found.append((part.sentence, matrix))
            held = None if rows.parts[-1].ends else alone[-lengths[-1] :]
            return found

        for start, stop in copies.batches:
            for found in self._halving.run(collect, (start, stop), _halve):
                yield from found
            on_rows(stop - start)

    def _changes(
        self, rows: MaskedRows, lengths: Sequence[int], held: Tensor | None
    ) -> tuple[NDArray[np.float32], Tensor]:
        """Compare each masked word with the same word masked alone, and give the latter too."""
        # -> (n_rows, 2): the impacts of the second on the first and back; (n_words, width)
        with torch.no_grad():
            read = self._read_rows(rows)  # (n_rows, 2, width)
            n_rows = [part.last - part.first for part in rows.parts]
            words = rows.words + np.repeat(np.cumsum([0, *lengths[:-1]]), n_rows)[:, None]
            places = torch.from_numpy(words).to(read.device)
            alone = read.new_zeros(sum(lengths), read.shape[-1])  # (n_words, width)
            if held is not None:
                alone[: len(held)] = held
            single = places[:, 0] == places[:, 1]
            alone[places[single, 0]] = read[single, 0]
            change = alone[places] - read  # (n_rows, 2, width)
            if self.measure == "distance":
                change = torch.linalg.vector_norm(change, dim=-1, keepdim=True)
            return change.squeeze(-1).cpu().numpy(), alone

    def _vectors(self, rows: MaskedRows) -> Tensor:
        """Give the vectors of both masked words of each row, (n_rows, 2, hidden_size)."""
        ids, mask, weights = self.encoder.loaded.put(rows.ids, rows.mask, rows.weights)
        loaded = self.encoder.loaded
        with reading(loaded.model):
            (hidden,) = loaded.run(ids, mask, [self.layer])
        return weights @ hidden.float()

    def _probabilities(self, rows: MaskedRows) -> Tensor:
        """Give the probability of both masked words, (n_rows, 2, 1)."""
        ids, mask, weights, truth = self.encoder.loaded.put(
            rows.ids, rows.mask, rows.weights, rows.unmasked
        )
        with reading(self._whole):
            logits = self._whole(input_ids=ids, attention_mask=mask, return_dict=True).logits
        asked = (weights > 0).any(dim=1)  # (n_rows, n_positions)
        chances = logits[asked].float().softmax(dim=-1)  # (n_asked, n_vocabulary)
        right: Tensor = chances.new_zeros(asked.shape)  # (n_rows, n_positions)
        right[asked] = chances.gather(1, truth[asked][:, None]).squeeze(1)
        return weights @ right[:, :, None]


def _halve(batch: tuple[int, int]) -> list[tuple[int, int]]:
    """Divide the copies of a batch."""
    start, stop = batch
    middle = (start + stop) // 2
    return [(start, middle), (middle, stop)] if middle > start else []


def _find_mask(encoder: Encoder) -> int:
    """Give the id of the mask token."""
    loaded = encoder.loaded
    token = loaded.tokenizer.mask_token_id
    if token is None or token >= loaded.model.get_input_embeddings().weight.shape[0]:
        what = f"{loaded.name!r} has no mask token, which perturbed masking needs"
        hint = "choose a masked language model, such as BERT, RoBERTa or DeBERTa"
        raise EncoderError(what, hint=hint)
    return int(token)


def head_fingerprint(encoder: Encoder) -> str | None:
    """Identify a model object with its head; None for a model that is loaded by name."""
    model = unwrap(encoder.model)
    named = isinstance(model, str | os.PathLike)
    return None if named else fingerprint_parameters(model, model.config)


def _with_masked_head(encoder: Encoder) -> Model:
    """Give a model with its language modelling head."""
    loaded, model = encoder.loaded, unwrap(encoder.model)
    no_head = EncoderError(
        f"{loaded.name!r} has no head for masked language modelling, which measure='probability' "
        "needs",
        hint="load a checkpoint that was saved with its head, or use measure='distance'",
    )
    if not isinstance(model, str | os.PathLike):
        has_head = model is not loaded.model and model.base_model is loaded.model
        if has_head and model.get_output_embeddings() is not None:
            return model
        raise no_head
    is_adapter = find_adapter(fetch_adapter(loaded.name, loaded.revision)) is not None
    if loaded.fingerprint.startswith("untrained-") or is_adapter:
        raise no_head
    from transformers import AutoModelForMaskedLM

    try:
        with quiet_transformers():
            whole, info = AutoModelForMaskedLM.from_pretrained(
                loaded.name,
                revision=loaded.revision,
                trust_remote_code=encoder.trust_remote_code,
                dtype=loaded.dtype,
                **loaded.placement.options(loaded.device, loaded.dtype),
                output_loading_info=True,
            )
    except Exception as error:  # the libraries raise errors of any type
        raise no_head from error
    if info["missing_keys"]:
        raise no_head
    set_language(whole, loaded.lang, loaded.tokenizer, loaded.name, ours=True)
    return whole.to(loaded.device) if loaded.placement.is_plain else whole


def _refuse_non_finite(impacts: NDArray[np.float32], sentence: SpacedWords) -> None:
    """Raise an error for infinite or NaN impacts."""
    if not np.isfinite(impacts).all():
        on, by = (sentence.words[i] for i in np.argwhere(~np.isfinite(impacts))[0])
        raise overflow(f"the impact of word {by!r} on {on!r}", sentence.where)
