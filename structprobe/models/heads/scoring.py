"""Log-probabilities of tokens: passes that end at the head, and the head where it is needed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from structprobe.errors import EncoderError
from structprobe.memory import is_out_of_memory, refuse_shortage
from structprobe.models import Model
from structprobe.models.inside.edits import marking
from structprobe.models.loading import LoadedModel
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import PADDED, device_of, reading, run_model, run_rows
from structprobe.models.trial import MEMORY_HINT, TOLERANCES, batches_of, make_texts, pad_texts

# Numbers of one product with the vocabulary. Measured, SmolLM2 on a CPU: 128 to 192 positions of
# 49,152 tokens take 0.26 seconds where 32, or all 384, take 0.39 to 0.65.
_NUMBERS = 2**23
_LEAST = 128  # positions


class TokenScorer:
    """Reads token ids with a model and its head, and scores tokens in two steps.

    The first gives a vector for each position, what the head is given; the second gives it some of
    these vectors. Where the two do not give the scores of a whole pass, on short texts, the scores
    of a whole pass stand for the vectors.
    """

    def __init__(self, whole: Model, loaded: LoadedModel) -> None:
        self.whole, self._batching, self._pad = whole, loaded.batching, loaded.pad
        self._body = whole.base_model
        name, told = loaded.name, f"scoring a few short texts with {loaded.name!r}"
        texts = make_texts(loaded.tokenizer, loaded.n_tokens, loaded.max_positions)
        self._bound = TOLERANCES[loaded.dtype]
        with quiet_transformers(), refuse_shortage(told, EncoderError, MEMORY_HINT):
            self.in_steps = self._can_step(texts, loaded.device, name)
            self.can_share = self._can_share(texts, loaded.device)

    def vectors(self, ids: Tensor, mask: Tensor, marks: Tensor) -> Tensor:
        """Read rows whose positions are marked, (n_rows, n_positions, 2)."""

        # -> (n_rows, n_positions, width)
        def run(ids: Tensor, mask: Tensor, marks: Tensor) -> list[Tensor]:
            with marking(marks):
                output = run_model(self._reader, ids, mask, output_hidden_states=False)
            return [self._taken(output)]

        return run_rows(run, (ids, mask, marks), self._batching)[0]

    def begin(self, ids: Tensor, marks: Tensor) -> tuple[Tensor, Any]:
        """Read the beginnings of rows, all of one length, and keep what the rest needs of them."""
        # ids (n_rows, n_positions) -> (n_rows, n_positions, width)
        with marking(marks):
            output = run_model(self._reader, ids, torch.ones_like(ids), use_cache=True)
        return self._taken(output), output.past_key_values

    def go_on(self, kept: Any, begun: Tensor, ids: Tensor, mask: Tensor, marks: Tensor) -> Tensor:
        """Read the rest of rows, each of which begins as one of those that were begun.

        What is kept is used up.
        """
        # begun (n_rows,), ids, mask (n_rows, n_positions) -> (n_rows, n_positions, width)
        kept.reorder_cache(begun)
        n_before = kept.get_seq_length()
        mask = torch.cat([mask.new_ones(len(mask), n_before), mask], dim=1)
        with marking(marks):
            more: dict[str, Any] = {"past_key_values": kept, "use_cache": True}
            return self._taken(run_model(self._reader, ids, mask, **more))

    def log_probs(self, vectors: Tensor, places: Tensor, tokens: Tensor) -> Tensor:
        """Give the natural log-probability of tokens, each at the place of one of the vectors."""
        # vectors (n, width), places (m,), tokens (m,) -> (m,)
        asked, places = places.unique(return_inverse=True)
        found = vectors.new_zeros(len(places), dtype=torch.float32)
        step = max(_LEAST, _NUMBERS // self._n_scores)
        for start in range(0, len(asked), step):
            logits = self._logits(vectors[asked[start : start + step]]).float()  # (k, n_tokens)
            own = (places >= start) & (places < start + step)
            row = places[own] - start
            found[own] = logits[row, tokens[own]] - logits.logsumexp(dim=-1)[row]
        return found

    @property
    def _reader(self) -> Model:
        """What is run in the first step."""
        return self._body if self.in_steps else self.whole

    def _taken(self, output: Any) -> Tensor:
        """Give what is taken from the output of the first step."""
        taken: Tensor = output.last_hidden_state if self.in_steps else output.logits
        return taken

    def _logits(self, vectors: Tensor) -> Tensor:
        """Give the scores of all tokens, (n, width) -> (n, n_tokens)."""
        if not self.in_steps:
            return vectors
        # A copy whose part before the head gives what it is told; all weights are shared.
        headed = copy.copy(self.whole)
        name = self.whole.base_model_prefix
        headed._modules = {**self.whole._modules, name: _StandIn(self._body, vectors[None])}
        ids = torch.zeros(1, len(vectors), dtype=torch.int64, device=vectors.device)
        output = run_model(headed, ids, torch.ones_like(ids), output_hidden_states=False)
        logits: Tensor = output.logits[0]
        return logits

    def _can_step(self, texts: Sequence[list[int]], device: torch.device, name: str) -> bool:
        """Find out if the two steps give what a whole pass gives."""
        ids, mask = pad_texts(batches_of(texts, self._batching)[-1], self._pad, device)
        there, marks = mask.bool(), torch.zeros(*ids.shape, 2, device=device)
        with reading(self.whole):
            output = run_model(self.whole, ids, mask, output_hidden_states=False)
            wanted = getattr(output, "logits", None)
            if wanted is None or wanted.shape[:2] != ids.shape:
                what = f"{name!r} gives no scores of tokens for each position"
                raise EncoderError(what, hint="load it with a language modelling head")
            wanted = wanted[there]  # (n, n_tokens)
            self._n_scores = wanted.shape[1]
            self.in_steps = True
            try:
                got = self._logits(self.vectors(ids, mask, marks)[there].flip(0)).flip(0)
            except Exception as error:  # of any type, if the head is built in another way
                if is_out_of_memory(error):
                    raise
                return False
        return self._agree(wanted, got)

    def _can_share(self, texts: Sequence[list[int]], device: torch.device) -> bool:
        """Find out if what rows share in front can be read once."""
        longest = max(texts, key=len, default=[])
        if self._batching != PADDED or len(longest) < 4:
            return False
        half = len(longest) // 2
        return self.shares_well([longest, longest[1:]], [half, 1])

    def shares_well(self, rows: Sequence[Sequence[int]], n_shared: Sequence[int]) -> bool:
        """Find out if rows that are read in two parts have the vectors of whole passes."""
        with quiet_transformers(), reading(self.whole):
            try:
                return all(map(self._shares, rows, n_shared))
            except Exception as error:  # as above: it keeps nothing, or in another way
                if is_out_of_memory(error):
                    raise
                return False

    def _shares(self, row: Sequence[int], n: int) -> bool:
        """Read a row whole and in two parts, the second in a padded batch, and compare."""
        ids = torch.tensor([row], device=device_of(self._body))
        starts = torch.cat([ids[:, :n].flip(1), ids[:, :n]])  # (2, n)
        rest = torch.cat([ids[:, n:], ids.new_full((1, 2), self._pad)], dim=1)
        rest = torch.cat([rest, ids[:, :1].expand_as(rest)])  # (2, n_rest + 2)
        mask = torch.ones_like(rest)
        mask[0, -2:] = 0
        marks = ids.new_zeros(2, max(ids.shape[1], rest.shape[1]), 2)
        whole = self.vectors(ids, torch.ones_like(ids), marks[:1, : ids.shape[1]])
        begun, kept = self.begin(starts, marks[:, :n])
        places = torch.tensor([1, 0], device=ids.device)
        got = self.go_on(kept, places, rest, mask, marks[:, : rest.shape[1]])[:1, :-2]
        return self._agree(whole, torch.cat([begun[1:], got], dim=1))

    def _agree(self, wanted: Tensor, got: Tensor) -> bool:
        """Whether two readings of a text agree."""
        if wanted.shape != got.shape:
            return False
        bound = self._bound * wanted.float().abs().max()
        return bool((wanted.float() - got.float()).abs().max() <= bound)


class _StandIn:
    """Stands for the part of a model before its head, and gives vectors that are given."""

    def __init__(self, body: Model, vectors: Tensor) -> None:
        self._body, self._vectors = body, vectors

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self._vectors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)
