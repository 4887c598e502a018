"""Stimuli of all conditions, made once."""

from __future__ import annotations

import pytest

from structprobe.stimuli import Stimulus, make_stimuli


@pytest.fixture(scope="session")
def stimuli() -> list[Stimulus]:
    return make_stimuli(n=52)
