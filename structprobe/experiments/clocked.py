"""An encoder that keeps account of its time, so that what is encoded once is nobody's cost."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from structprobe.experiments.runs.run import timed
from structprobe.results.rows import Row

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder
else:
    Encoder = object  # laid over an encoder's class below, without loading it here


class _Clocked(Encoder):
    """What is laid over an encoder's class."""

    encoding_times: Row

    def encode(self, *args: Any, **options: Any) -> Any:
        with timed() as times:
            bank = super().encode(*args, **options)
        for name, seconds in times.items():
            self.encoding_times[name] += seconds
        return bank


def clocked(encoder: Encoder) -> Encoder:
    """Make the same encoder with an account of the time that it spends on word vectors."""
    account = {"cpu_seconds": 0.0, "wall_seconds": 0.0}
    fresh = copy.copy(encoder)
    # The account is the class's, so that all copies share it.
    fresh.__class__ = type("ClockedEncoder", (_Clocked, type(encoder)), {"encoding_times": account})
    return fresh


@contextmanager
def timed_without_encoding(encoder: Encoder) -> Iterator[Row]:
    """Measure what happens inside, but for encoding."""
    assert isinstance(encoder, _Clocked)
    account = encoder.encoding_times
    before = dict(account)
    with timed() as times:
        yield times
    for name in times:
        times[name] -= account[name] - before[name]
