"""Shards: one treebank's vectors written by several processes, on one machine or many.

Every shard writes the rows of its own sentences into the same files, with its own journal
(``layer-07.3-of-8.journal``); the rows listed in any journal are written, and the process that
completes a layer gives it its final name. All processes need access to the same folder.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from structprobe.encoder.cache.cache_folder import read_json, to_json
from structprobe.errors import StoreError

_JOURNAL = re.compile(r"layer-(\d+)\.(\d+)-of-(\d+)\.journal")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the parts that the sentences of a treebank are divided into."""

    number: int  # Counted from 1
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            hint = "shards are numbered from 1, such as 1/8 to 8/8"
            raise StoreError(f"there is no shard {self.number} of {self.count}", hint=hint)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a shard as it is written on the command line."""
        match = re.fullmatch(r"(\d+)/(\d+)", text, flags=re.ASCII)
        if not match:
            raise StoreError(f"{text!r} is not a shard", hint="use the form 3/8")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """Its name in file names."""
        return f"{self.number}-of-{self.count}"

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def cut(offsets: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Divide sentences into adjacent parts with about the same number of words."""
    # offsets (n_sentences + 1,) -> (count + 1,)
    # A sentence goes where its middle falls; all in half words.
    shares = 2 * np.arange(1, count) * int(offsets[-1]) // count
    inner = np.searchsorted(offsets[:-1] + offsets[1:], shares)
    return np.concatenate([[0], inner, [len(offsets) - 1]]).astype(np.int64)


def belongs(offsets: NDArray[np.int64], shard: Shard | None) -> NDArray[np.bool_]:
    """Give a mask of the sentences that a shard has to write."""
    # offsets (n_sentences + 1,) -> (n_sentences,)
    mine = np.full(len(offsets) - 1, shard is None)
    if shard is not None:
        start, stop = cut(offsets, shard.count)[shard.number - 1 : shard.number + 1]
        mine[start:stop] = True
    return mine


def shards_begun(folder: Path, layers: Iterable[int] | None = None) -> set[tuple[int, int]]:
    """List the shards that have been started but are not complete."""
    wanted = None if layers is None else set(layers)
    matches = filter(None, (_JOURNAL.fullmatch(path.name) for path in folder.glob("*.journal")))
    numbers = [tuple(map(int, match.groups())) for match in matches]
    return {(k, n) for layer, k, n in numbers if wanted is None or layer in wanted}


def count_begun(cache: str | os.PathLike[str], key: Mapping[str, Any]) -> int:
    """Give the number of shards in which vectors were begun in a cache; 1 if in none."""
    for path in sorted(Path(cache).glob("*/manifest.json")):
        found = read_json(path)
        if isinstance(found, dict) and found.get("key") == json.loads(to_json(key)):
            return max((count for _, count in shards_begun(path.parent)), default=1)
    return 1


def shards_missing(
    offsets: NDArray[np.int64], written: NDArray[np.bool_], count: int
) -> tuple[int, ...]:
    """List the shards with unwritten sentences."""
    # offsets (n_sentences + 1,), written (n_sentences,)
    cuts = cut(offsets, count)
    return tuple(k for k in range(1, count + 1) if not written[cuts[k - 1] : cuts[k]].all())


def refuse_other_count(folder: Path, shard: Shard, begun: set[tuple[int, int]]) -> None:
    """Reject another number of shards than that of the shards already started."""
    if counts := {count for _, count in begun} - {shard.count}:
        raise StoreError(
            f"these vectors were started in {max(counts)} shards, not in {shard.count}",
            hint=f"continue with shards such as 1/{max(counts)}, or delete {folder}",
        )


def refuse_missing(
    folder: Path, manifest: Mapping[str, Any], missing: Iterable[int], count: int
) -> None:
    """Raise an error that names the missing shards, and similar ones in the cache."""
    names = ", ".join(f"{number}/{count}" for number in missing)
    others = "".join(_told_of_others(folder, manifest, count))
    hint = f"encode them with --shard, or delete {folder}"
    raise StoreError(f"{folder.parent} lacks shards {names} of these vectors{others}", hint=hint)


def _told_of_others(folder: Path, manifest: Mapping[str, Any], count: int) -> Iterable[str]:
    """Describe shards of the same sentences made with another model or setting."""
    own = json.loads(to_json(manifest))["key"]
    for path in sorted(folder.parent.glob("*/manifest.json")):
        theirs = read_json(path)
        key = theirs.get("key") if isinstance(theirs, dict) else None
        if (
            path.parent == folder
            or not isinstance(key, dict)
            or key.get("words") != own.get("words")
        ):
            continue
        numbers = sorted(number for number, n in shards_begun(path.parent) if n == count)
        if numbers:
            differs = [name for name in own if key.get(name) != own[name]]
            values = ", ".join(f"{name} {key.get(name)!r}, not {own[name]!r}" for name in differs)
            shards = ", ".join(f"{number}/{count}" for number in numbers)
            yield f" (it has {shards} with {values})"
