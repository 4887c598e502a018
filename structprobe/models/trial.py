"""Try a model on made-up texts, to find how to batch texts so that each has its own vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from structprobe.errors import EncoderError
from structprobe.memory import is_out_of_memory, refuse_shortage
from structprobe.models import Config, Model, Tokenizer
from structprobe.models.inside.edits import unedited
from structprobe.models.inside.hooks import Place, bits, leaving, outermost, watching
from structprobe.models.inside.sites import RESIDUAL, find_site
from structprobe.models.limits import check_layers, count_tokens, find_padding
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import ALONE, EQUAL, PADDED, device_of, reading, run_model

MEMORY_HINT = "use another device, dtype or model"
# Relative to the largest value of a text's layer, how far its vectors may move between batches.
# Measured: rounding moves those of MiniLM by 6e-7 in float32 and 5e-4 in float16; a tiny ConvBERT,
# the least affected of three models that ignore their mask, moves by 3e-3.
TOLERANCES = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}
_WORDS = ("the", "old", "man", "saw", "that", "a", "dog", "ran", "away", "from", "our", "house")
_LENGTHS = (1, 3, 8, len(_WORDS))  # in words
_N_COPIES = 12  # of one text in one batch: a limit of tokens per expert would show

Ids = list[int]


def make_texts(tokenizer: Tokenizer, n_tokens: int | None, limit: int | None) -> list[Ids]:
    """Tokenize made-up texts of several lengths, each also backwards, as the model reads them."""
    texts = []
    for n_words in _LENGTHS:
        for words in (_WORDS[:n_words], _WORDS[:n_words][::-1]):
            ids = tokenizer(" ".join(words))["input_ids"]
            ids = [token for token in ids if n_tokens is None or 0 <= token < n_tokens][:limit]
            if ids and ids not in texts:
                texts.append(ids)
    return texts


def find_batching(model: Model, texts: Sequence[Ids], pad: int, name: str) -> str:
    """Find the fastest way to batch texts in which each has the vectors that it has alone."""
    with reading(model):  # once: random states go on from pass to pass
        alone = [_read(model, [text], pad, name)[0] for text in texts]

        def holds(batch: Sequence[int]) -> bool:
            got = _read(model, [texts[i] for i in batch], pad, name)
            return all(_agree(alone[i], one) for i, one in zip(batch, got, strict=True))

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


def _find_layers(
    model: Model, texts: Sequence[Ids], pad: int, batching: str, name: str
) -> tuple[Place | None, ...]:
    """Find where in a pass each layer is first complete; None where no module gives just that."""
    if not texts:
        return ()
    seen: dict[bytes, list[Place]] = {}
    with reading(model):
        ids = _longest(texts, model)

        def note(place: Place, tensor: torch.Tensor) -> None:
            if tensor.ndim == 3 and tensor.shape[:2] == ids.shape:
                seen.setdefault(bits(tensor), []).append(place)

        with watching(model, note):
            output = run_model(model, ids, torch.ones_like(ids))
        layers = [bits(layer) for layer in check_layers(output, len(ids), ids.shape[1], name)]
        # Of layers with the same values it is not known which is which.
        places = [
            outermost(seen[layer]) if layer in seen and layers.count(layer) == 1 else None
            for layer in layers
        ]
        # Whether it is the same in other texts, and if no hidden states are asked for.
        ids, mask = pad_texts(batches_of(texts, batching)[0], pad, device_of(model))
        wanted = check_layers(run_model(model, ids, mask), len(ids), ids.shape[1], name)
        try:
            with leaving(model, filter(None, places)) as found:
                run_model(model, ids, mask, output_hidden_states=False)
        except Exception as error:  # of code that takes hidden states for granted
            if is_out_of_memory(error):
                raise
            return tuple(None for _ in places)
        got = [None if place is None else found.get(place) for place in places]
        return tuple(
            place if one is not None and bits(one) == bits(layer) else None
            for place, one, layer in zip(places, got, wanted, strict=True)
        )


def batches_of(texts: Sequence[Ids], batching: str) -> list[list[Ids]]:
    """Put texts into the batches that a model can read."""
    if batching == PADDED:
        return [list(texts)]
    if batching == EQUAL:
        return [list(some) for _, some in groupby(sorted(texts, key=len), key=len)]
    return [[text] for text in texts]


def pad_texts(
    texts: Sequence[Ids], pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the ids of texts as one batch, and their mask."""
    # -> (n_texts, n_tokens), (n_texts, n_tokens)
    rows = [torch.tensor(text) for text in texts]
    ids = pad_sequence(rows, batch_first=True, padding_value=pad)
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return ids.to(device), mask.to(device)


def _read(model: Model, texts: Sequence[Ids], pad: int, name: str) -> list[torch.Tensor]:
    """Run texts in one batch; give the layers of each, (n_layers + 1, n_tokens, hidden_size)."""
    ids, mask = pad_texts(texts, pad, device_of(model))
    shape = (ids.shape[0], ids.shape[1])
    layers = torch.stack([*check_layers(run_model(model, ids, mask), *shape, name)], dim=1)
    return [some[:, : len(text)] for some, text in zip(layers, texts, strict=True)]


def _agree(alone: torch.Tensor, got: torch.Tensor) -> bool:
    """Whether two readings of a text agree in each layer."""
    # alone, got (n_layers + 1, n_tokens, hidden_size)
    bound = TOLERANCES[alone.dtype] * alone.float().abs().amax(dim=(1, 2))
    gap = (alone.float() - got.float()).abs().amax(dim=(1, 2))
    return bool((~(gap > bound)).all())  # values that are not finite are found when encoding


def find_places(
    model: Model, texts: Sequence[Ids], pad: int, batching: str, name: str, site: str
) -> dict[str, Any]:
    """Find where in a pass each layer is, or a site of each layer, and how wide it is."""
    with quiet_transformers():
        places = _find_layers(model, texts, pad, batching, name)
        if site == RESIDUAL:
            return {"places": places}
        there = find_site(model, site, _longest(texts, model), places, name)
    return {
        "places": there.places, "hidden_size": there.width, "n_heads": there.n_heads
    }  # fmt: skip


@unedited()
def try_part(
    part: Model,
    config: Config,
    tokenizer: Tokenizer,
    name: str,
    sizes: Mapping[str, Any],
    site: str,
) -> dict[str, Any]:
    """Find out which tokens a part of a model has, how to batch texts, and where a site is."""
    with quiet_transformers():
        n_tokens = count_tokens(part)
        pad = find_padding(n_tokens, tokenizer, config)
        texts = make_texts(tokenizer, n_tokens, sizes["max_positions"])
        with refuse_shortage(f"reading a few short texts with {name!r}", EncoderError, MEMORY_HINT):
            batching = find_batching(part, texts, pad, name)
            found = find_places(part, texts, pad, batching, name, site)
    return {"n_tokens": n_tokens, "pad": pad, "batching": batching, **found}


def _longest(texts: Sequence[Ids], model: Model) -> torch.Tensor:
    """Give the longest text as one row on the device of a model, (1, n_tokens)."""
    return torch.tensor([max(texts, key=len)], device=device_of(model))
