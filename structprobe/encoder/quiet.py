"""Keep transformers' bars and warnings off stderr while a model is loaded."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' loading bars, warnings and reports within the block.

    Errors still show, and so do the hub's download bars. All settings are as before afterwards.
    """
    from huggingface_hub import utils as hub
    from transformers.utils import logging as settings

    logger = logging.getLogger("transformers")
    level = logger.level
    bars, hub_bars = settings.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings.disable_progress_bar()  # the hub's bars too
        if hub_bars:
            hub.enable_progress_bars()
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
            if bars:
                settings.enable_progress_bar()
            if not hub_bars:
                hub.disable_progress_bars()
