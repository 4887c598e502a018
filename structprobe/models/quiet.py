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
    # These have no types.
    hub: Any = importlib.import_module("huggingface_hub.utils.tqdm")
    settings: Any = importlib.import_module("transformers.utils.logging")
    gguf = vars(importlib.import_module("transformers.modeling_gguf_pytorch_utils"))
    loggers = {name: logging.getLogger(name) for name in ("transformers", "accelerate")}
    levels, gguf_bar = {name: one.level for name, one in loggers.items()}, gguf.get("tqdm")
    bars, hub_bars = settings.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings.disable_progress_bar()  # the hub's bars too
        if hub_bars:
            hub.enable_progress_bars()
        for logger in loggers.values():
            logger.setLevel(logging.ERROR)
        if gguf_bar is not None:  # the bar of the GGUF reader ignores all settings
            gguf["tqdm"] = partial(gguf_bar, disable=True)
        try:
            yield
        finally:
            for name, logger in loggers.items():
                logger.setLevel(levels[name])
            if gguf_bar is not None:
                gguf["tqdm"] = gguf_bar
            if bars:
                settings.enable_progress_bar()
            if not hub_bars:
                hub.disable_progress_bars()
