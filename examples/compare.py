"""Write ``examples/compare.md``: every method on English EWT, for an encoder and for a decoder.

The tables are made of folders of results, which the commands in it fill::

    python examples/compare.py --commands   # prints the commands alone
    python examples/compare.py RESULTS/     # writes the page from RESULTS/minilm, RESULTS/smollm2
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from structprobe.experiments.results import read_rows
from structprobe.experiments.rows import Row
from structprobe.recoverers.methods import find_methods
from structprobe.show.table import format_table
from structprobe.treebank.disturb import DISTURBANCES

PAGE = Path(__file__).with_suffix(".md")
VERSIONS = (None, *DISTURBANCES)


@dataclass(frozen=True)
class Comparison:
    """One model on one slice of EWT."""

    title: str
    folder: str
    model: str
    told: str
    commands: str
    order: str = ""


COMPARISONS = (
    Comparison(
        "MiniLM, an encoder",
        "minilm",
        "MINILM/",
        "All of EWT; the small encoder of the extra `demo`. It was tuned to give one vector to a "
        "sentence, and perturbed masking finds next to nothing in its last layer (on every 80th "
        "sentence of test, decoded by Eisner, 17.2, and 29.5 in layer 1).",
        """\
structprobe compare --model MINILM/ --methods all --disturbed --punct xpos \\
    --train en_ewt-ud-train.conllu --dev en_ewt-ud-dev.conllu --test en_ewt-ud-test.conllu \\
    -o RESULTS/minilm/
""",
    ),
    Comparison(
        "SmolLM2-135M, a decoder",
        "smollm2",
        "SMOLLM2/",
        "Every fifth sentence of train and every second of dev, all of test; 4-bit weights. Rows that "
        "the command gives and that are not here (probe-tree, probe-untrained) were not run.",
        """\
python -c "from structprobe import Treebank
Treebank.read('en_ewt-ud-train.conllu')[::5].write('train-fifth.conllu')
Treebank.read('en_ewt-ud-dev.conllu')[::2].write('dev-half.conllu')"
structprobe compare --model SMOLLM2/ --gguf-file SmolLM2-135M-Instruct.Q4_1.gguf --bos \\
    --methods all --disturbed --punct xpos \\
    --train train-fifth.conllu --dev dev-half.conllu --test en_ewt-ud-test.conllu \\
    -o RESULTS/smollm2/
""",
        "Why the attention probe is above the probe here was not tested; this may be it: the vector of "
        "a word in a causal model knows nothing of what follows, so that a head on its right shows "
        "only in what that head attends to, which the attention probe reads in both directions; and "
        "the probe learns 576 whitened coordinates from a fifth of the sentences, the attention probe "
        "two weights a head.",
    ),
)


def page(results: Path) -> str:
    """Write the page from the folders of results."""
    parts = [
        "# All methods, one table",
        "Written by `examples/compare.py` from folders of results. All layers, heads and weights "
        "were chosen or learnt on train and dev; the scores are of test. CPU s is fitting and "
        "predicting, without the encoding of word vectors, which methods share.",
    ]
    for one in COMPARISONS:
        rows = [told_of(row, one.model) for row in newest(read_rows(results / one.folder))]
        written = [row for row in rows if row["words_as"] is None]
        parts += [f"## {one.title}", one.told, f"```bash\n{one.commands}```", table(written)]
        lines = order_lines(written)
        parts += ["\n".join(f"- {line}" for line in lines)]
        if one.order and any("fails" in line for line in lines):
            parts += [one.order]
        if len(rows) > len(written):
            parts += [
                "Order and nonsense: the same fitted methods on disturbed sentences, those that were "
                "run with `--disturbed`.",
                uuas(rows),
            ]
    return "\n\n".join(parts) + "\n"


def newest(rows: Sequence[Row]) -> list[Row]:
    """Give one row a method and disturbance, a scored one before an empty one, in their order."""
    scored_last = sorted(rows, key=lambda row: row["why_empty"] is None)
    found = {(row["method"], row["words_as"]): row for row in scored_last}
    order = [(method, version) for method in find_methods() for version in VERSIONS]
    return [found[one] for one in order if one in found]


def told_of(row: Row, model: str) -> Row:
    """Tell of a row what holds on any machine: the model by the name that the commands give it."""
    empty = row["why_empty"]
    if empty and row["model"]:
        empty = empty.replace(row["model"], model)
    return row | {"model": model if row["model"] else None, "why_empty": empty}


def table(rows: Sequence[Row]) -> str:
    """Lay rows out as they are printed in a terminal."""
    return f"```\n{format_table(rows)}\n```"


def uuas(rows: Sequence[Row]) -> str:
    """Lay the UUAS of methods out by what was done to the sentences."""
    found = {(row["method"], row["words_as"]): row for row in rows}
    heading = ["UUAS", *(version or "written" for version in VERSIONS)]
    lines = [heading, ["---", *["--:"] * len(VERSIONS)]]
    for method in dict.fromkeys(row["method"] for row in rows if row["words_as"]):
        lines.append([method, *(per_cent(found.get((method, version))) for version in VERSIONS)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def order_lines(rows: Sequence[Row]) -> list[str]:
    """Check that probe > attention probe > best single head > linear chain, by UUAS."""
    rungs = {
        "probe": [row for row in rows if row["method"] == "probe"],
        "attention probe": [row for row in rows if row["method"] == "attention-probe"],
        "best single head": [row for row in rows if row["head"] and not row["uses_gold"]],
        "linear chain": [row for row in rows if row["method"] == "linear"],
    }
    best = {
        name: max((row for row in found if row["uuas"] is not None), key=lambda row: row["uuas"])
        for name, found in rungs.items()
        if any(row["uuas"] is not None for row in found)
    }
    lines = [f"There is no {name} among the rows." for name in rungs if name not in best]
    told = {name: f"{name} ({row['method']}) {per_cent(row)}" for name, row in best.items()}
    for above, below in pairwise(best):
        holds = best[above]["uuas"] > best[below]["uuas"]
        sign = ">" if holds else "is NOT above"
        lines.append(f"{told[above]} {sign} {told[below]}{'.' if holds else ': the order fails.'}")
    return lines + [
        f"{row['method']} has {per_cent(row)}: it sees which words there are too, and learns heads."
        for row in rows
        if row["method"] == "attention-probe-words" and row["uuas"] is not None
    ]


def per_cent(row: Row | None) -> str:
    """Write a row's UUAS in per cent."""
    return "–" if row is None or row["uuas"] is None else f"{100 * row['uuas']:.1f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Read the folders of results and write the page."""
    parser = argparse.ArgumentParser(description="Write compare.md from folders of results.")
    parser.add_argument("results", nargs="?", type=Path, help="the folder of both folders")
    parser.add_argument("--commands", action="store_true", help="print the commands alone")
    parser.add_argument("-o", "--out", type=Path, default=PAGE, help="the page")
    args = parser.parse_args(argv)
    if args.commands:
        print("\n".join(one.commands for one in COMPARISONS))
    elif args.results is None:
        parser.error("name the folder of results, or ask for --commands")
    else:
        args.out.write_text(page(args.results), encoding="utf-8")


if __name__ == "__main__":
    main()
