"""Tests that need a newer version of transformers than the oldest that is allowed."""

from __future__ import annotations

import pytest
import transformers

HAS_FIVE = int(transformers.__version__.partition(".")[0]) >= 5


def since_five(reason: str) -> pytest.MarkDecorator:
    """Leave out a test below version 5, for a reason."""
    return pytest.mark.skipif(not HAS_FIVE, reason=reason)
