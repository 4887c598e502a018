"""The section of the report about interventions: each removal beside its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.show.behaviour.intervention_table import below, intervention_cells
from structprobe.show.report.elements import Child, Markup, note, section, text_table
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
        told.append(text_table(caption, intervention_cells(own)))
        notes |= dict.fromkeys(below(own))
    return section("interventions", "Interventions", [*told, *map(note, notes)])
