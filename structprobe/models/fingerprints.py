"""Fingerprints of models and tokenizers, by content rather than name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from structprobe.models import Config, Model, Tokenizer
from structprobe.models.reading import PADDED

_DIGEST_BYTES = 16
_ROW = 4096  # 8-byte numbers per summed row, see `glance`

# Hooks cannot be inspected: each gets a unique name for as long as it lives.
_hook_names: WeakKeyDictionary[Callable[..., Any], str] = WeakKeyDictionary()

# Keys of an adapter's configuration that say where its base model was and what it was for.
_IDLE_ADAPTER_KEYS = {"auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version",
                      "revision", "task_type"}  # fmt: skip

# Keys of a configuration that do not change what a model computes.
_IDLE_KEYS = {"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"}


def fingerprint_files(folder: str, gguf_file: str | None = None) -> str:
    """Digest the files of a model folder that hold its weights and configuration."""
    root = Path(folder)
    if gguf_file:
        return _digest(_file_parts([root / gguf_file]))
    weights = sorted(root.glob("*.safetensors")) or sorted(root.glob("*.bin"))
    settings = [root / name for name in ("config.json", "adapter_config.json")]
    there = filter(Path.exists, settings)
    return _digest(_file_parts([*weights, *there, *sorted(root.glob("*.py"))]))


def fingerprint_adapter(folder: str, base: str) -> str:
    """Digest the files of an adapter, with the fingerprint of its base model."""
    root = Path(folder)
    settings = json.loads((root / "adapter_config.json").read_text(encoding="utf-8"))
    deciding = {key: settings[key] for key in settings.keys() - _IDLE_ADAPTER_KEYS}
    plain = json.dumps(deciding, sort_keys=True).encode()
    return _digest([base.encode(), plain, *_file_parts(sorted(root.glob("adapter_model.*")))])


def fingerprint_parameters(model: torch.nn.Module, config: Config) -> str:
    """Digest a loaded model: its configuration, weights, adapters and hooks."""
    return _digest(_parameter_parts(model, config, _bytes))


def glance(model: torch.nn.Module, config: Config) -> str:
    """Digest what shows whether a model has changed, in about the time of one short pass."""
    # As `fingerprint_parameters`, but for large weights the number of writes, which torch counts,
    # and the sums of their bits by row and column, for writes that it does not count (through
    # `.data` or NumPy). No training step, rounding, noise or permutation leaves all sums unchanged.
    return _digest(_parameter_parts(model, config, _sums))


def fingerprint_architecture(config: Config) -> str:
    """Digest a configuration, which defines an untrained model."""
    return _digest([_plain_config(config)])


def fingerprint_tokenizer(tokenizer: Tokenizer, lang: str | None = None) -> str:
    """Digest all that determines how a tokenizer tokenizes, and the language that was chosen."""
    chosen = [f"lang {lang}".encode()] if lang else []
    return _digest([*_tokenizer_parts(tokenizer), *chosen])


def join_fingerprint(weights: str, batching: str, tap: str, tokenizer: str) -> str:
    """Make a fingerprint; vectors that older versions read with padding have another one."""
    way = "" if batching == PADDED else f"-{batching.replace(' ', '-')}"
    return f"{weights}{way}{tap}-{tokenizer}"


def _digest(parts: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _file_parts(paths: list[Path]) -> Iterable[bytes]:
    """Give each file's name and the digest of its content."""
    for path in paths:
        with path.open("rb") as file:
            yield path.name.encode() + b"\0" + hashlib.file_digest(file, "blake2b").digest()


def _parameter_parts(
    model: Model, config: Config, show: Callable[[torch.Tensor], Iterable[memoryview]]
) -> Iterator[bytes | memoryview]:
    """Give the configuration, name, shape, type and content of each weight, adapters and hooks."""
    yield _plain_config(config)
    saved = model.state_dict()
    for name, tensor in sorted(saved.items()):
        yield f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode()
        yield from show(tensor.detach())
    for name, module in model.named_modules():
        settings = {key: value for key, value in vars(module).items() if _is_plain(value)}
        if any("adapter" in key for key in settings):  # adapters may be switched on and off
            del settings["training"]
            yield f"{name} {json.dumps(settings, sort_keys=True)}".encode()
            for key, tensor in module.named_buffers():  # VeRA draws some, and need not save them
                if f"{name}.{key}" not in saved:
                    yield f"{name} {key}".encode()
                    yield from show(tensor.detach())
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
            # Those of our own edits have a name of their own (see `edits_of`).
            if not str(getattr(hook, "__module__", "")).startswith(("transformers.", __package__)):
                yield f"{name} {_hook_name(hook)}".encode()


def _bytes(tensor: torch.Tensor) -> Iterator[memoryview]:
    """Give all bytes of a weight."""
    flat = tensor.to("cpu").contiguous().reshape(-1)
    yield memoryview(flat.view(torch.uint8).numpy())


def _sums(tensor: torch.Tensor) -> Iterator[memoryview]:
    """Give what shows quickly whether a weight has changed; for a small one, all its bytes."""
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)
    end = len(flat) // (8 * _ROW) * 8 * _ROW
    block = flat[:end]
    if block.storage_offset() % 8:
        block = block.clone()
    rows = block.view(torch.int64).view(-1, _ROW)
    n_writes = torch.tensor(0 if tensor.is_inference() else tensor._version)
    for part in (n_writes, rows.sum(dim=0), rows.sum(dim=1), flat[end:]):
        yield memoryview(part.cpu().numpy()).cast("B")


def _is_plain(value: object) -> bool:
    """Whether a value can be written as JSON, equal values always in the same way."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _hook_name(hook: Callable[..., Any]) -> str:
    """Give the unique name of a hook."""
    try:
        return _hook_names.setdefault(hook, uuid.uuid4().hex)
    except TypeError:  # unhashable or without weak references: a new name each time
        return uuid.uuid4().hex


def _plain_config(config: Config) -> bytes:
    """Write a configuration without what does not change the computation."""
    settings = {k: v for k, v in config.to_dict().items() if k not in _IDLE_KEYS}
    return json.dumps(settings, sort_keys=True, default=str).encode()


def _tokenizer_parts(tokenizer: Tokenizer) -> Iterable[bytes]:
    """Give class, limits, special tokens and rules of a tokenizer."""
    names = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    yield type(tokenizer).__name__.encode()
    yield json.dumps([names, tokenizer.model_max_length], sort_keys=True, default=str).encode()
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        rules = json.loads(backend.to_str())
        yield json.dumps(rules | {"padding": None, "truncation": None}, sort_keys=True).encode()
        return
    yield b"bytes of characters"  # that words have bytes changed vectors outside ASCII
    plain = bool | int | float | str
    settings = {k: v for k, v in tokenizer.init_kwargs.items() if isinstance(v, plain)}
    settings = {k: v for k, v in settings.items() if not k.endswith(("_file", "_path"))}
    yield json.dumps([settings, tokenizer.get_vocab()], sort_keys=True).encode()
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(NotImplementedError):  # it saves no files: the vocabulary must do
            tokenizer.save_vocabulary(folder)
        yield from _file_parts(sorted(Path(folder).iterdir()))
