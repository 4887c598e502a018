"""Log-probabilities of tokens: passes that end at the head, and the head where it is needed."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

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
        self._path = ""  # of what is run in the first step; the whole model if there is only one
        self._form: Any = None  # of what it gives
        told = f"scoring a few short texts with {loaded.name!r}"
        texts = make_texts(loaded.tokenizer, loaded.n_tokens, loaded.max_positions)
        self._bound = TOLERANCES[loaded.dtype]
        with quiet_transformers(), refuse_shortage(told, EncoderError, MEMORY_HINT):
            self._find_steps(texts, loaded.device, loaded.name)
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

    def go_on(self, kept: Any, begun: Tensor | None, ids: Tensor, marks: Tensor) -> Tensor:
        """Read on: each row goes on from one of those that were begun, in order if none are named.

        What is kept is that of these rows from then on.
        """
        # begun (n_rows,), ids (n_rows, n_positions) -> (n_rows, n_positions, width)
        if begun is not None:
            kept.reorder_cache(begun)
        mask = ids.new_ones(len(ids), kept.get_seq_length() + ids.shape[1])
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
    def in_steps(self) -> bool:
        """Whether the head is given vectors in a step of its own."""
        return bool(self._path)

    @property
    def _reader(self) -> Model:
        """What is run in the first step."""
        return self.whole.get_submodule(self._path)

    def _taken(self, output: Any) -> Tensor:
        """Give what is taken from the output of the first step."""
        self._form = type(output)
        taken: Tensor = output.last_hidden_state if self.in_steps else output.logits
        return taken

    def _logits(self, vectors: Tensor) -> Tensor:
        """Give the scores of all tokens, (n, width) -> (n, n_tokens)."""
        if not self.in_steps:
            return vectors
        form = self._form(last_hidden_state=vectors[None])
        headed = _replaced(self.whole, self._path, _StandIn(self._reader, form))
        ids = torch.zeros(1, len(vectors), dtype=torch.int64, device=vectors.device)
        output = run_model(headed, ids, torch.ones_like(ids), output_hidden_states=False)
        logits: Tensor = output.logits[0]
        return logits

    def _find_steps(self, texts: Sequence[list[int]], device: torch.device, name: str) -> None:
        """Find what to run in the first step, so that both give what a whole pass gives."""
        ids, mask = pad_texts(batches_of(texts, self._batching)[-1], self._pad, device)
        there = mask.bool()
        with reading(self.whole):
            output = run_model(self.whole, ids, mask, output_hidden_states=False)
            wanted = getattr(output, "logits", None)
            if wanted is None or wanted.shape[:2] != ids.shape:
                what = f"{name!r} gives no scores of tokens for each position"
                raise EncoderError(what, hint="load it with a language modelling head")
            wanted = wanted[there]  # (n, n_tokens)
            self._n_scores = wanted.shape[1]
            for path in _bodies(self.whole):
                self._path = path
                try:
                    vectors = self.vectors(ids, mask, _no_words(ids))[there]
                    if self._agree(wanted, self._logits(vectors.flip(0)).flip(0)):
                        return
                except Exception as error:  # of any type, if the head is built in another way
                    if is_out_of_memory(error):
                        raise
            self._path = ""

    def _can_share(self, texts: Sequence[list[int]], device: torch.device) -> bool:
        """Find out if what rows share in front can be read once."""
        longest = max(texts, key=len, default=[])
        return self._batching == PADDED and len(longest) > 3 and self.shares_well(longest)

    def shares_well(self, row: Sequence[int]) -> bool:
        """Find out if a row that is read in three parts has the vectors of a whole pass."""
        # The first and the last part are of one token; another row is read beside it.
        with quiet_transformers(), reading(self.whole):
            ids = torch.tensor([row], device=device_of(self.whole))
            whole = self.vectors(ids, torch.ones_like(ids), _no_words(ids))
            both = torch.cat([ids.flip(1), ids])  # (2, n_tokens)
            places = torch.tensor([1, 0], device=ids.device)
            try:
                first, *rest = both.split([1, len(row) - 2, 1], dim=1)
                found, kept = self.begin(first, _no_words(first))
                parts = [found[1:]]
                for k, part in enumerate(rest):  # the row comes first, then last
                    part = part if k else part.flip(0)
                    parts.append(self.go_on(kept, places, part, _no_words(part))[k : k + 1])
            except Exception as error:  # as above: it keeps nothing, or in another way
                if is_out_of_memory(error):
                    raise
                return False
        return self._agree(whole, torch.cat(parts, dim=1))

    def _agree(self, wanted: Tensor, got: Tensor) -> bool:
        """Whether two readings of a text agree."""
        if wanted.shape != got.shape:
            return False
        bound = self._bound * wanted.float().abs().max()
        return bool((wanted.float() - got.float()).abs().max() <= bound)


class _StandIn:
    """Stands for the part of a model before its head, and gives what it is told."""

    def __init__(self, body: Model, output: Any) -> None:
        self._body, self._output = body, output

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


def _bodies(whole: Model) -> Iterator[str]:
    """Give the paths of what may come before the head: all the rest of a model, or its decoder."""
    paths = {id(module): path for path, module in whole.named_modules()}
    yield paths[id(whole.base_model)]
    if callable(getattr(whole, "get_decoder", None)):
        yield paths.get(id(whole.get_decoder()), "")


def _replaced(module: Module, path: str, part: object) -> Module:
    """Give a copy of a module with another part; all that is in it is shared."""
    first, _, rest = path.partition(".")
    inner = _replaced(module.get_submodule(first), rest, part) if rest else part
    changed = copy.copy(module)
    changed.__dict__["_modules"] = {**module._modules, first: inner}
    return changed


def _no_words(ids: Tensor) -> Tensor:
    """Mark positions that belong to no word, (n_rows, n_positions, 2)."""
    marks = torch.zeros(*ids.shape, 2, dtype=torch.int64, device=ids.device)
    marks[..., 1] = -1
    return marks
