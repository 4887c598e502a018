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

    def tree_vectors(self, ids: Tensor, before: Tensor, depths: Tensor, marks: Tensor) -> Tensor:
        """Read rows of which each position attends to those before it in a tree, and to itself."""
        # ids, depths (n_rows, n_positions), before (n_rows, n_positions, n_positions)
        # -> (n_rows, n_positions, width)
        dtype = next(self.whole.parameters()).dtype
        mask = torch.zeros(before.shape, dtype=dtype, device=ids.device)
        mask.masked_fill_(~before, torch.finfo(dtype).min)
        more = {"position_ids": depths, "output_hidden_states": False}
        with marking(marks):
            return self._taken(run_model(self._reader, ids, mask[:, None], **more))

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
        """Find out if two rows that begin alike have the vectors of whole passes in one tree."""
        with quiet_transformers(), reading(self.whole):
            half, n = len(row) // 2, len(row)
            ids = torch.tensor([row], device=device_of(self.whole))
            other = ids.clone()
            other[:, half:] = ids[:, half:].flip(1)
            both = torch.cat([ids, other])  # (2, n)
            whole = self.vectors(both, torch.ones_like(both), _no_words(both))
            tree = torch.cat([ids, other[:, half:]], dim=1)  # (1, 2 n - half)
            before = torch.ones(tree.shape[1], tree.shape[1], dtype=torch.bool, device=ids.device)
            before = before.tril()
            before[n:, half:n] = False  # the second row goes on from what both begin with
            depths = torch.cat([torch.arange(n), torch.arange(half, n)]).to(ids.device)[None]
            try:
                found = self.tree_vectors(tree, before[None], depths, _no_words(tree))
            except Exception as error:  # as above: it takes no mask or no positions of this form
                if is_out_of_memory(error):
                    raise
                return False
        parts = torch.cat([found[:, :n], torch.cat([found[:, :half], found[:, n:]], dim=1)])
        return self._agree(whole, parts)

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
