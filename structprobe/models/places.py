"""Where a model is: hub ids, folders and files; and what is wrong where it cannot be loaded."""

from __future__ import annotations

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from structprobe.errors import EncoderError
from structprobe.models.embedded import MINILM, embedded_model
from structprobe.models.hub import unreachable

_KINDS = "pass a hub id, a folder written by save_pretrained, or a .gguf file"
_HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
ADAPTER_CONFIG = "adapter_config.json"


def locate(source: str, gguf_file: str | None) -> tuple[str, str | None]:
    """Split a path into folder and GGUF file, and reject a folder without a model."""
    if gguf_file is None and source.endswith(".gguf"):
        source, gguf_file = os.path.split(source)
        source = source or "."
    looks_local = source.startswith((".", "/", "~", "\\")) or source.count("/") > 1
    source = os.path.expanduser(source) if looks_local else source
    if source == MINILM and not os.path.exists(source):
        source = embedded_model()
    folder = Path(source)
    if not source or not folder.is_dir():
        if address := re.match(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(.+)", source):
            what = f"model {source!r} is an address, not a name"
            raise EncoderError(what, hint=f"pass its hub id: {address[1].strip('/')}")
        if folder.is_file():
            hint = f"pass the folder that holds it: {str(folder.parent)!r}"
            hint = hint if (folder.parent / "config.json").is_file() else _KINDS
            raise EncoderError(f"no model folder {source!r}: it is a file", hint=hint)
        if looks_local or not source:
            raise EncoderError(f"no model folder {source!r}", hint=_KINDS)
        if not _HUB_ID.fullmatch(source):
            hint = "a hub id has only letters, digits, and . - _ /, such as google/mt5-small"
            raise EncoderError(f"model {source!r} is neither a folder nor a hub id", hint=hint)
        return source, gguf_file
    source = os.path.abspath(source)  # it is stored with probes, which may be loaded from elsewhere
    files = sorted(path.name for path in folder.iterdir() if path.is_file())
    ggufs = [name for name in files if name.endswith(".gguf")]
    if gguf_file:
        if not (folder / gguf_file).is_file():
            hint = f"GGUF files there: {', '.join(ggufs) or 'none'}"
            raise EncoderError(f"no file {gguf_file!r} in {source}", hint=hint)
    elif not {"config.json", ADAPTER_CONFIG}.intersection(files):
        hint = "pass a folder written by save_pretrained"
        if ggufs:
            hint = "pass its GGUF file as gguf_file="
        raise EncoderError(f"not a model folder: no config.json in {source}", hint=hint)
    elif "config.json" in files and _is_probe(folder / "config.json"):
        hint = "pass the model that the probe was fitted on"
        raise EncoderError(f"{source!r} is a saved probe, not a model", hint=hint)
    elif not any(name.endswith((".safetensors", ".bin")) for name in files):
        which = "model.safetensors or pytorch_model.bin"
        which = which if "config.json" in files else "adapter_model.safetensors"
        hint = f"expected {which}; is the download complete?"
        raise EncoderError(f"no weights in {source}", hint=hint)
    return source, gguf_file


def _is_probe(config: Path) -> bool:
    """Whether a config is that of a saved probe, which has the names of a model's files."""
    try:
        return str(json.loads(config.read_bytes()).get("format")).startswith("structprobe")
    except (OSError, ValueError, AttributeError):  # loading has good messages
        return False


def refuse_kernels(source: str, options: dict[str, Any]) -> None:
    """Reject a configuration that names code of the hub, which would be run without being asked."""
    from transformers import PretrainedConfig

    if options["trust_remote_code"] or "gguf_file" in options:
        return
    found, _ = PretrainedConfig.get_config_dict(source, revision=options["revision"])
    waiting: list[Any] = [found]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
            named = [str(value) for key, value in one.items() if key.endswith("_implementation")]
            if kernels := [name for name in named if "/" in name]:
                what = f"{source!r} needs custom code, that of {kernels[0]!r}"
                raise EncoderError(what, hint="read the code, then pass trust_remote_code=True")


def explain(what: str, source: str, error: Exception) -> EncoderError:
    """Turn an error of a library into one line that says what to do."""
    text = " ".join(str(error).split())
    if isinstance(error, ImportError) or re.search(r"pip install|is required|installed", text):
        for package in ("gguf", "accelerate", "sentencepiece", "tiktoken", "protobuf"):
            if package in text.lower() and not installed(package):
                what = f"{what}: the package {package} is not installed"
                return EncoderError(what, hint=f"pip install {package}")
    if not Path(source).exists() and "connect" in text:
        return unreachable(source)
    if "custom code" in text:
        hint = "read the code, then pass trust_remote_code=True"
        return EncoderError(f"{what}: it needs custom code", hint=hint)
    return EncoderError(f"{what}: {text[:300] or type(error).__name__}")


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    try:
        return find_spec("google.protobuf" if package == "protobuf" else package) is not None
    except ModuleNotFoundError:  # its parent is missing
        return False
