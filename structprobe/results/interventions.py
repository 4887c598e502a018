"""What interventions changed, as a results folder keeps it: one file beside the rows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from structprobe.drafts import draft_file
from structprobe.errors import ResultError
from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import plain_number
from structprobe.stored_files import MAX_JSON, parse_json, read_stored

FILE = "interventions.json"
_TEXTS = ("intervention", "measure", "model")
_NUMBERS = ("layer", "rank", "variance", "untouched", "value", "difference", "low", "high",
            "beyond_random", "beyond_random_low", "beyond_random_high")  # fmt: skip
_OTHER = ("control_of", "phenomenon", "why_empty")
_COUNTS = ("n", "n_sinks", "n_changed")
# What tells runs apart; a later run of the same replaces the earlier one.
_SAME = ("model", "fingerprint", "layer")


def save_interventions(
    folder: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]], command: str | None = None
) -> None:
    """Save the rows of `read_interventions`, in place of those of the same model and layer."""
    ResultsFolder(folder).tell_command(command)
    new = {tuple(row.get(key) for key in _SAME) for row in rows}
    kept = [one for one in saved_interventions(folder)
            if tuple(one.get(key) for key in _SAME) not in new]  # fmt: skip
    text = json.dumps({"rows": [*kept, *rows]}, default=plain_number, ensure_ascii=False, indent=1)
    with draft_file(Path(folder) / FILE) as file:
        file.write(text.encode(errors="surrogatepass"))


def saved_interventions(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read what interventions changed; nothing if the folder has none."""
    path = Path(folder) / FILE
    if not os.path.lexists(path):
        return []
    hint = "remove it, or run `structprobe intervene` again"
    content = read_stored(path, Path(folder), ResultError, MAX_JSON)
    found = parse_json(content, path, ResultError, hint)
    rows = found.get("rows") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        what = "is not what `structprobe intervene` writes"
        raise ResultError(what, where=str(path), hint=hint)
    return rows


def _is_row(row: object) -> bool:
    """Whether what a file holds can be a row."""
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _TEXTS):
        return False
    numbers = (row.get(key, "missing") for key in _NUMBERS)
    return (
        all(value is None or _is_number(value) for value in numbers)
        and all(isinstance(row.get(key), str | None) for key in _OTHER)
        and all(isinstance(row.get(key), int) for key in _COUNTS)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < sys.float_info.max
