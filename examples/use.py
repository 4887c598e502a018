"""Write ``examples/use.md``: whether four models use the syntax that probes find in them.

The models, the folder MODELS and the sentences of English are those of ``examples/controls.py``;
the folder EWT is UD English EWT, and PAIRS holds the minimal pairs: the folders ``blimp`` and
``syntaxgym``::

    python examples/use.py MODELS/ EWT/ PAIRS/ RESULTS/

What is already in the folder RESULTS is not done again.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from controls import Model, cut_treebank, known_models, line, per_cent, table
from labelled import LAYERS

from structprobe import Encoder, Training, Treebank
from structprobe.experiments.behaviour.outcomes import OutcomesConfig, outcomes
from structprobe.experiments.config import InterveneConfig
from structprobe.results.outcomes import accuracies
from structprobe.show.behaviour.intervention_table import SHARES
from structprobe.stimuli.suites import SuiteGroup, read_suites

PAGE = Path(__file__).with_suffix(".md")
OWN = "own:agreement,attractors"
# Pairs under interventions: the head of this model, of 262,144 tokens, takes most of the time.
FEWER = {"Gemma-3-270M": 15}
CONTROLS = ("top axes", "bottom axes", "untrained probe", "control: form", "control: position")
INTRO = """\
Written by `examples/use.py`: one command, `python examples/use.py MODELS/ EWT/ PAIRS/ RESULTS/`.
What the figures say, and what they do not, is on the page *Do they use it?* of the documentation.

The treebank is that of `controls.md` ({sizes} of UD English EWT), the suites are the first {pairs}
pairs of each of the 67 paradigms of BLiMP, the 34 SyntaxGym suites, and {pairs} generated pairs of
each paradigm of agreement. Probes have rank {rank} and the default recipe; the layer is the best on
dev of three. Texts are spaced as they are written, and decoders read them behind their
beginning-of-sequence token. All is in per cent unless it says otherwise, with 95% bootstrap
intervals in brackets. The two sentence encoders were saved without a language-model head, so they
have no behaviour:

{reasons}"""
REMOVED = """\
The subspace that the probe reads (rank {rank}) is removed from the words of its layer, beside
controls of the same rank. Pairs are the first {intervention_pairs} of each paradigm ({fewer}), running
text the first {sentences} sentences of the test set. *untouched*: the measure without intervention;
*probe*: its change without the probe's subspace; *random*: the mean change without each of five
random subspaces of equal variance; *beyond random*: the difference of these two, paired by pair or
sentence; the other columns: the change without other subspaces of the same rank."""
TESTS = """\
On generated pairs, whose sentences have gold trees. *edge found*: how often the probe finds the
edge between subject and verb in the grammatical sentence; *right where found*, *where missed*: how
often the model prefers the grammatical sentence; *gain*: the difference within paradigms; *parsed
better*: UUAS in the grammatical sentence minus UUAS in the ungrammatical one."""


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    rank: int = 32
    punct: str = "xpos"
    pairs: int = 100  # of each paradigm, for behaviour
    intervention_pairs: int = 40  # of each paradigm, under interventions
    sentences: int = 200  # of running text, under interventions
    max_steps: int | None = None


def measured(
    model: Model, banks: Sequence[Treebank], suites: Sequence[SuiteGroup], results: Path,
    settings: Settings,
) -> Mapping[str, Any]:  # fmt: skip
    """Ask one model everything, and sum it up."""
    options = {key: value for key, value in model.options.items() if key != "bos"}
    encoder = Encoder(model.path, spacing="original", **options)
    config = OutcomesConfig(
        Training(max_steps=settings.max_steps),
        intervention_pairs=FEWER.get(model.name, settings.intervention_pairs),
        intervention=InterveneConfig(
            sentences=settings.sentences, recipe="auto", max_steps=settings.max_steps
        ),
        cache=results / "vectors",
    )
    (outcome,) = outcomes(
        [encoder], tuple(banks), suites, folder=results / model.name, layers=model.layers,
        rank=settings.rank, punct=settings.punct, config=config,
    )  # fmt: skip
    return outcome


def scores_line(model: Model, one: Mapping[str, Any], suites: Sequence[SuiteGroup]) -> str:
    """Write what is known of a model, suite by suite."""
    known = accuracies(one)
    cells = [per_cent(known.get((suite.name, "all"), {}), "accuracy") for suite in suites]
    found = per_cent(one, "uuas"), per_cent(one, "selectivity")
    return line(model.name, one["layer"], *found, *cells)


def phenomenon_lines(asked: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write the accuracy on each phenomenon of BLiMP, a column a model."""
    known = [accuracies(one) for one in asked.values()]
    names = dict.fromkeys(
        name for own in known for suite, name in own if suite == "blimp" and name != "all"
    )
    return [
        line(name, *(per_cent(own.get(("blimp", name), {}), "accuracy") for own in known))
        for name in sorted(names)
    ]


def removal_lines(one: Mapping[str, Any]) -> list[str]:
    """Write what changes without the probe's subspace, beside its controls, a line a measure."""
    table: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = {}
    for row in one["removal"]:
        own = table.setdefault((row["condition"], row["value"]), {})
        own.setdefault(row["intervention"], []).append(row)
    lines = []
    for (measure, phenomenon), own in table.items():
        (probe,) = own["probe"]
        if probe["difference"] is None or measure == "margin":
            continue
        random = [row["difference"] for row in own["random"]]
        cells = [told_change(measure, probe["untouched"], sign="")]
        cells += [with_bounds(measure, probe, "difference", "low", "high")]
        cells += [told_change(measure, sum(random) / len(random))]
        ends = ("beyond_random", "beyond_random_low", "beyond_random_high")
        cells += [with_bounds(measure, probe, *ends)]
        cells += [told_change(measure, own[name][0]["difference"]) for name in CONTROLS]
        lines.append(line(measure, phenomenon or "–", probe["n"], *cells))
    return lines


def told_change(measure: str, value: float, sign: str = "+") -> str:
    """Write a value of a measure: shares in per cent."""
    return f"{100 * value:{sign}z.1f}" if measure in SHARES else f"{value:{sign}z.2f}"


def with_bounds(measure: str, row: Mapping[str, Any], *keys: str) -> str:
    """Write a change with the bounds of its interval."""
    value, low, high = (told_change(measure, row[key]) for key in keys)
    return f"{value} [{low}, {high}]"


def test_lines(name: str, one: Mapping[str, Any]) -> list[str]:
    """Write the tests within a model, a line a phenomenon."""
    keys = ("accuracy", "edge_found", "accuracy_found", "accuracy_missed", "accuracy_gain",
            "parsed_better")  # fmt: skip
    return [
        line(name, row["condition"], row["n"], *(per_cent(row, key) for key in keys))
        for row in one["tests"]
    ]


def page(
    models: Sequence[Model], banks: Sequence[Treebank], suites: Sequence[SuiteGroup],
    results: Path, settings: Settings,
) -> str:  # fmt: skip
    """Measure all models, and write the page."""
    found = {model.name: measured(model, banks, suites, results, settings) for model in models}
    asked = {name: one for name, one in found.items() if one["behaviour"]}
    sizes = ", ".join(f"{len(bank):,}" for bank in banks) + " sentences"
    fewer = ", ".join(f"{n} for {name}" for name, n in FEWER.items())
    reasons = "\n".join(
        f"- {name}: {re.sub(r'^.*? has no head', 'no head', why)}"
        for name, one in found.items()
        for why in one["why_empty"]
    )
    parts = ["# Do four models use the syntax that probes find?",
             INTRO.format(sizes=sizes, reasons=reasons, **vars(settings))]  # fmt: skip
    headings = line("model", "layer", "UUAS", "selectivity", *(one.name for one in suites))
    lines = [scores_line(model, found[model.name], suites) for model in models]
    parts += ["## Probe and behaviour", table(headings, lines)]
    parts += ["## BLiMP by phenomenon", table(line("phenomenon", *asked), phenomenon_lines(asked))]
    parts += ["## Without the probe's subspace", REMOVED.format(fewer=fewer, **vars(settings))]
    headings = line(
        "measure", "of", "n", "untouched", "probe", "random", "beyond random", *CONTROLS
    )
    for name, one in asked.items():
        told = f"### {name}, layer {one['layer']}"
        parts += [f"{told}\n\n{table(headings, removal_lines(one))}"]
    headings = line("model", "phenomenon", "pairs", "accuracy", "edge found", "right where found",
                    "where missed", "gain", "parsed better")  # fmt: skip
    lines = [told for name, one in asked.items() for told in test_lines(name, one)]
    parts += ["## Within a model", TESTS, table(headings, lines)]
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description="Write use.md.")
    parser.add_argument("models", type=Path, help="folder of the two larger models")
    parser.add_argument("ewt", type=Path, help="folder of UD English EWT")
    parser.add_argument("pairs", type=Path, help="folder of blimp and syntaxgym")
    parser.add_argument("results", type=Path, help="folder for the results")
    parser.add_argument("-o", "--out", type=Path, default=PAGE, help="file to write")
    args = parser.parse_args(argv)
    settings = Settings()
    models = [replace(one, layers=LAYERS[one.name]) for one in known_models(args.models)]
    suites = read_suites([str(args.pairs / "blimp"), OWN], n=settings.pairs)
    suites = [*suites, *read_suites(str(args.pairs / "syntaxgym"))]
    told = page(models, cut_treebank(args.ewt), suites, args.results, settings)
    args.out.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
