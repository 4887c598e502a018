"""Silence the progress bars and warnings of transformers while a model is loaded."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence the loading bars, warnings and reports of transformers within the block.

    Errors and the download bars of the hub are still shown. All settings are restored afterwards.
    """
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    settings: Any = importlib.import_module("transformers.utils.logging")  # it has no types

    logger = logging.getLogger("transformers")
    level = logger.level
    bars, hub_bars = settings.is_progress_bar_enabled(), not are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings.disable_progress_bar()  # the hub's bars too
        if hub_bars:
            enable_progress_bars()
        logger.setLevel(logging.ERROR)
        try:
            with _quiet_gguf():
                yield
        finally:
            logger.setLevel(level)
            if bars:
                settings.enable_progress_bar()
            if not hub_bars:
                disable_progress_bars()


@contextmanager
def _quiet_gguf() -> Iterator[None]:
    """Silence the bar of the GGUF reader, which ignores all settings."""
    module = importlib.import_module("transformers.modeling_gguf_pytorch_utils")
    bar = getattr(module, "tqdm", None)
    if bar is None:
        yield
        return
    vars(module)["tqdm"] = partial(bar, disable=True)
    try:
        yield
    finally:
        vars(module)["tqdm"] = bar
