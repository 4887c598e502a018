"""Folder names of saved probes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from structprobe.results.rows import Row

# What distinguishes probes of the same layer, rank and seed, in order of preference.
_APART = (
    "model", "train", "dev", "recipe", "max_steps", "products", "pooling", "spacing", "bos",
    "dtype", "punct", "treebank",
)  # fmt: skip


def name_probe(row: Row, others: Mapping[str, Row], taken: Iterable[str] = ()) -> str:
    """Name a probe's folder by layer, rank and seed, and by what distinguishes it from others."""
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
    """Format a value as part of a file name."""
    end = Path(str(value)).name if "/" in str(value) else str(value)
    return re.sub(r"[^\w.+-]+", "-", end)[:60]
