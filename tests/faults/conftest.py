"""Fixtures that the classes of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process from which those of commands are forked."""
    warm = Warm()
    yield warm
    warm.close()
