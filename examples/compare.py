"""Write ``examples/compare.md``: all methods on English EWT, for an encoder and a decoder.

The tables are made from results folders, which are created by the commands on the page::

    python examples/compare.py --commands   # print only the commands
    python examples/compare.py RESULTS/     # write the page from the folders in RESULTS/
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from structprobe import format_table, read_rows, score
from structprobe.recoverers.methods import find_methods
from structprobe.results.rows import Row
from structprobe.results.saved_runs import (
    has_predictions,
    read_predictions,
    read_sentences,
)
from structprobe.treebank.disturb import DISTURBANCES

PAGE = Path(__file__).with_suffix(".md")
VERSIONS = (None, *DISTURBANCES)
SIDES = ("before", "after")
SPANS = {"1": 1, "2": 2, "3 to 4": 4, "5 or more": 10**6}  # name: longest distance in words


@dataclass(frozen=True)
class Comparison:
    """One model on one slice of EWT."""

    title: str
    folder: str
    model: str
    intro: str
    commands: str
    order: str = ""


COMPARISONS = (
    Comparison(
        "MiniLM, an encoder",
        "minilm",
        "MINILM/",
        "All of EWT, with the small encoder of the extra `demo`. This model was fine-tuned to produce "
        "one vector per sentence, and perturbed masking finds almost nothing in its last layer (on "
        "every 80th test sentence, with Eisner decoding, its UUAS is 17.2, compared with 29.5 in "
        "layer 1).",
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
        "Every fifth sentence of the training set, every second sentence of the dev set, and the "
        "whole test set; 4-bit weights.",
        """\
python -c "from structprobe import Treebank
Treebank.read('en_ewt-ud-train.conllu')[::5].write('train-fifth.conllu')
Treebank.read('en_ewt-ud-dev.conllu')[::2].write('dev-half.conllu')"
structprobe compare --model SMOLLM2/ --gguf-file SmolLM2-135M-Instruct.Q4_1.gguf --bos \\
    --methods all --disturbed --punct xpos \\
    --train train-fifth.conllu --dev dev-half.conllu --test en_ewt-ud-test.conllu \\
    -o RESULTS/smollm2/
""",
        "Here the attention probe scores higher than the probe. We looked at three possible causes, "
        "with MiniLM on the same sentences (below) for comparison. (1) The number of sentences: with "
        "fewer training sentences, MiniLM's probe, which learns a matrix, loses points, while its "
        "attention probe, which learns two weights per head, loses hardly any; but the order stays "
        "the same. (2) The loss: the same geometry trained as a parser (probe-tree) comes closer, but "
        "stays below the attention probe. (3) The direction of the model, whose vectors contain "
        "nothing about the words that follow: if the head is two to four words away, the probe finds "
        "fewer of the heads after the word than of those before it; but this is also true of MiniLM, "
        "and here the attention probe is ahead on both sides. What remains is the model itself: it "
        "has more attention heads to combine, and its layers are less useful to the probe.",
    ),
    Comparison(
        "MiniLM, on the sentences of the decoder",
        "minilm-fifth",
        "MINILM/",
        "This comparison separates the effect of the number of sentences from that of the model.",
        """\
structprobe compare --model MINILM/ --punct xpos \\
    --methods probe,attention-probe,attention-max,attention-max-from,linear \\
    --train train-fifth.conllu --dev dev-half.conllu --test en_ewt-ud-test.conllu \\
    -o RESULTS/minilm-fifth/
""",
    ),
)


def page(results: Path) -> str:
    """Write the page from the results folders."""
    parts = [
        "# All methods, one table",
        "Written by `examples/compare.py` from results folders. All layers, heads and weights were "
        "chosen or learned on the training and dev sets; scores are on the test set. CPU s is the "
        "time for training and prediction, without encoding the word vectors, which the methods "
        "share.",
    ]
    for one in COMPARISONS:
        rows = [with_model_name(row, one.model) for row in newest(read_rows(results / one.folder))]
        written = [row for row in rows if row["words_as"] is None]
        parts += [f"## {one.title}", one.intro, f"```bash\n{one.commands}```", table(written)]
        lines = order_lines(written)
        parts += ["\n".join(f"- {line}" for line in lines)]
        found = by_place(results / one.folder, written)
        if found:
            parts += [
                "Gold edges found, in per cent, by the position of the head: before or after its "
                "dependent, and how many words away:",
                found,
            ]
        if one.order and any("does not hold" in line for line in lines):
            parts += [one.order]
        if len(rows) > len(written):
            parts += [
                "The same fitted methods on disturbed sentences (words shuffled, content words "
                "swapped, sentences truncated), for the methods that were run with `--disturbed`:",
                uuas(rows),
            ]
    return "\n\n".join(parts) + "\n"


def newest(rows: Sequence[Row]) -> list[Row]:
    """Keep one row per method and disturbance, preferring scored rows to empty ones."""
    scored_last = sorted(rows, key=lambda row: row["why_empty"] is None)
    found = {(row["method"], row["words_as"]): row for row in scored_last}
    order = [(method, version) for method in find_methods() for version in VERSIONS]
    return [found[one] for one in order if one in found]


def with_model_name(row: Row, model: str) -> Row:
    """Replace the model's local path with the name used in the commands."""
    empty = row["why_empty"]
    if empty and row["model"]:
        empty = empty.replace(row["model"], model)
    return row | {"model": model if row["model"] else None, "why_empty": empty}


def table(rows: Sequence[Row]) -> str:
    """Format rows as they are printed in a terminal."""
    return f"```\n{format_table(rows)}\n```"


def uuas(rows: Sequence[Row]) -> str:
    """Make a table of UUAS by method and disturbance."""
    found = {(row["method"], row["words_as"]): row for row in rows}
    heading = ["UUAS", *(version or "written" for version in VERSIONS)]
    lines = [heading, ["---", *["--:"] * len(VERSIONS)]]
    for method in dict.fromkeys(row["method"] for row in rows if row["words_as"]):
        lines.append([method, *(per_cent(found.get((method, version))) for version in VERSIONS)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_place(folder: Path, rows: Sequence[Row]) -> str:
    """Make a table of edges found by the position of the head, for rows with saved predictions."""
    names = [f"{side} {span}" for side in SIDES for span in SPANS]
    lines = [["", *(f"head {name}" for name in names)], ["---", *["--:"] * len(names)]]
    for row in rows:
        if row["method"] in ("probe", "attention-probe") and has_predictions(folder, row["key"]):
            sentences = read_sentences(folder, row["key"])
            # Scores by relation, with the position of the head in place of the relation.
            gold = [replace(one, deprels=places(one.heads)) for one in sentences]
            predictions = [one for _, one in read_predictions(folder, row["key"])]
            found = score(gold, predictions, punct=row["punct"]).by_deprel
            shares = {name: one.correct / one.total for name, one in found.items()}
            cells = (f"{100 * shares[name]:.1f}" if name in shares else "–" for name in names)
            lines.append([row["method"], *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""


def places(heads: Sequence[int]) -> tuple[str, ...]:
    """Name the position of each word's head, such as ``before 2``; ``root`` for the root."""

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
    lines = [f"No {name} among the rows." for name in rungs if name not in best]
    shown = {name: f"{name} ({row['method']}) {per_cent(row)}" for name, row in best.items()}
    for above, below in pairwise(best):
        holds = best[above]["uuas"] > best[below]["uuas"]
        sign = ">" if holds else "is NOT above"
        lines.append(
            f"{shown[above]} {sign} {shown[below]}{'.' if holds else ': the order does not hold.'}"
        )
    return lines + [
        f"{row['method']} scores {per_cent(row)}: it also sees the words, and learns which tend to be heads."
        for row in rows
        if row["method"] == "attention-probe-words" and row["uuas"] is not None
    ]


def per_cent(row: Row | None) -> str:
    """Format a row's UUAS in per cent."""
    return "–" if row is None or row["uuas"] is None else f"{100 * row['uuas']:.1f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Read the results folders and write the page."""
    parser = argparse.ArgumentParser(description="Write compare.md from results folders.")
    parser.add_argument(
        "results", nargs="?", type=Path, help="folder that contains the results folders"
    )
    parser.add_argument("--commands", action="store_true", help="print only the commands")
    parser.add_argument("-o", "--out", type=Path, default=PAGE, help="file to write")
    args = parser.parse_args(argv)
    if args.commands:
        print("\n".join(one.commands for one in COMPARISONS))
    elif args.results is None:
        parser.error("give the folder of the results folders, or --commands")
    else:
        args.out.write_text(page(args.results), encoding="utf-8")


if __name__ == "__main__":
    main()
