"""What attention heads do, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from structprobe.attention.head_analysis import HeadAnalysis
from structprobe.attention.relations import LEAST_ARCS, MARGIN
from structprobe.attention.targets import TARGETS
from structprobe.errors import counted
from structprobe.scores.protocol import PENN_PUNCTUATION
from structprobe.show.table import NOTHING, lay_out

# What counts as punctuation, as the tables say it.
PUNCT = {
    "upos": "UPOS PUNCT",
    "xpos": f"XPOS {' '.join(PENN_PUNCTUATION)}",
    "keep": "not identified",
}

_LETTERS = {"diagonal": "d", "vertical": "v", "vertical+diagonal": "vd", "block": "b",
            "heterogeneous": "H"}  # fmt: skip
_SHOWN = ("itself", "previous", "next", "special", "first", "punct", "end")
_AHEAD = 4  # heads that are named; the others are counted


def format_heads(analysis: HeadAnalysis) -> str:
    """Lay out an analysis of attention heads."""
    parts = (_relations, _trees, _alignment, _targets, _patterns)
    return "\n\n".join("\n".join(part(analysis)) for part in parts)


def _head_name(layer: int, head: int | None) -> str:
    """Name a head as Clark et al. (2019) do."""
    return NOTHING if head is None else f"{layer}-{head}"


def _relations(analysis: HeadAnalysis) -> list[str]:
    about = analysis.about
    heading = ["relation", "direction", "arcs", "head", "pattern", about["chosen_on"]]
    heading += [about["part"], "offset", "by offset", "gain", f"{100 * MARGIN:g} ahead"]
    lines = [heading, *(_relation_cells(row) for row in analysis.relations)]
    to_left = [name in ("relation", "direction", "pattern", heading[-1]) for name in heading]
    return [
        *lay_out(lines, to_left),
        f"Accuracy in per cent on {about['treebank'] or about['part']}, "
        f"{counted(about['n_sentences'], 'sentence')}; heads chosen on {about['chosen_on']}, "
        f"offsets (-1: the head is the preceding word) on {about['train'] or 'train'}; relations "
        "without subtypes; 3-2 is head 2 of layer 3.",
        "The predicted head of a word is the other word that it attends to most (dependent to "
        "head), or that attends to it most (head to dependent); roots and special tokens excluded.",
        f"{100 * MARGIN:g} ahead: heads that beat the offset by {100 * MARGIN:g} points or more on "
        f"both {about['chosen_on']} and {about['part']}, for relations with at least {LEAST_ARCS} "
        f"arcs in {about['part']}.",
    ]


def _relation_cells(row: Mapping[str, Any]) -> list[str]:
    chosen, by_offset = row["accuracy"], row["offset_accuracy"]
    gain = None if chosen is None or by_offset is None else chosen - by_offset
    names = [_head_name(layer, head) for layer, head, _ in row["ahead"]]
    more = [f"and {len(names) - _AHEAD} more"] if len(names) > _AHEAD else []
    return [
        row["relation"],
        row["direction"],
        f"{row['n_arcs']:,}",
        _head_name(row["layer"], row["head"]),
        row["pattern"] or NOTHING,
        _per_cent(row["choice_accuracy"]),
        _per_cent(chosen),
        NOTHING if row["offset"] is None else f"{row['offset']:+d}",
        _per_cent(by_offset),
        NOTHING if gain is None else f"{100 * gain:+.1f}",
        " ".join([*names[:_AHEAD], *more]) or NOTHING,
    ]


def _trees(analysis: HeadAnalysis) -> list[str]:
    about = analysis.about
    heading, best = ["layer"], []
    cells: dict[int, list[str]] = {row["layer"]: [] for row in analysis.trees}
    for row in analysis.trees:
        name = _head_name(row["layer"], row["head"])
        cells[row["layer"]] += [name, _per_cent(row["choice_uuas"]), _per_cent(row["uuas"])]
        if row["best"]:
            best.append(f"{row['method']} {name} ({_per_cent(row['uuas'])})")
    for method in dict.fromkeys(row["method"] for row in analysis.trees):
        heading += [method, about["chosen_on"], about["part"]]
    lines = [heading, *([str(layer), *row] for layer, row in cells.items())]
    left_out = "" if about["punct"] == "keep" else f"; {PUNCT[about['punct']]} excluded"
    return [
        *lay_out(lines, [False] * len(heading)),
        f"Trees from single heads: the best head of each layer and its UUAS, chosen on "
        f"{about['chosen_on']}; methods as in structprobe compare; max yields edges, not a tree; "
        f"gold-root uses the gold root{left_out}.",
        f"Best layer and head on {about['chosen_on']}, with UUAS on {about['part']}: "
        f"{', '.join(best) or NOTHING}.",
    ]


def _alignment(analysis: HeadAnalysis) -> list[str]:
    cells = [list(map(_per_cent, row)) for row in analysis.alignment]
    means = {"mean": analysis.alignment, "shuffled": analysis.shuffled}
    beside = {name: list(map(_per_cent, _means(values))) for name, values in means.items()}
    first = "." if analysis.about["first_is_special"] else "; attention to the first word excluded."
    return [
        *_grid(analysis.layers, cells, beside),
        "Dependency alignment: percentage of a head's attention between words (including a word's "
        "attention to itself) that falls on pairs linked by an arc, in either direction; shuffled: "
        f"the mean for the same trees over shuffled words (seed {analysis.about['seed']}){first}",
    ]


def _targets(analysis: HeadAnalysis) -> list[str]:
    columns = [[f"{100 * mean:.1f}" for mean in _means(analysis.shares[name])] for name in _SHOWN]
    columns.append([f"{mean:.2f}" for mean in _means(analysis.entropy)])
    rows = [
        [str(layer), *cells]
        for layer, cells in zip(analysis.layers, zip(*columns, strict=True), strict=True)
    ]
    told = "; ".join(f"{name}: {TARGETS[name]}" for name in _SHOWN)
    across = " Neighbours and the last word are counted across both sentences of a pair."
    return [
        *lay_out([["layer", *_SHOWN, "entropy"], *rows], [False] * (len(_SHOWN) + 2)),
        "What heads look at: percentage of a word's total attention, averaged over the heads of a "
        "layer; entropy in nats, with all special tokens as one position.",
        f"{told}. Punctuation is {PUNCT[analysis.about['punct']]}."
        f"{'' if analysis.about['n_pairs'] is None else across}",
    ]


def _patterns(analysis: HeadAnalysis) -> list[str]:
    cells = [[_LETTERS[name] for name in row] for row in analysis.patterns.tolist()]
    counts = [f"{n} {name} ({_LETTERS[name]})" for name, n in analysis.pattern_counts.items()]
    others = ", ".join(
        f"{100 * analysis.heterogeneous(mainly):.1f}% with a threshold of {100 * mainly:g}%"
        for mainly in (0.4, 0.6)
    )
    segments = "Sentences were read one at a time, so no head can be block (--pairs reads two)."
    if (n_pairs := analysis.about["n_pairs"]) is not None:
        pairs = counted(n_pairs, "pair")
        segments = f"Found in {pairs} of consecutive sentences, read as two segments."
    return [
        *_grid(analysis.layers, cells, {}),
        f"Patterns of {counted(analysis.patterns.size, 'head')}: {', '.join(counts)}. {segments}",
        f"Heterogeneous: {100 * analysis.heterogeneous():.1f}% of heads ({others}).",
        f"Rules: {analysis.rules.describe()}.",
    ]


def _grid(
    layers: Sequence[int], cells: Sequence[Sequence[str]], beside: Mapping[str, Sequence[str]]
) -> list[str]:
    """Lay out layers × heads, and further columns beside."""
    heading = ["layer", *(f"h{head}" for head in range(1, len(cells[0]) + 1)), *beside]
    lines = [
        [str(layer), *row, *(column[i] for column in beside.values())]
        for i, (layer, row) in enumerate(zip(layers, cells, strict=True))
    ]
    return lay_out([heading, *lines], [False] * len(heading))


def _means(values: NDArray[np.float64]) -> list[float]:
    """Mean over the heads of each layer, those without a value left out."""
    return list(np.ma.masked_invalid(values).mean(axis=1).filled(np.nan))


def _per_cent(value: float | None) -> str:
    return NOTHING if value is None or np.isnan(value) else f"{100 * value:.1f}"
