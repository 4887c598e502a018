"""The page with the table of architectures, and its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trial import EQUAL, NO_TEXT, PADDED, READ, REFUSED, SINGLE, TRACEBACK, UNBUILT, WRONG

_ORDER = (PADDED, EQUAL, SINGLE, REFUSED, WRONG, TRACEBACK, UNBUILT)
_SHOWN = {
    PADDED: "reads right",
    EQUAL: "read in batches of equal length",
    SINGLE: "read one by one",
}


def summary(results: Sequence[dict[str, Any]]) -> str:
    """Count the architectures of each status."""
    counts = Counter(result["status"] for result in results)
    n_text = len(results) - counts[NO_TEXT]
    n_built = n_text - counts[UNBUILT]
    n_read = sum(counts[status] for status in READ)
    share = f" ({n_read / n_built:.1%} of them read)" if n_built else ""
    lines = [f"{n_text} with text input, {n_built} built{share}"]
    lines += [f"{_SHOWN.get(status, status)}: {counts[status]}" for status in _ORDER]
    return "\n".join(lines)


def write_table(results: Sequence[dict[str, Any]], path: Path, version: str) -> None:
    """Write the page."""
    import torch

    from structprobe import __version__

    counts = Counter(result["status"] for result in results)
    n_text = len(results) - counts[NO_TEXT]
    n_built = n_text - counts[UNBUILT]
    n_read = sum(counts[status] for status in READ)
    torch_version = torch.__version__.split("+")[0]
    lines = [
        "# Architectures",
        "",
        f"Of the {len(results)} architectures in AutoModel's mapping of transformers {version}, "
        f"{n_text} take text. A tiny model with random weights could be built of {n_built}; "
        f"structprobe {__version__} reads {n_read} of these ({n_read / n_built:.1%}) "
        f"and refuses {counts[REFUSED]}.",
        "",
        "Each model was read as an object and from a folder: sentences of different lengths "
        "together, and each alone. A model is read right if the vectors of all words in all layers "
        "are those of a plain pass over one sentence at a time, within 1e-3 of the sentence's "
        f"largest value (torch {torch_version}, float32, CPU). The page is written by "
        "`python docs/architectures/build_table.py`.",
        "",
        "| how read | architectures |",
        "|---|---|",
    ]
    lines += [f"| {_SHOWN.get(status, status)} | {counts[status]} |" for status in _ORDER]
    lines += [
        "",
        "A model that ignores its attention mask, or whose vectors depend in another way on what "
        "stands in the batch, is read in batches of equal length or one sentence at a time.",
        "",
        "| architecture | class | how read | part, or reason |",
        "|---|---|---|---|",
    ]
    for result in results:
        if result["status"] == NO_TEXT:
            continue
        note = result["reason"] or (f"`{result['part']}`" if result["part"] else "")
        cells = (
            f"`{result['architecture']}`",
            f"`{result['model_class']}`" if result["model_class"] else "–",
            _SHOWN.get(result["status"], result["status"]),
            note if note.startswith("`") else _plain(note),
        )
        lines.append(f"| {' | '.join(cells)} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _plain(text: str) -> str:
    """Escape what would be markup in a cell, and cut it short."""
    text = text if len(text) <= 160 else text[:159].rstrip() + "…"
    for character in "\\`*_[]<>|$~":
        text = text.replace(character, "\\" + character)
    return text
