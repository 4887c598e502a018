"""The section of the report about interventions: each removal beside its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.behaviour.intervention_table import below, intervention_cells
from structprobe.show.report.elements import Child, Markup, element, note, section, wide
from structprobe.show.row_labels import short_model


def intervention_section(rows: Sequence[Mapping[str, Any]]) -> Markup | None:
    """Show what was removed from each model and layer, by measure and phenomenon."""
    if not rows:
        return None
    told: list[Child] = []
    notes: dict[str, None] = {}
    for key in dict.fromkeys(row["key"] for row in rows):
        own = [row for row in rows if row["key"] == key]
        model, layer = own[0]["model"], own[0]["layer"]
        caption = f"Subspaces removed from layer {layer} of {short_model(model)}"
        told.append(_table(caption, intervention_cells(own)))
        notes |= dict.fromkeys(below(own))
    return section("interventions", "Interventions", [*told, *map(note, notes)])


def _table(caption: str, cells: Sequence[Sequence[str]]) -> Markup:
    """Make a table of cells of text, the first line its head."""
    head, *body = cells
    table = element(
        "table",
        element("caption", element("span", caption)),
        element("thead", element("tr", [element("th", one, scope="col") for one in head])),
        element(
            "tbody",
            [
                element(
                    "tr",
                    element("th", line[0].strip(), scope="row"),
                    [element("td", one) for one in line[1:]],
                )
                for line in body
            ],
        ),
        class_="evidence",
    )
    return wide(f"Table: {caption}", table)
