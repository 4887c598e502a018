"""Draw a decoder's layer curves by both recipes over one another, from two folders of results.

``python docs/figures/recipe_curves.py RESULTS/published RESULTS/whitened`` writes the rows to
``recipe_curves.csv`` and the picture to ``recipe_curves.svg``, both beside this file; without
folders it draws the rows that are there. Needs the extra ``plot``. The sweeps that filled the
folders stand in ``docs/recipe.md``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from structprobe.results.folder import read_rows
from structprobe.show import draw_layer_curves

HERE = Path(__file__).resolve().parent
ROWS, PICTURE = HERE / "recipe_curves.csv", HERE / "recipe_curves.svg"
COLUMNS = (
    *("method", "model", "recipe", "layer", "rank", "seed", "steps"),
    *("uuas", "uuas_low", "uuas_high", "root_acc", "dspr", "nspr", "dev_uuas", "dev_loss"),
    *("treebank", "part", "n_sentences", "punct", "min_length", "max_length", "version"),
)
TEXTS = {"method", "model", "recipe", "treebank", "part", "punct", "version"}


def write_rows(folders: Sequence[str], path: Path = ROWS) -> None:
    """Write the rows of probes and of the linear chain, once each, as a table."""
    rows = [row for folder in folders for row in read_rows(folder)]
    wanted = {row["key"]: row for row in rows if row["method"] in ("linear", "probe")}
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        for row in sorted(
            wanted.values(), key=lambda row: (row["recipe"] or "", row["layer"] or 0)
        ):
            name = row["model"] and Path(row["model"]).name  # where the file lay is nobody's matter
            table.writerow({**row, "model": name})


def load_rows(path: Path = ROWS) -> list[dict[str, Any]]:
    """Read the table back as result rows."""
    with path.open(encoding="utf-8") as file:
        return [
            {key: _value(key, text) if text else None for key, text in row.items()}
            for row in csv.DictReader(file)
        ]


def draw(path: Path = ROWS, picture: Path = PICTURE) -> None:
    """Draw UUAS by layer, one curve a recipe, with the linear chain as a dashed line."""
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "structprobe"})
    ax = draw_layer_curves(load_rows(path))
    ax.set_ylim(bottom=0)
    ax.set_xticks(range(0, 31, 3))
    ax.figure.savefig(picture, metadata={"Date": None}, bbox_inches="tight")


def _value(key: str, text: str) -> str | float | int:
    if key in TEXTS:
        return text
    return int(text) if text.isdecimal() else float(text)


if __name__ == "__main__":
    if sys.argv[1:]:
        write_rows(sys.argv[1:])
    draw()
