"""Estimating the memory that a model takes, before it is loaded, and which ways to load it fit."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from structprobe.devices import find_device, free_memory_of, has_bfloat16
from structprobe.errors import EncoderError
from structprobe.models.places import installed
from structprobe.models.quiet import quiet_transformers
from structprobe.models.text_part import part_at
from structprobe.models.weights.loading import empty_model
from structprobe.models.weights.placement import find_dtype, quantizers

# Bytes per quantised weight, with the scales of groups of them.
_QUANTIZED = {"8bit": 1.03, "4bit": 0.56}
_LENGTHS = (64, 8)  # of texts in a batch, in tokens
_SPARE = 1.1  # for what libraries take beside tensors


def plan_memory(
    model: str,
    *,
    device: str | torch.device = "auto",
    dtype: str = "float32",
    batch_tokens: int | None = None,
    device_map: Any = None,
    quantize: str | None = None,
    part: str | None = None,
    **source: Any,
) -> dict[str, Any]:
    """Estimate what the weights and a batch of a model take, in several ways to load it.

    The first way is the one that is asked for. `part` is as for `Encoder`. `source` may have a
    revision, a GGUF file, and whether code of the model is run. None stands for what is not known.
    """
    place = find_device(device, error=EncoderError)
    own = find_dtype(dtype, place)
    empty = part_at(empty_model(model, **source), part or "")
    n_values = _most_values(empty, batch_tokens or (1024 if place.type == "cpu" else 8192))
    free = free_memory_of(place)

    def way(kind: torch.dtype, bits: str | None, mapped: bool) -> dict[str, Any]:
        weights = _weight_bytes(empty, kind, bits)
        batch = None if n_values is None else n_values * kind.itemsize
        needed = _SPARE * (weights + (batch or 0))
        parts = ("device map" * mapped, bits, str(kind).removeprefix("torch."))
        return {
            "way": ", ".join(filter(None, parts)), "weights": weights, "batch": batch,
            # A device map puts on disk what fits nowhere else.
            "fits": True if mapped else None if free is None else needed <= free,
            "installed": (not mapped or installed("accelerate"))
            and (bits is None or bool(quantizers(bits))),
        }  # fmt: skip

    asked = (own, quantize and quantize.partition("-")[0], device_map is not None)
    known: list[Any] = [(own, None, False), (torch.bfloat16, None, False)]
    known += [(own, bits, False) for bits in _QUANTIZED] + [(own, None, True)]
    ways = dict.fromkeys([asked, *known])
    return {
        "device": str(place), "bytes_available": free, "bfloat16": has_bfloat16(place),
        "ways": [way(*one) for one in ways],
    }  # fmt: skip


def _weight_bytes(empty: Any, kind: torch.dtype, bits: str | None) -> int:
    """Count the bytes of weights: those of embeddings and all vectors are not quantised."""
    tables = {id(one.weight) for one in empty.modules() if isinstance(one, torch.nn.Embedding)}
    sizes = [0, 0]
    for weight in empty.parameters():
        quantised = bits is not None and weight.ndim > 1 and id(weight) not in tables
        sizes[quantised] += weight.numel()
    return int(sizes[0] * kind.itemsize + sizes[1] * _QUANTIZED.get(bits or "", 0))


def _most_values(empty: Any, n_positions: int) -> int | None:
    """Count the numbers that a pass without data holds at most; None where it needs data."""
    for length in _LENGTHS:  # some models read short texts only
        ids = torch.zeros((max(1, n_positions // length), length), dtype=torch.int64, device="meta")
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        watch = _Watch()
        # Models that look at the data fail, each in its own way.
        with contextlib.suppress(Exception), quiet_transformers(), torch.no_grad(), watch:
            empty.eval()(**given, output_hidden_states=True)
            return watch.most
    return None


class _Watch(TorchDispatchMode):
    """Count the numbers in floating-point tensors that exist at a time."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch gives it no types
        self.most = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Pass each call through, and follow the storage of what comes out."""
        if func is torch.ops.aten._local_scalar_dense.default:
            return 1  # as where a model asks whether all of a mask is set
        found = func(*args, **(kwargs or {}))
        self._alive = {key: one for key, one in self._alive.items() if not one[0].expired()}
        for one in found if isinstance(found, tuple | list) else (found,):
            if isinstance(one, torch.Tensor) and one.is_floating_point():
                storage = one.untyped_storage()
                size = storage.nbytes() // one.element_size()
                weak = StorageWeakRef(storage)
                self._alive.setdefault(weak.cdata, (weak, size))
        self.most = max(self.most, sum(size for _, size in self._alive.values()))
        return found
