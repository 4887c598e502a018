"""What a stranger may send: links, pipes, claims, code; and what must not come of it."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from structprobe.errors import StructprobeError

MOST_MEMORY = 400_000_000  # bytes that reading a small folder may take at most
SECRET = "the-secret-of-somebody-else"
DEEP = b"[" * 100_000
HUGE = b"9" * 10_000

# Texts that something acts on: terminals, browsers, spreadsheets, LaTeX, Markdown, file systems.
NASTY = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "a\rb",
    "a\u202eb\u2066c",
    "\u200bzero\ufeff",
    "<script>window.hacked=1</script>",
    "</script><img/src=x/onerror=alert(1)>",
    "\"onload='alert(1)'",
    "]]></svg>&lt;&#60;",
    "-->",
    "{{7*7}}${7*7}",
    "=HYPERLINK(\"http://x\")",
    "@SUM(1)",
    "+1+1",
    "-2+3|cmd",
    "\\input{/etc/passwd}",
    "\\write18{id}",
    "$x^{2}_{",
    "`code`|pipe|``",
    "../../etc/passwd",
    "/etc/passwd",
    "con",
    "--option",
    "%s%n{0}",
    "e\u0301" * 50,
    "\U0001f468\u200d\U0001f469",
    "\u05d0\u05d1",
)  # fmt: skip


class Payload:
    """Leaves a mark where unpickling it runs code."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def pickled(folder: Path) -> bytes:
    """Code as pickle that leaves a mark in a folder."""
    return pickle.dumps(Payload(folder / "ran"))


@contextmanager
def harmless(outside: Path) -> Iterator[None]:
    """See that nothing outside changes, no code leaves its mark, and little memory is taken."""
    (outside / "secret").write_text(SECRET)
    before = _content(outside)
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY, f"{peak:,} bytes were taken"
    assert _content(outside) == before


def refuse(call: Callable[..., object], *args: Any, **options: Any) -> str:
    """Call in vain: the answer is one of our errors, in one short line without a secret."""
    try:
        found = call(*args, **options)
    except StructprobeError as error:
        text = str(error)
        assert text.isprintable(), text
        assert len(text) < 2500
        assert SECRET not in text
        return text
    raise AssertionError(f"taken: {str(found)[:200]}")


def told(call: Callable[..., object], *args: Any, **options: Any) -> bool:
    """Call, and tell whether it was refused; any other error than ours passes through."""
    try:
        call(*args, **options)
    except StructprobeError as error:
        refuse(_raise, error)
        return True
    return False


def _raise(error: Exception) -> None:
    raise error


def some(cases: Iterable[Any], whole: bool, most: int = 4) -> list[Any]:
    """All cases, or a few that a seed chooses."""
    every = list(cases)
    return every if whole or len(every) <= most else random.Random(5).sample(every, most)


def copy_of(source: Path, target: Path) -> Path:
    """A fresh copy of a folder."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def replaced(path: Path, kind: str, outside: Path) -> None:
    """Put a link, a pipe, a device or a folder in the place of a file."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        targets = {"device": Path("/dev/zero"), "secret": outside / "secret"}
        targets |= {"terminal": Path("/dev/stdin"), "itself": path, "new": outside / "new"}
        targets |= {"up": Path("../" * 30 + "etc/passwd"), "memory": Path("/proc/self/mem")}
        path.symlink_to(targets[kind])


KINDS = ("pipe", "folder", "device", "secret", "terminal", "itself", "new", "up", "memory")


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
