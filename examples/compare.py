"""Write ``examples/compare.md``: every method on English EWT, for an encoder and for a decoder.

The tables are made of folders of results, which the commands in it fill::

    python examples/compare.py --commands   # prints the commands alone
    python examples/compare.py RESULTS/     # writes the page from its folders
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from structprobe.recoverers.methods import find_methods
from structprobe.results.folder import read_rows
from structprobe.results.rows import Row
from structprobe.results.saved_runs import (
    has_predictions,
    read_predictions,
    read_sentences,
)
from structprobe.scores import score
from structprobe.show.table import format_table
from structprobe.treebank.disturb import DISTURBANCES

PAGE = Path(__file__).with_suffix(".md")
VERSIONS = (None, *DISTURBANCES)
SIDES = ("before", "after")
SPANS = {"1": 1, "2": 2, "3 to 4": 4, "5 and more": 10**6}  # each with its longest, in words


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
        "Every fifth sentence of train and every second of dev, all of test; 4-bit weights.",
        """\
python -c "from structprobe import Treebank
Treebank.read('en_ewt-ud-train.conllu')[::5].write('train-fifth.conllu')
Treebank.read('en_ewt-ud-dev.conllu')[::2].write('dev-half.conllu')"
structprobe compare --model SMOLLM2/ --gguf-file SmolLM2-135M-Instruct.Q4_1.gguf --bos \\
    --methods all --disturbed --punct xpos \\
    --train train-fifth.conllu --dev dev-half.conllu --test en_ewt-ud-test.conllu \\
    -o RESULTS/smollm2/
""",
        "The attention probe is above the probe here. Three causes were looked at, beside MiniLM on "
        "the same sentences (below). The number of sentences: the probe, with a matrix to learn, "
        "loses points there against all of train, and the attention probe, with two weights a head, "
        "hardly any; but the order holds. The loss: the same geometry trained as a parser "
        "(probe-tree) is nearer, and below still. The model's direction (its vectors know nothing "
        "of what follows): with the head two to four words away the probe finds fewer of those that "
        "come after than of those before, but so it does with MiniLM, and here the attention probe "
        "is ahead on both sides. What is left is the model itself: more heads to weigh, and layers "
        "that tell the probe less.",
    ),
    Comparison(
        "MiniLM, on the sentences of the decoder",
        "minilm-fifth",
        "MINILM/",
        "Beside the other two, for what the number of sentences does and what the model.",
        """\
structprobe compare --model MINILM/ --punct xpos \\
    --methods probe,attention-probe,attention-max,attention-max-from,linear \\
    --train train-fifth.conllu --dev dev-half.conllu --test en_ewt-ud-test.conllu \\
    -o RESULTS/minilm-fifth/
""",
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
        found = by_place(results / one.folder, written)
        if found:
            parts += [
                "Gold edges found, in per cent, by the side of its dependent on which the head "
                "stands and how many words away:",
                found,
            ]
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


def by_place(folder: Path, rows: Sequence[Row]) -> str:
    """Lay out which edges the probe and the attention probe find, where predictions were kept."""
    names = [f"{side} {span}" for side in SIDES for span in SPANS]
    lines = [["", *(f"head {name}" for name in names)], ["---", *["--:"] * len(names)]]
    for row in rows:
        if row["method"] in ("probe", "attention-probe") and has_predictions(folder, row["key"]):
            sentences = read_sentences(folder, row["key"])
            # The score by relation, of trees whose relations are the places of the heads.
            gold = [replace(one, deprels=places(one.heads)) for one in sentences]
            predictions = [one for _, one in read_predictions(folder, row["key"])]
            found = score(gold, predictions, punct=row["punct"]).by_deprel
            shares = {name: one.correct / one.total for name, one in found.items()}
            cells = (f"{100 * shares[name]:.1f}" if name in shares else "–" for name in names)
            lines.append([row["method"], *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""


def places(heads: Sequence[int]) -> tuple[str, ...]:
    """Name of each word where its head stands, as ``before 2``, and ``root`` of the root."""

    def place(position: int, head: int) -> str:
        span = next(name for name, most in SPANS.items() if abs(head - position) <= most)
        return f"{SIDES[int(head > position)]} {span}"

    return tuple(place(i, head) if head else "root" for i, head in enumerate(heads, start=1))


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
