"""Write ``examples/labelled.md``: the family of probes on four models, with relations.

The models, the folder MODELS and the sentences of English are those of ``examples/controls.py``;
the folder TREEBANKS holds UD_English-EWT and the treebanks of `ELSEWHERE`::

    python examples/labelled.py MODELS/ TREEBANKS/ RESULTS/

What is already in the folder RESULTS is not done again.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from controls import Model, Settings, cut_treebank, known_models, line, per_cent, table

from structprobe import CompareConfig, Encoder, Treebank, compare
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.methods import Method, choose_methods
from structprobe.recoverers.with_relations import ProbeRelations
from structprobe.results.rows import Row

PAGE = Path(__file__).with_suffix(".md")
# What predicts relations; the rest of the family; baselines, and the upper bound.
LABELLED = (
    "probe-relations", "probe-relations-root", "probe-relations-joint", "probe-tree-relations",
    "probe-tree-relations-joint", "depprobe", "polar",
)  # fmt: skip
UNLABELLED = (
    "probe-orthogonal", "probe-hyperbolic", "probe-signed", "probe-kernel-poly",
    "probe-kernel-sigmoid", "probe-kernel-rbf", "probe-landmarks", "probe-incremental",
)  # fmt: skip
# Those of masked models say why they have no scores: no model here was saved with its masked head.
AROUND = ("probe-untrained", "linear", "cpmi", "substitutability")
METHODS = ("biaffine-relations", *LABELLED, *UNLABELLED, *AROUND)
# The rank of a parser is another; an orthogonal probe has as many axes as there are dimensions.
WITHOUT_RANK = ("biaffine-relations", "probe-incremental", "probe-orthogonal", *AROUND[1:])
SCORES = ("las", "uas", "uuas", "root_acc")
# Where structural probes were best on dev in `controls.md`; those of all layers take hours.
LAYERS = {"MiniLM": (2, 3, 4), "MPNet-base": (2, 4, 6), "SmolLM2-135M": (12, 18, 24),
          "Gemma-3-270M": (6, 9, 12)}  # fmt: skip
ELSEWHERE = ("UD_French-GSD", "UD_German-GSD", "UD_Turkish-BOUN", "UD_Vietnamese-VTB")
BESIDE = ("probe-relations", "depprobe", "probe-relations-joint")  # with the Polar Probe
INTRO = """\
Written by `examples/labelled.py`: one command,
`python examples/labelled.py MODELS/ TREEBANKS/ RESULTS/`.

The data are those of `controls.md`: {sizes} of UD English EWT. Each method is fitted on three
layers of a model, among those where structural probes were best on dev in `controls.md` ({layers}),
and the layer is the best of them on the dev set. Probes have rank {rank}; all else is at its
default. That differs in one respect: structural probes, with relations or not, have the recipe
`auto`, `polar` one of its variants, and all others `whitened`, which gives several points less on
so few sentences. Compare the other geometries with one another rather than with `probe-relations`. Scores are on the test set with `punct="{punct}"`, in per cent, with 95%
bootstrap intervals over sentences in brackets. *parameters*: how many numbers were learned on the
chosen layer; *CPU s*: of fitting on all layers and of predicting, without encoding; a probe that
several methods share counts for the first."""
OTHERS = """\
The same methods on layer {layer} of {model}, which was trained on English: UAS and LAS on the test
set, in per cent. Where a treebank has no training set, the first four fifths of its dev set are
trained on, and the last fifth is the dev set."""
CLAIM = """\
Diego-Simón et al. (2024) report that the Polar Probe nearly doubles the labelled accuracy of a
structural probe. Here is the LAS of `polar`, divided by that of structural probes whose relations
are read from the vectors: of both words (`probe-relations`), of the dependent alone as in DepProbe
(`depprobe`), and of both words with trees decoded jointly (`probe-relations-joint`). At 1, both are
equally good."""


def read_elsewhere(folder: Path) -> list[Treebank]:
    """Read training, dev and test set; four fifths of dev are the training set if there is none."""
    found = {part: [*folder.glob(f"*-{part}.conllu")] for part in ("train", "dev", "test")}
    banks = {part: Treebank.read(paths) for part, paths in found.items() if paths}
    dev, middle = banks["dev"], len(banks["dev"]) * 4 // 5
    if "train" in banks:
        return [banks["train"], dev, banks["test"]]
    return [dev[:middle], dev[middle:], banks["test"]]


def chosen(model: Model, settings: Settings, names: Sequence[str]) -> list[Method]:
    """List the methods, with the layers of a model."""
    steps = {} if settings.max_steps is None else {"max_steps": settings.max_steps}
    found = []
    for method in choose_methods(names):
        of_layers = issubclass(method.cls, BestLayer | ProbeRelations)
        told = {"layers": model.layers, **steps} if of_layers else {}
        if method.name not in WITHOUT_RANK:
            told["rank"] = settings.rank
        found.append(replace(method, told={**method.told, **told}))
    return found


def measured(
    model: Model,
    banks: Sequence[Treebank],
    results: Path,
    settings: Settings,
    names: Sequence[str] = METHODS,
) -> dict[str, Row]:
    """Give the row of each method on a model."""
    rows = compare(
        Encoder(model.path, **model.options), *banks, folder=results / model.name,
        punct=settings.punct, methods=chosen(model, settings, names),
        config=CompareConfig(cache=results / "vectors"),
    )  # fmt: skip
    return {row["method"]: row for row in rows}


def method_line(row: Row) -> str:
    """Write the scores of a method and what it cost, or why it has none."""
    if row["why_empty"]:
        reason = re.sub(r"^'[^']*' ", "the model ", row["why_empty"])  # whose name may be a folder
        return line(row["method"], f"– ({reason})", *[""] * (len(SCORES) + 2))
    size = row.get("n_parameters")
    layer = "–" if row["layer"] is None else row["layer"]
    told = "–" if size is None else f"{size:,}"
    scores = (per_cent(row, key) for key in SCORES)
    return line(row["method"], layer, *scores, told, f"{row['cpu_seconds']:,.0f}")


def ratios(name: str, found: Mapping[str, Row]) -> str:
    """Divide the LAS of the Polar Probe on a model by that of others."""
    own = found["polar"]["las"]
    others = (found[method]["las"] for method in BESIDE)
    return line(name, *(f"{own / other:.2f}" if own and other else "–" for other in others))


def elsewhere_lines(found: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """Write UAS and LAS of each method on each treebank."""
    keys = ("uas", "las")
    return [
        line(name, *(shown(rows[name], key) for rows in found.values() for key in keys))
        for name in next(iter(found.values()))
    ]


def shown(row: Row, key: str) -> str:
    """Write a score in per cent, without its interval."""
    return per_cent(row, key).partition(" ")[0]


def page(
    models: Sequence[Model],
    banks: Sequence[Treebank],
    others: Mapping[str, Sequence[Treebank]],
    results: Path,
    settings: Settings,
) -> str:
    """Measure all models, and write the page."""
    found = {model.name: measured(model, banks, results, settings) for model in models}
    sizes = ", ".join(f"{len(bank):,}" for bank in banks) + " sentences"
    layers = "; ".join(f"{one.name}: {', '.join(map(str, one.layers))}" for one in models)
    parts = ["# The family of probes on four models", INTRO.format(
        sizes=sizes, layers=layers, rank=settings.rank, punct=settings.punct
    )]  # fmt: skip
    headings = line("method", "layer", "LAS", "UAS", "UUAS", "root", "parameters", "CPU s")
    for name, rows in found.items():
        parts += [f"## {name}\n\n{table(headings, [*map(method_line, rows.values())])}"]
    lines = [ratios(name, rows) for name, rows in found.items()]
    headings = line("model", *(f"polar / {method}" for method in BESIDE))
    parts += ["## The Polar Probe beside structural probes", CLAIM, table(headings, lines)]
    first = replace(models[0], layers=models[0].layers[1:2])
    names = ("biaffine-relations", *LABELLED, "linear")
    how = replace(settings, punct="keep")  # their tags are not those of the Penn Treebank
    elsewhere = {
        name: measured(replace(first, name=name), own, results, how, names)
        for name, own in others.items()
    }
    if elsewhere:
        told = OTHERS.format(layer=first.layers[0], model=first.name)
        headings = line("method", *(f"{one}, {key}" for one in elsewhere for key in ("UAS", "LAS")))
        parts += ["## Other treebanks", told, table(headings, elsewhere_lines(elsewhere))]
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description="Write labelled.md.")
    parser.add_argument("models", type=Path, help="folder of the two larger models")
    parser.add_argument("treebanks", type=Path, help="folder of the treebanks")
    parser.add_argument("results", type=Path, help="folder for the results")
    parser.add_argument("-o", "--out", type=Path, default=PAGE, help="file to write")
    args = parser.parse_args(argv)
    models = [replace(one, layers=LAYERS[one.name]) for one in known_models(args.models)]
    banks = cut_treebank(args.treebanks / "UD_English-EWT")
    others = {name: read_elsewhere(args.treebanks / name) for name in ELSEWHERE}
    args.out.write_text(page(models, banks, others, args.results, Settings()), encoding="utf-8")


if __name__ == "__main__":
    main()
