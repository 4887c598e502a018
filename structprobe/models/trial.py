"""Try a model on made-up texts: how must texts be batched so that each has its own vectors?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import torch

from structprobe.errors import EncoderError
from structprobe.models import Tokenizer
from structprobe.models.reading import ALONE, EQUAL, PADDED

# Relative to the largest value of a text's layer, how far its vectors may move between batches.
# Rounding moved them by 4e-6 at most in float32; ignoring the mask by 2e-3 at least.
TOLERANCES = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
_WORDS = "the old man saw that a small dog near our house ran away from him and barked".split()
_LENGTHS = (1, 3, 8, len(_WORDS))  # in words
_N_COPIES = 12  # of one text in one batch: a limit of tokens per expert would show

Ids = list[int]
Read = Callable[[Sequence[Ids]], list[torch.Tensor]]  # of each text (n_layers + 1, n, width)


def make_texts(tokenizer: Tokenizer, n_rows: int | None, limit: int | None) -> list[Ids]:
    """Tokenize made-up texts of several lengths, each also backwards, as the model can read them."""
    texts = []
    for n_words in _LENGTHS:
        for words in (_WORDS[:n_words], _WORDS[:n_words][::-1]):
            ids = tokenizer(" ".join(words))["input_ids"]
            ids = [token for token in ids if n_rows is None or 0 <= token < n_rows][:limit]
            if ids and ids not in texts:
                texts.append(ids)
    return texts


def find_batching(read: Read, texts: Sequence[Ids], tolerance: float, name: str) -> str:
    """Find the fastest way to batch texts in which each has the vectors that it has alone."""
    alone = [read([text])[0] for text in texts]

    def holds(batch: Sequence[int]) -> bool:
        got = read([texts[i] for i in batch])
        return all(_agree(alone[i], one, tolerance) for i, one in zip(batch, got, strict=True))

    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    equal = [list(some) for _, some in groupby(order, key=lambda i: len(texts[i]))]
    if holds([*order, *order[-1:] * _N_COPIES]) and holds(order[::-1]):
        return PADDED
    if all(holds([*some, *some[:1] * _N_COPIES]) and holds(some[::-1]) for some in equal):
        return EQUAL
    if all(holds([i]) for i in order):
        return ALONE
    raise EncoderError(
        f"{name!r} gives other vectors each time it reads the same text",
        hint="it draws random numbers or depends on earlier texts, so it cannot be probed",
    )


def _agree(alone: torch.Tensor, got: torch.Tensor, tolerance: float) -> bool:
    """Whether two readings of a text agree in each layer; values that are not finite are equal."""
    # alone, got (n_layers + 1, n_tokens, hidden_size)
    alone, got = (torch.nan_to_num(one.float()) for one in (alone, got))
    gap = (alone - got).abs().amax(dim=(1, 2))
    return bool((gap <= tolerance * alone.abs().amax(dim=(1, 2))).all())
