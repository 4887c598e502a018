"""Load a language model of any architecture, and its tokenizer."""

from __future__ import annotations

import copy
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from structprobe.devices import find_device
from structprobe.errors import EncoderError
from structprobe.models import Config, Model, Tokenizer
from structprobe.models.adapters import (
    adapt,
    check_wrapper,
    fetch_adapter,
    find_adapter,
    locate_base,
    unwrap,
)
from structprobe.models.fingerprints import (
    fingerprint_adapter,
    fingerprint_architecture,
    fingerprint_files,
    fingerprint_parameters,
    fingerprint_tokenizer,
    glance,
    join_fingerprint,
)
from structprobe.models.hub import find_commit, refuse_unknown
from structprobe.models.inside.hooks import Place
from structprobe.models.inside.sites import RESIDUAL
from structprobe.models.languages import language_of, set_language, speak
from structprobe.models.limits import measure
from structprobe.models.places import explain, locate
from structprobe.models.quiet import quiet_transformers
from structprobe.models.reading import ALONE, EQUAL, PADDED, device_of, layers_of_pass
from structprobe.models.tap import USUAL, Tap
from structprobe.models.text_part import config_of, find_text_part, is_part_at, part_at
from structprobe.models.trial import find_places, make_texts, try_part
from structprobe.models.weights.loading import load_weights, refuse_missing, spread
from structprobe.models.weights.placement import PLAIN, Placement, check_placement, find_dtype

_log = logging.getLogger(__name__)

_WAYS = {EQUAL: "in batches of equal length", ALONE: "one by one"}
_TOKENIZER_FILE = re.compile(r"tokeni[sz]er|vocab|merges|\.(model|tiktoken|gguf)$")
_NO_TOKENIZER = (
    "put its files (tokenizer.json, vocab.txt, ...) into the model folder with "
    "tokenizer.save_pretrained; in Python, you can also pass tokenizer="
)


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to use, and its properties."""

    model: Model  # Without a task head
    tokenizer: Tokenizer
    name: str  # Hub id, folder or class name, for display
    revision: str | None  # The hub commit, or else the requested revision, if any
    fingerprint: str  # Changes when the weights or the tokenizer change
    device: torch.device  # Of what goes in, and of the hidden states that come out
    dtype: torch.dtype  # Of the weights
    n_layers: int  # Highest layer
    hidden_size: int  # Width of a vector
    max_positions: int | None  # Really accepted, special tokens included
    n_tokens: int | None  # Known to the model; None if it has no table of them
    pad: int  # Token for padding
    batching: str  # How rows may be batched: padded, of equal length, or one by one
    places: tuple[Place | None, ...]  # Of each layer in a pass, if a module gives just that
    whole_class: type  # Of the model with its head, used by `untrained`
    whole_config: Config  # Of the model with its head
    lang: str | None = None  # Language code, if chosen
    tap: Tap = USUAL  # What is read in each layer; the places are those of its site
    n_heads: int | None = None  # Side by side in a vector, if the site is that of heads
    part: str = ""  # Path of the part that reads text, where the whole model does not
    glance: str | None = None  # Of a model object, shows whether it has changed
    placement: Placement = PLAIN  # How it was loaded
    device_map: dict[str, Any] = field(default_factory=dict)  # Of its modules, if it is split

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that have the site; all layers have the residual stream."""
        whole, everything = self.tap.site == RESIDUAL, range(self.n_layers + 1)
        return tuple(layer for layer in everything if whole or self.places[layer])

    def put(self, *arrays: NDArray[Any]) -> list[torch.Tensor]:
        """Put arrays on the device of the model."""
        return [torch.from_numpy(array).to(self.device) for array in arrays]

    def run(
        self, ids: torch.Tensor, mask: torch.Tensor, layers: Sequence[int], marks: Any = None
    ) -> Iterator[torch.Tensor]:
        """Run rows, and yield what is read in some layers, (n_rows, n_positions, hidden_size).

        Marks, (n_rows, n_positions, 2), are what `marking` tells edits of the pass.
        """
        how = self.batching, self.places, self.tap.site == RESIDUAL, marks
        if self.tap.window == 1:
            yield from layers_of_pass(self.model, ids, mask, layers, *how)
            return
        windows = [self.tap.averaged(layer, self.layers) for layer in layers]
        wanted = sorted(set().union(*windows))
        found = dict(zip(wanted, layers_of_pass(self.model, ids, mask, wanted, *how), strict=True))
        for window in windows:
            yield torch.stack([found[layer].float() for layer in window]).mean(dim=0)


def load_model(
    model: Model,
    *,
    tokenizer: Tokenizer = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    gguf_file: str | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "float32",
    lang: str | None = None,
    tap: Tap = USUAL,
    placement: Placement = PLAIN,
) -> LoadedModel:
    """Load a model from the hub or a folder, or use a loaded one."""
    named, glimpse = isinstance(model, str | os.PathLike), None
    if named:
        placement = check_placement(placement, device)
        wanted_dtype = find_dtype(dtype, device)
        source, gguf_file = locate(os.fspath(model), gguf_file)
        refuse_unknown(source, revision, gguf_file)
        wanted_device = find_device(device, error=EncoderError)
        options = _options(revision, trust_remote_code, gguf_file)
        folder = fetch_adapter(source, revision)
        adapter = find_adapter(folder)
        base, at = source, options
        if adapter is not None:
            base, at = locate_base(adapter), {**options, "revision": adapter.revision}
        own = adapter is not None and _has_tokenizer(folder)
        loaded_tokenizer = _load_tokenizer(*((folder, options) if own else (base, at)), tokenizer)
        whole, missing = load_weights(base, wanted_device, wanted_dtype, at, placement)
        commit = find_commit(base, at["revision"], gguf_file)
        file = f"/{gguf_file}" if gguf_file else ""
        weights = commit + file if commit else fingerprint_files(base, gguf_file)
        if adapter is not None:
            weights = fingerprint_adapter(folder, weights)
            commit = find_commit(source, revision, None)
        weights += f"-{placement.quantize}" if placement.quantize else ""
        name, revision = source + file, commit or revision
        moved = wanted_device if placement.is_plain else None
    else:
        whole, loaded_tokenizer, missing = unwrap(model), tokenizer, []
        if placement != PLAIN:
            what = "a loaded model stays where it is, as it is"
            hint = "leave out device_map, offload_folder, max_memory and quantize, or pass its name"
            raise EncoderError(what, hint=hint)
        wanted_dtype = _check_object(whole, loaded_tokenizer, device, dtype)
        revision, moved = None, None
        name = getattr(whole.config, "name_or_path", "") or type(whole).__name__
        if whole is not model:
            check_wrapper(model, whole, name)
            name += " (with adapters)"
        adapter = None
    _check_vocabulary(loaded_tokenizer, name)
    set_language(whole, lang, loaded_tokenizer, name, ours=named)
    spoken = lang or language_of(loaded_tokenizer, tokenizer)
    loaded_tokenizer = speak(loaded_tokenizer, lang, name)
    with quiet_transformers():
        path, sizes = find_text_part(whole, loaded_tokenizer, name, tap.part, moved)
    tap.check_depth(sizes["n_layers"], name)
    part = part_at(whole, path)
    config = config_of(part, whole)
    refuse_missing(name, whole, part, missing)
    if adapter is not None:
        adapt(whole, adapter.folder)
    sizes |= try_part(part, config, loaded_tokenizer, name, sizes, tap.site)
    if sizes["batching"] != PADDED:
        told = "%s: vectors depend on padding, so sentences are read %s, which takes longer"
        _log.warning(told, name, _WAYS[sizes["batching"]])
    if not named:
        glimpse = glance(part, config)
        weights = fingerprint_parameters(part, config)
    tokens = fingerprint_tokenizer(loaded_tokenizer, spoken)
    return LoadedModel(
        model=part,
        part=path,
        tokenizer=loaded_tokenizer,
        name=name,
        revision=revision,
        fingerprint=join_fingerprint(weights, sizes["batching"], tap.name, tokens),
        device=device_of(part),
        dtype=wanted_dtype,
        whole_class=type(whole),
        whole_config=whole.config,
        lang=spoken,
        tap=tap,
        glance=glimpse,
        placement=placement,
        device_map=getattr(whole, "hf_device_map", {}),
        **sizes,
    )


def layers_from_config(
    model: str | os.PathLike[str],
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    gguf_file: str | None = None,
) -> int | None:
    """Read the highest layer of a model from its configuration, if there, without its weights."""
    source, gguf_file = locate(os.fspath(model), gguf_file)
    refuse_unknown(source, revision, gguf_file)
    from transformers import AutoConfig

    options = _options(revision, trust_remote_code, gguf_file)
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(source, **options)
        n_layers = config.get_text_config().num_hidden_layers
    except Exception:  # errors of any type; loading has good messages
        return None
    return n_layers if isinstance(n_layers, int) else None


def refresh(loaded: LoadedModel, model: Model, device: str | torch.device = "auto") -> LoadedModel:
    """Refresh a model object, which may have been trained, moved, cast or truncated meanwhile."""
    # Its tokenizer is that of the time of loading, as this is the one in use.
    model = unwrap(model)
    if loaded.glance is None or not is_part_at(loaded.model, model, loaded.part):
        return loaded
    _check_object(model, loaded.tokenizer, device, loaded.dtype)
    part, config = loaded.model, config_of(loaded.model, model)
    glimpse = glance(part, config)
    device = device_of(part)
    if (glimpse, device) == (loaded.glance, loaded.device):
        return loaded
    tokenizer = loaded.fingerprint.split("-")[-1]
    with quiet_transformers():
        sizes = measure(part, loaded.tokenizer, config, loaded.name)
    sizes |= try_part(part, config, loaded.tokenizer, loaded.name, sizes, loaded.tap.site)
    weights = fingerprint_parameters(part, config)
    known = join_fingerprint(weights, sizes["batching"], loaded.tap.name, tokenizer)
    found: dict[str, Any] = {"fingerprint": known, "device": device, "glance": glimpse}
    return replace(loaded, **found, **sizes)


def untrained(loaded: LoadedModel, random_state: int = 0) -> LoadedModel:
    """Make the same architecture with random weights, which depend only on the seed."""
    if not isinstance(random_state, Integral) or random_state < 0:
        raise EncoderError(f"random_state must be a non-negative integer, got {random_state!r}")
    seed = int(random_state)
    if loaded.placement.quantize:
        what = f"no untrained copy of {loaded.name!r} can be made with quantised weights"
        raise EncoderError(what, hint="encode with an untrained copy in a run without quantising")
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        whole = loaded.whole_class(copy.deepcopy(loaded.whole_config))
    fresh = part_at(whole, loaded.part).to(dtype=loaded.dtype).eval()
    places = set(map(str, loaded.device_map.values()))
    if len(places) > 1 or "disk" in places:
        spread(whole.to(dtype=loaded.dtype), loaded.device_map, loaded.placement)
    else:
        fresh.to(loaded.device)
    weights = f"untrained-{fingerprint_architecture(loaded.whole_config)}-seed{seed}"
    tokenizer = fingerprint_tokenizer(loaded.tokenizer, loaded.lang)
    texts = make_texts(loaded.tokenizer, loaded.n_tokens, loaded.max_positions)
    how = loaded.pad, loaded.batching, loaded.name, loaded.tap.site
    return replace(
        loaded,
        model=fresh,
        name=f"{loaded.name} (untrained, seed {seed})",
        fingerprint=join_fingerprint(weights, loaded.batching, loaded.tap.name, tokenizer),
        glance=None,
        **find_places(fresh, texts, *how),
    )


def _options(
    revision: str | None, trust_remote_code: bool, gguf_file: str | None
) -> dict[str, Any]:
    """Give the options for loading from transformers."""
    options = {"revision": revision, "trust_remote_code": trust_remote_code}
    return options | ({"gguf_file": gguf_file} if gguf_file else {})


def _has_tokenizer(folder: str) -> bool:
    """Whether a folder has any file of a tokenizer."""
    return any(map(_TOKENIZER_FILE.search, os.listdir(folder)))


def _load_tokenizer(source: str, options: dict[str, Any], tokenizer: Tokenizer) -> Tokenizer:
    """Load the tokenizer of the model or the one named, or use the given object."""
    from transformers import AutoTokenizer

    if tokenizer is not None and not isinstance(tokenizer, str | os.PathLike):
        return tokenizer
    if tokenizer is not None:
        source = os.path.expanduser(os.fspath(tokenizer))
        refuse_unknown(source, None)
        options = {"trust_remote_code": options["trust_remote_code"]}
    try:
        with quiet_transformers():
            return AutoTokenizer.from_pretrained(source, **options)
    except Exception as error:  # as above
        if Path(source).is_dir() and not _has_tokenizer(source):
            raise EncoderError(f"no tokenizer in {source}", hint=_NO_TOKENIZER) from error
        raise explain(f"cannot load a tokenizer from {source!r}", source, error) from error


def _check_object(
    whole: Model, tokenizer: Tokenizer, device: str | torch.device, dtype: str | torch.dtype
) -> torch.dtype:
    """Reject an object that is not a model, has no tokenizer, or has another dtype or device."""
    if not hasattr(whole, "config") or not hasattr(whole, "base_model"):
        hint = "pass a hub id, a folder, or a transformers model with tokenizer="
        raise EncoderError(f"{type(whole).__name__} is not a transformers model", hint=hint)
    if tokenizer is None or isinstance(tokenizer, str | os.PathLike):
        hint = "Encoder(model, tokenizer=AutoTokenizer.from_pretrained(...))"
        raise EncoderError("a loaded model needs its loaded tokenizer", hint=hint)
    own: torch.dtype = whole.dtype
    if dtype != "auto" and own != (wanted := find_dtype(dtype)):
        names = [str(kind).removeprefix("torch.") for kind in (own, wanted)]
        hint = f"pass dtype={names[0]!r}, or cast it with model.to(torch.{names[1]})"
        what = f"the model has dtype {names[0]}, but {names[1]} was requested"
        raise EncoderError(what, hint=hint)
    if device != "auto" and find_device(device, error=EncoderError) != whole.device:
        hint = f"move it with model.to({str(device)!r}), or use device='auto'"
        what = f"the model is on {whole.device}, but {device} was requested"
        raise EncoderError(what, hint=hint)
    if any(weight.is_meta for weight in whole.parameters()):
        what = f"some weights of the {type(whole).__name__} are not in memory, but offloaded"
        raise EncoderError(what, hint="pass the name of the model, with device_map=")
    return find_dtype(own)


def _check_vocabulary(tokenizer: Tokenizer, name: str) -> None:
    """Reject an empty tokenizer: one without letters except in special tokens."""
    if not callable(getattr(tokenizer, "get_vocab", None)):
        raise EncoderError(f"{name}: {type(tokenizer).__name__} is not a transformers tokenizer")
    added = {str(token) for token in getattr(tokenizer, "added_tokens_decoder", {}).values()}
    written = set(tokenizer.get_vocab()) - added - set(tokenizer.all_special_tokens)
    if not any(char.isalnum() for char in "".join(written)):
        raise EncoderError(f"the tokenizer of {name!r} has no vocabulary", hint=_NO_TOKENIZER)
