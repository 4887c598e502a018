"""Tell models and tokenizers apart by what they hold, not by their names."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

_DIGEST_BYTES = 16

# Keys of a configuration that do not change what a model computes.
_IDLE_KEYS = {
    "_name_or_path",
    "architectures",
    "dtype",
    "torch_dtype",
    "transformers_version",
}


def fingerprint_files(folder: str, gguf_file: str | None = None) -> str:
    """Digest the files of a model folder that hold its weights and configuration."""
    root = Path(folder)
    if gguf_file:
        return _digest(_file_parts([root / gguf_file]))
    weights = sorted(root.glob("*.safetensors")) or sorted(root.glob("*.bin"))
    settings = [root / name for name in ("config.json", "adapter_config.json")]
    code = sorted(root.glob("*.py"))
    return _digest(_file_parts([*weights, *(path for path in settings if path.exists()), *code]))


def fingerprint_parameters(model: torch.nn.Module) -> str:
    """Digest a loaded model: names, shapes and bytes of its weights, and its configuration."""
    return _digest(_parameter_parts(model))


def fingerprint_architecture(config: Any) -> str:
    """Digest a configuration: all that a model without training is."""
    return _digest([_plain_config(config)])


def fingerprint_tokenizer(tokenizer: Any) -> str:
    """Digest what a tokenizer does to a text."""
    return _digest(_tokenizer_parts(tokenizer))


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


def _parameter_parts(model: Any) -> Iterable[bytes | memoryview]:
    """Give the configuration, then name, shape, type and bytes of each weight."""
    yield _plain_config(model.config)
    for name, tensor in sorted(model.state_dict().items()):
        yield f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode()
        flat = tensor.detach().to("cpu").contiguous().reshape(-1)
        yield memoryview(flat.view(torch.uint8).numpy())


def _plain_config(config: Any) -> bytes:
    """Write a configuration without what does not change the computation."""
    settings = {k: v for k, v in config.to_dict().items() if k not in _IDLE_KEYS}
    return json.dumps(settings, sort_keys=True, default=str).encode()


def _tokenizer_parts(tokenizer: Any) -> Iterable[bytes]:
    """Give class, limits, special tokens and rules of a tokenizer."""
    names = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    yield type(tokenizer).__name__.encode()
    yield json.dumps([names, tokenizer.model_max_length], sort_keys=True, default=str).encode()
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        rules = json.loads(backend.to_str())
        yield json.dumps(rules | {"padding": None, "truncation": None}, sort_keys=True).encode()
        return
    settings = {
        key: value
        for key, value in tokenizer.init_kwargs.items()
        if isinstance(value, bool | int | float | str) and not key.endswith(("_file", "_path"))
    }
    yield json.dumps([settings, tokenizer.get_vocab()], sort_keys=True).encode()
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(NotImplementedError):  # saves no files: its vocabulary tells
            tokenizer.save_vocabulary(folder)
        yield from _file_parts(sorted(Path(folder).iterdir()))
