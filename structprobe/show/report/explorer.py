"""The sections of a report about single sentences: the explorer, the worst and the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from structprobe.errors import counted
from structprobe.scores.table import column
from structprobe.show.report.elements import Markup, element, note, section, slider
from structprobe.show.report.packing import Explorer
from structprobe.show.report.saved_predictions import KeptSeries
from structprobe.show.report.sentence_view import legend, numbers, tree_box, word_table

_SHOWN = 6  # sentences at each end
_LEAST_EDGES = 5  # of a sentence that can be among the worst or the best

_BARS = "Bars: UUAS of this sentence at each position of the slider; the line above is 100%."
_ALL_WORDS = (
    "Trees show all words; UUAS is computed over the words that the protocol keeps (see the end of "
    "the page)."
)
HOW_TO_KEEP = (
    "No predictions were kept with these results, so there are no tables by relation and no "
    "sentences to show. Run the command again into a new folder, without --no-keep-predictions."
)
_NO_WORD = (
    "Search for words as the treebank splits them, such as ",
    element("code", "do n't"),
    " for ",
    element("code", "don't"),
    "; punctuation marks are separate words.",
)
NO_GOLD = (
    "An older version kept these predictions without gold trees, so right and wrong edges cannot "
    "be told apart. Run the command again into a new folder to keep both."
)


def explorer_section(kept: Sequence[KeptSeries], packed: Explorer, n_scored: int) -> Markup:
    """Make the explorer, which scripts fill."""
    gold = kept[0].runs[0].scores is not None
    layered = any(one.series.layered for one in kept)
    before = element("button", "← Previous", type="button", id="previous")
    which = element("p", element("b", id="sentence-id"), " ", element("span", id="place"))
    behind = element("button", "Next →", type="button", id="next")
    notes = [_ALL_WORDS] if gold else [_ALL_WORDS, NO_GOLD]
    if missing := n_scored - len(packed.blocks):
        notes.append(
            f"Of {n_scored:,} runs, {missing:,} {'appears' if missing == 1 else 'appear'} only in "
            "the table of scores: predictions were not kept, or did not fit on this page."
        )
    first, run = kept[0].series, kept[0].runs[kept[0].best]
    if run.row["key"] != first.rows[first.best]["key"]:
        told = f"{first.names[first.best]}, has no predictions here; {run.name} is shown first."
        notes.append(f"The best run of {first.name}, {told}")
    notes += filter(None, (run.fault for one in kept for run in one.runs))
    if packed.left_out:
        told = counted(packed.left_out, "long sentence")
        notes.append(f"The distances of {told} are omitted from this page.")
    view = element(
        "div",
        element("div", before, which, behind, class_="step"),
        _series_choice(kept),
        slider("Layer" if layered else "Method", bars=_BARS if gold else None),
        element("p", id="status", role="status", aria_live="polite"),
        legend(gold=gold),
        tree_box(),
        numbers(gold=gold),
        word_table(),
        list(map(note, notes)),
        class_="view",
    )
    needed = element("noscript", note("The explorer needs JavaScript."))
    explorer = element("div", _search(), view, class_="explorer")
    return section("sentences", "Sentence by sentence", needed, explorer)


def extremes(kept: Sequence[KeptSeries]) -> Markup | None:
    """List the worst and the best sentences of the best run."""
    first = kept[0]
    run = first.runs[first.best]
    if run.scores is None:
        return None
    edges, right = (column(run.scores.table, key).astype(int) for key in ("edges", "right_edges"))
    long_enough = np.flatnonzero(edges >= _LEAST_EDGES)
    if not len(long_enough):
        return None

    def entry(at: int) -> Markup:
        words = run.sentences[at].words
        text = element("bdi", " ".join(words[:60]) + (" …" if len(words) > 60 else ""))
        score = element("span", f"{right[at]} of {edges[at]}", class_="score")
        place = {"data_sentence": at, "data_series": 0, "data_run": first.best}
        return element("li", element("a", score, " ", text, href="#sentences", **place))

    share = right[long_enough] / edges[long_enough]
    lists = []
    for title, order in (("Worst", share), ("Best", -share)):
        # Of equal ones the longer first, at either end.
        found = long_enough[np.lexsort((-edges[long_enough], order))][:_SHOWN].tolist()
        entries = element("ol", list(map(entry, found)))
        lists.append(element("div", element("h3", title), entries))
    of = f" on {run.row['treebank']}" if len(kept) > 1 else ""
    of = f" of {first.series.name}" if first.series.layered else of
    told = (
        f"By the proportion of scored edges that {run.name}{of} recovers, among sentences with at "
        f"{_LEAST_EDGES} scored edges. Select one to see its tree."
    )
    worst_and_best = element("div", lists, class_="two")
    return section("extremes", "Worst and best sentences", note(told), worst_and_best)


def _series_choice(kept: Sequence[KeptSeries]) -> Markup | None:
    if len(kept) < 2:
        return None
    options = [element("option", one.series.name, value=at) for at, one in enumerate(kept)]
    label, select = element("label", "Show", for_="series"), element("select", options, id="series")
    return element("p", label, " ", select, class_="choice")


def _search() -> Markup:
    bound = {"type": "number", "min": 0, "max": 100, "step": 1, "inputmode": "numeric"}
    form = element(
        "form",
        _field("Words", "word", element("input", type="search", id="word", name="word", dir="auto",
                                autocomplete="off", placeholder="such as: that the")),
        _field("Relation", "deprel", element("select", id="deprel", name="deprel")),
        element(
            "fieldset",
            element("legend", "UUAS of the sentence, per cent"),
            element("input", name="low", aria_label="at least", placeholder="0", **bound),
            element("span", "to", aria_hidden="true"),
            element("input", name="high", aria_label="at most", placeholder="100", **bound),
        ),
        _field("Order", "order", element("select", [
            element("option", "as in the text", value="text"),
            element("option", "worst first", value="worst"),
            element("option", "best first", value="best"),
        ], id="order", name="order")),
        element("p", element("output", id="count", aria_live="polite"),
                element("button", "Clear", type="reset"), class_="found"),
        note(_NO_WORD, id="hint", hidden=True),
        id="search", role="search", aria_label="Sentences",
    )  # fmt: skip
    found = element("ol", id="found", aria_label="Sentences found")
    more = element("button", "Show more", type="button", id="more", hidden=True)
    return element("div", form, found, more, class_="finder")


def _field(label: str, name: str, control: Markup) -> Markup:
    return element("p", element("label", label, for_=name), control, class_="field")
