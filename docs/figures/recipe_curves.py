"""Draw a decoder's layer curves by both recipes over one another, from two folders of results.

``python docs/figures/recipe_curves.py RESULTS/published RESULTS/whitened`` writes the rows' numbers
to ``recipe_curves.csv`` and the picture to ``recipe_curves.svg``, both beside this file; without
folders it draws the rows that are there. Needs the extra ``plot``. The sweeps that filled the
folders stand in ``docs/recipe.md``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from structprobe.experiments.results import read_rows

HERE = Path(__file__).resolve().parent
ROWS, PICTURE = HERE / "recipe_curves.csv", HERE / "recipe_curves.svg"
COLUMNS = (
    *("method", "recipe", "layer", "rank", "seed", "steps", "uuas", "uuas_low", "uuas_high"),
    *("root_acc", "dspr", "nspr", "dev_uuas", "dev_loss", "punct", "n_sentences", "version"),
)
# Apart in colour, also for the colour-blind, in line and in marker.
LOOKS = {
    "whitened": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "published": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
}


def write_rows(folders: Sequence[str], path: Path = ROWS) -> None:
    """Write the rows of probes and of the linear chain, once each, as a table."""
    rows = [row for folder in folders for row in read_rows(folder)]
    wanted = {row["key"]: row for row in rows if row["method"] in ("linear", "probe")}
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(
            sorted(wanted.values(), key=lambda row: (row["recipe"] or "", row["layer"] or 0))
        )


def draw(path: Path = ROWS, picture: Path = PICTURE) -> None:
    """Draw UUAS by layer, one curve a recipe, with the linear chain as a dashed line."""
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "structprobe", "font.size": 10})
    figure, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for recipe, look in LOOKS.items():
        mine = [row for row in rows if row["recipe"] == recipe]
        layers = [int(row["layer"]) for row in mine]
        middle, low, high = (
            [100 * float(row[key]) for row in mine] for key in ("uuas", "uuas_low", "uuas_high")
        )
        ax.plot(layers, middle, label=f"recipe={recipe!r}", **look)
        ax.fill_between(layers, low, high, color=look["color"], alpha=0.2, linewidth=0)
    (chain,) = (100 * float(row["uuas"]) for row in rows if row["method"] == "linear")
    ax.axhline(chain, color="#444444", linestyle=":", label="linear chain")
    one = next(row for row in rows if row["method"] == "probe")
    ax.set_title(
        f"SmolLM2-135M-Instruct, UD English EWT test, {int(one['n_sentences']):,} sentences,\n"
        f'rank {one["rank"]}, punct="{one["punct"]}", 95 % bootstrap intervals',
        fontsize=10,
    )
    ax.set(xlabel="layer (0 = embedding output)", ylabel="UUAS, per cent", ylim=(0, 65))
    ax.set_xticks(range(0, 31, 3))
    ax.legend(frameon=False)
    figure.savefig(picture, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    if sys.argv[1:]:
        write_rows(sys.argv[1:])
    draw()
