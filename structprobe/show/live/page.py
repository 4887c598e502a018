"""The page that asks for a sentence and shows its trees."""

from __future__ import annotations

from structprobe.show.live.probes import MOST_CHARACTERS, MOST_WORDS, LiveProbes
from structprobe.show.report.elements import element, note
from structprobe.show.report.page import VIEW_SCRIPTS, make_page, page_body
from structprobe.show.report.view import numbers, slider, tree_box, word_table

EXAMPLE = "the dog that chased the cat ran to the river"  # parsed before anything is typed


def live_page(probes: LiveProbes) -> str:
    """Make the page."""
    count = len(probes.names)
    layers = probes.names[0] if count == 1 else f"{count} layers"
    form = element(
        "form",
        element("label", "A sentence, with spaces between words and punctuation", for_="text"),
        element("input", type="text", id="text", name="text", value=EXAMPLE, dir="auto",
                maxlength=MOST_CHARACTERS, autocomplete="off", spellcheck="false"),
        element("button", "Parse", type="submit"),
        id="type", class_="type",
    )  # fmt: skip
    steps = slider("Layer", count=count, at=probes.best)
    view = [steps, tree_box(), numbers(gold=False), word_table()]
    shown = element("div", view, id="shown", hidden=True)
    told = (
        f"Trees, distances and depths that structural probes predict from {layers}. A probe "
        "shows what can be read from a layer, not what the model does with it. Type up to "
        f"{MOST_WORDS} words."
    )
    status = element("p", id="status", role="status", aria_live="polite")
    needed = element("noscript", note("This page needs JavaScript."))
    main = [form, status, shown, needed]
    body = page_body("structprobe serve", probes.model, [told], main)
    title = f"structprobe: {probes.model}"
    return make_page(title, body, scripts=(*VIEW_SCRIPTS, "live.js"), connect=True)
