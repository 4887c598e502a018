"""What to do where memory does not suffice: the halves of the work, one after the other."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from structprobe.errors import StructprobeError

T = TypeVar("T")
R = TypeVar("R")

# What torch and the libraries under it say, in errors of no type of their own.
_SIGNS = ("out of memory", "not enough memory", "allocate", "bad_alloc", "alloc_failed")

_log = logging.getLogger(__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, on the CPU or an accelerator."""
    told = str(error).lower()
    is_torch = isinstance(error, RuntimeError) and any(sign in told for sign in _SIGNS)
    return is_torch or isinstance(error, MemoryError)


@contextlib.contextmanager
def refuse_shortage(what: str, error: type[StructprobeError], hint: str) -> Iterator[None]:
    """Turn any error that says that memory is lacking into one of ours."""
    try:
        yield
    except Exception as found:
        if not is_out_of_memory(found):
            raise
        raise error(f"{what}: there is not enough memory", hint=hint) from found


class Halving:
    """Does work in halves where memory does not suffice, and later work in parts as small."""

    def __init__(self, what: str, error: type[StructprobeError], hint: str) -> None:
        self._what, self._error, self._hint = what, error, hint
        self._depth = 0  # how often all work is halved before it is tried

    def run(
        self, do: Callable[[T], R], work: T, halve: Callable[[T], Sequence[T]], depth: int = 0
    ) -> list[R]:
        """Do some work, or its halves in order; what cannot be halved has none."""
        halves = halve(work) if depth < self._depth else []
        if not halves:
            try:
                return [do(work)]
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                told = " ".join(str(error).split())[:200] or type(error).__name__
            # Here, as the error held what had been computed.
            free_memory(thoroughly=not self._depth)
            halves = halve(work)
            if not halves:
                what = f"{self._what}: there is not enough memory for one sentence ({told})"
                raise self._error(what, where=getattr(work, "where", None), hint=self._hint)
            if depth >= self._depth:
                self._depth = depth + 1
                text = "%s: not enough memory; going on with batches of 1/%d of the size (%s)"
                _log.warning(text, self._what, 2**self._depth, told)
        return [found for half in halves for found in self.run(do, half, halve, depth + 1)]


def free_memory(*, thoroughly: bool) -> None:
    """Give back memory that is no longer used; what is in cycles only thoroughly, which is slow."""
    if thoroughly:
        gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
