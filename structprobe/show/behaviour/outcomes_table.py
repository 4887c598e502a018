"""What probes find in models, and what the models do, as a plain table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.results.outcomes import LEAST_MODELS, accuracies, over_models, removals
from structprobe.show.behaviour.intervention_table import SHARES
from structprobe.show.cost_table import format_plan, tell_time
from structprobe.show.row_labels import short_model
from structprobe.show.table import NOTHING, lay_out

Outcome = Mapping[str, Any]


def format_outcomes(outcomes: Sequence[Outcome]) -> str:
    """Lay out what `read_outcomes` gives for each model."""
    cells = outcome_cells(outcomes)
    lines = lay_out(cells, [name == "model" for name in cells[0]])
    return "\n".join([*lines, *outcome_notes(outcomes)])


def outcome_cells(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Write the cells of the table, its headings first."""
    suites = list(dict.fromkeys(one["suite"] for own in outcomes for one in own["behaviour"]))
    heads = ["model", "layer", "UUAS", "selectivity", *suites, "edge found", "gain where found"]
    removed = list(dict.fromkeys(key for own in outcomes for key in removals(own)))
    heads += [f"removed: {told}" for told in removed]
    lines = [heads]
    for one in outcomes:
        known, tests = accuracies(one), _test(one)
        cells = [name_of(one), NOTHING if one["layer"] is None else str(one["layer"])]
        cells += [per_cent(one, "uuas"), per_cent(one, "selectivity")]
        cells += [per_cent(known.get((suite, "all"), {}), "accuracy") for suite in suites]
        cells += [per_cent(tests, "edge_found"), per_cent(tests, "accuracy_gain")]
        cells += [difference(removals(one).get(key)) for key in removed]
        lines.append(cells)
    return lines


def name_of(outcome: Outcome) -> str:
    """Name a model, with its revision."""
    name = short_model(str(outcome["model"]))
    name = name if outcome["revision"] is None else f"{name}@{str(outcome['revision'])[:12]}"
    return name if outcome["dtype"] in (None, "float32") else f"{name} ({outcome['dtype']})"


def per_cent(row: Mapping[str, Any], key: str) -> str:
    """Write a share in per cent, with its interval."""
    value, low, high = (row.get(f"{key}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return NOTHING
    told = f"{100 * value:z.1f}"
    return told if low is None or high is None else f"{told} [{100 * low:z.1f}, {100 * high:z.1f}]"


def difference(row: Mapping[str, Any] | None) -> str:
    """Write how far an effect is beyond that of random subspaces, in the units of its measure."""
    if row is None or row.get("beyond_random") is None:
        return NOTHING
    scale = 100.0 if row["condition"] in SHARES else 1.0
    keys = ("difference", "beyond_random", "beyond_random_low", "beyond_random_high")
    ends = [None if row[key] is None else f"{scale * row[key]:+.2f}" for key in keys]
    told = f"{ends[0]}, {ends[1]}"
    return told if None in ends else f"{told} [{ends[2]}, {ends[3]}]"


def _test(outcome: Outcome) -> Mapping[str, Any]:
    """Give the sentence-level tests over all pairs."""
    return next((one for one in outcome["tests"] if one["condition"] == "all"), {})


def outcome_notes(outcomes: Sequence[Outcome]) -> list[str]:
    """Tell what the columns are, what is correlated over models, and what is empty."""
    lines = [
        "In per cent, with 95% bootstrap intervals. UUAS: of the probe on the layer that is best "
        "on dev. Selectivity: UUAS minus that of the same probe on trees by word form. Then the "
        "share of minimal pairs whose grammatical sentence the model prefers; the share of pairs "
        "with trees in which the probe finds the edge between subject and verb; and how much more "
        "often the model is right where it is found, within paradigms.",
        "Removed: the change of a measure without the subspace of the probe, and how far that is "
        "beyond the mean change without random subspaces of the same rank and variance.",
    ]
    rows = over_models(outcomes)
    lines += [
        f"Over {one['n_models']} models, {one['score']} and accuracy on {one['suite']}, "
        f"{one['phenomenon']}: Spearman's rho {one['rho']:+.2f} [{one['low']:+.2f}, "
        f"{one['high']:+.2f}]."
        for one in rows
        if one["rho"] is not None
    ]
    if not rows:
        lines.append(
            f"No correlation over models: {counted(len(outcomes), 'model')}, and at least "
            f"{LEAST_MODELS} with behaviour are needed."
        )
    lines += [f"{name_of(one)}: {why}." for one in outcomes for why in one["why_empty"]]
    return lines


def format_plans(plans: Sequence[Mapping[str, Any]]) -> str:
    """Write for people what `plan_outcomes` gives for each model."""
    return "\n\n".join(map(_plan, plans))


def _plan(plan: Mapping[str, Any]) -> str:
    lines = [format_plan(plan)]
    if plan["why_no_behaviour"] is not None:
        return "\n".join([*lines, f"{'behave':<10}{plan['why_no_behaviour']}"])
    for name, key in (("behave", "behaviour"), ("intervene", "intervention")):
        told = f"about {tell_time(plan[f'{key}_seconds'])}, {plan[f'{key}_sentences']:,} sentences"
        lines.append(f"{name:<10}{told}")
    return "\n".join(lines)
