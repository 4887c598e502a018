"""The page with the table of architectures, and its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

# The possible statuses of an architecture, as the page shows them.
PADDED, EQUAL, SINGLE = "reads right", "read in batches of equal length", "read one by one"
REFUSED, UNBUILT, NO_TEXT = "refused", "could not be built", "no text input"
WRONG, TRACEBACK = "WRONG", "TRACEBACK"
READ = (PADDED, EQUAL, SINGLE)
_ORDER = (*READ, REFUSED, WRONG, TRACEBACK, UNBUILT)

Result = dict[str, Any]


def count(rows: Sequence[Result]) -> tuple[int, int, int]:
    """Count the architectures that take text, that were built, and that were read."""
    counts = Counter(row["status"] for row in rows)
    n_text = len(rows) - counts[NO_TEXT]
    return n_text, n_text - counts[UNBUILT], sum(counts[status] for status in READ)


def summarise(rows: Sequence[Result]) -> str:
    """Write the counts for the terminal."""
    n_text, n_built, n_read = count(rows)
    counts = Counter(row["status"] for row in rows)
    lines = [f"{n_text} take text, {n_built} built, {n_read} read ({n_read / (n_built or 1):.1%})"]
    return "\n".join([*lines, *(f"{status}: {counts[status]}" for status in _ORDER)])


def make_page(rows: Sequence[Result], versions: dict[str, str]) -> str:
    """Write the page."""
    n_text, n_built, n_read = count(rows)
    counts = Counter(row["status"] for row in rows)
    lines = [
        "# Architectures",
        "",
        f"AutoModel of transformers {versions['transformers']} knows {len(rows)} architectures, of "
        f"which {n_text} take text. A tiny model with random weights could be built for {n_built} "
        f"of these; structprobe {versions['structprobe']} reads {n_read} of them "
        f"({n_read / n_built:.1%}).",
        "",
        "| how read | architectures |",
        "|---|---|",
        *(f"| {status} | {counts[status]} |" for status in _ORDER),
        "",
        "Every model was read as an object and from a folder, with sentences of different lengths "
        "together and each alone. It is read right if the vectors of all words in all layers are "
        "those of a plain pass over one sentence at a time, within 1e-3 of the sentence's largest "
        "value. A model that ignores its attention mask, or whose vectors depend in another way "
        "on the rest of the batch, is read in batches of equal length or one sentence at a time. "
        "If a model as a whole does not read text without images or sound, the part that does is "
        "named.",
        "",
        "Attention is read from the layers that have it, and compared with a plain pass in the "
        "same way; it is refused where a model does not return what it attends to.",
        "",
        f"Tried with torch {versions['torch']} on a CPU, in float32. "
        "`python docs/architectures/build_table.py` writes this page.",
        "",
        "| architecture | class | how read | part or reason | attention |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        if row["status"] != NO_TEXT:
            cells = (
                f"`{row['architecture']}`",
                f"`{row['model_class']}`" if row["model_class"] else "–",
                row["status"],
                f"`{row['part']}`" if row["part"] and not row["reason"] else _plain(row["reason"]),
                _plain(row.get("attention", "")),
            )
            lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Escape what would be markup in a cell, and cut it short."""
    text = text if len(text) <= 160 else text[:159].rstrip() + "…"
    for character in "\\`*_[]<>|$~{}":
        text = text.replace(character, "\\" + character)
    return text
