"""What the folder of a saved probe is called, in a folder of results that may hold many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from structprobe.results.rows import Row

# What tells probes of one layer, rank and seed apart, the first that differs first.
_APART = (
    "model", "train", "dev", "recipe", "max_steps", "products", "pooling", "spacing", "bos",
    "dtype", "punct", "treebank",
)  # fmt: skip


def name_probe(row: Row, others: Mapping[str, Row], taken: Iterable[str] = ()) -> str:
    """Name a probe's folder: by layer, rank and seed, and by what tells it from those there."""
    method = "" if row["method"] == "probe" else f"{row['method']}_"
    name = f"{method}layer-{row['layer']:02d}_rank-{row['rank']}_seed-{row['seed']}"
    while name in others:
        apart = [key for key in _APART if row[key] != others[name].get(key)]
        parts = (f"{key}-{_short(row[key])}" for key in apart)
        part = next((part for part in parts if part not in name), None)
        if part is None:
            break
        name += f"_{part}"
    return f"{name}_{row['key'][:8]}" if name in {*others, *taken} else name


def _short(value: Any) -> str:
    """Write a value as part of a file's name."""
    end = Path(str(value)).name if "/" in str(value) else str(value)
    return re.sub(r"[^\w.+-]+", "-", end)[:60]
