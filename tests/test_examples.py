"""The examples run on what is embedded and give what their last lines say they gave."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import compare, sweep
from support.pages import compare as compare_texts
from support.planted_agreement import planted_model, planted_pairs, planted_sentences
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import labelled, tiny_bank

from structprobe import Encoder, Treebank, read_rows
from structprobe.cli.main import build_parser
from structprobe.results.outcomes import accuracies, read_outcomes
from structprobe.results.predictions import predictions_to_bytes
from structprobe.results.rows import make_row
from structprobe.results.saved_runs import predictions_path
from structprobe.scores import Prediction
from structprobe.stimuli.suites import SuiteGroup, read_suites
from structprobe.treebank.sentence import Sentence

FOLDER = Path(__file__).resolve().parent.parent / "examples"
PAGE = "compare.py"  # writes a page from folders of results, and prints nothing
CONTROLS = "controls.py"  # probes four models and writes a page, and prints nothing
USE = "use.py"  # asks four models whether they use what probes find, and prints nothing
FAMILY = "labelled.py"  # compares the family of probes on four models, and prints nothing
PICTURES = "screenshots.py"  # takes pictures of pages by a browser, and prints nothing
DRAWING = "parse_and_draw.py"  # on another processor, a tree may differ by an edge
# On another processor, another candidate of the recipe may be ahead, other runs end falling.
BY_A_HAIR = re.compile(r"axes-\w+|\(\d+ of \d+ rows\)")
SILENT = PAGE, CONTROLS, FAMILY, USE, PICTURES
EXAMPLES = sorted(path for path in FOLDER.glob("*.py") if path.name not in SILENT)


@pytest.mark.slow
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.usefixtures("minilm", "encoded_once")
def test_an_example_gives_what_it_says(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out.rstrip()
    _, _, comment = script.read_text(encoding="utf-8").partition("\n# It prints:\n")
    told = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment.splitlines())
    assert told, "the script ends with the output it gave"
    if script.name != DRAWING:
        compare_texts(*(BY_A_HAIR.sub("...", text) for text in (printed, told)), script.name)
        return
    words = "the dog that chased the cat ran to the river"
    assert words in told
    assert words in printed
    assert len(printed.splitlines()) == pytest.approx(len(told.splitlines()), abs=6)
    assert (tmp_path / "tree.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.slow
def test_the_pictures_of_pages_are_taken(tmp_path: Path) -> None:
    program = shutil.which("chromium")
    pytest.importorskip("playwright", reason="playwright is not installed (extra browser)")
    if program is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    encoder = Encoder(save_checkpoint(tmp_path / "model", "bert"))
    banks = tiny_bank(), tiny_bank(seed=1)
    sweep(encoder, *banks, folder=tmp_path / "DIR", max_steps=2, save_probes=True)
    script = runpy.run_path(str(FOLDER / PICTURES))
    given = [str(tmp_path / "DIR"), "--chromium", program, "--out", str(tmp_path), "--word", "the"]
    script["main"](given)
    for name in ("report.png", "serve.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert (FOLDER / name).stat().st_size < 200_000


def test_the_page_of_controls_is_written(tmp_path: Path) -> None:
    script = runpy.run_path(str(FOLDER / CONTROLS), run_name="controls")
    checkpoint = save_checkpoint(tmp_path / "model", "bert")
    model = script["Model"]("Tiny", checkpoint, (0, 1), {"max_unknown": 1})
    banks = [tiny_bank(seed=seed) for seed in range(3)]
    settings = script["Settings"](rank=2, punct="upos", n_stimuli=26, max_steps=2)
    page = script["page"]([model], banks, tmp_path / "results", settings)
    rows = read_rows(tmp_path / "results" / "Tiny")
    values = {(row["method"], row["layer"]): row for row in rows}
    for layer in (0, 1):
        (line,) = re.findall(rf"^\| {layer} \| .*", page, flags=re.M)
        cells = [cell.partition(" [")[0] for cell in line.strip("| ").split(" | ")]
        methods = ("probe", *(f"probe-control-{name}" for name in ("form", "position", "random")))
        uuas = [f"{100 * values[method, layer]['uuas']:.1f}" for method in methods]
        selectivity = f"{100 * values['probe-control-form', layer]['selectivity']:.1f}"
        bias = f"{values['probe', layer]['near_word_bias']:.2f}"
        assert cells == [str(layer), *uuas, selectivity, bias]
    best = max((0, 1), key=lambda layer: values["probe", layer]["dev_uuas"])
    assert re.search(rf"^\| Tiny \| {best} \| [\d.]+ \[", page, flags=re.M)
    coded = re.findall(r"^\| Tiny \| (\d) \| (\w+)((?: \| \d\.\d\d){4}) \|$", page, flags=re.M)
    kinds = "tree", "distances", "depths"
    assert [one[:2] for one in coded] == [(str(n), k) for n in sorted({0, best}) for k in kinds]
    assert len({one[2] for one in coded}) > 1


@pytest.mark.slow
def test_the_page_of_the_family_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))  # as where a script lies is, when it is run
    script = runpy.run_path(str(FOLDER / FAMILY), run_name="labelled")
    checkpoint = save_checkpoint(tmp_path / "model", "bert")
    model = script["Model"]("Tiny", checkpoint, (0, 1), {"max_unknown": 1})
    banks = [labelled(tiny_bank(seed=seed)) for seed in range(3)]
    settings = script["Settings"](rank=2, punct="upos", max_steps=2)
    page = script["page"]([model], banks, {"Other": banks[::-1]}, tmp_path / "results", settings)
    rows = {row["method"]: row for row in read_rows(tmp_path / "results" / "Tiny")}
    assert {*rows} == {*script["METHODS"]}
    for name, row in rows.items():
        (line,) = re.findall(rf"^\| {name} \| (.*) \|$", page.partition("## Other")[0], flags=re.M)
        if row["why_empty"]:
            assert line.startswith("– (the model has no mask token, which ")
            continue
        cells = line.split(" | ")
        scores = [row[key] for key in ("las", "uas", "uuas", "root_acc")]
        told = ["–" if one is None else f"{100 * one:.1f}" for one in scores]
        assert [one.partition(" [")[0] for one in cells[1:5]] == told
    ratio = rows["polar"]["las"] / rows["depprobe"]["las"]
    assert re.search(rf"^\| Tiny \| \S+ \| {ratio:.2f} \|", page, flags=re.M)
    others = {row["method"]: row for row in read_rows(tmp_path / "results" / "Other")}
    for name in script["LABELLED"]:
        told = " | ".join(f"{100 * others[name][key]:.1f}" for key in ("uas", "las"))
        assert f"| {name} | {told} |" in page


@pytest.mark.slow
def test_the_page_of_use_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    script = runpy.run_path(str(FOLDER / USE), run_name="use")
    planted = planted_model("tree")
    names = {"Planted": planted.model, "Headless": planted.model.transformer}
    for name, model in names.items():
        model.save_pretrained(tmp_path / name)
        planted.tokenizer.save_pretrained(tmp_path / name)
    models = [script["Model"](name, tmp_path / name, (1,), {"max_unknown": 1}) for name in names]
    banks = [Treebank(planted_sentences(n, seed)) for seed, n in enumerate((60, 12, 12))]
    pairs = tuple(planted_pairs(30, "tree"))
    suites = [SuiteGroup("blimp", pairs, (), {}), *read_suites("own:agreement", n=5)]
    settings = script["Settings"](
        rank=4, punct="keep", pairs=30, intervention_pairs=20, sentences=6, max_steps=60
    )
    page = script["page"](models, banks, suites, tmp_path / "results", settings)
    (one,) = read_outcomes(tmp_path / "results" / "Planted")
    known = accuracies(one)["blimp", "all"]["accuracy"]
    assert re.search(rf"^\| Planted \| 1 \| .* \| {100 * known:.1f} \[", page, flags=re.M)
    (effect,) = (
        row for row in one["removal"] if row["condition"] == "accuracy"
        and row["intervention"] == "probe" and row["value"] == "all"
    )  # fmt: skip
    told = f"{100 * effect['untouched']:.1f} | {100 * effect['difference']:+.1f} ["
    assert f"| accuracy | all | {effect['n']} | {told}" in page
    (test,) = (row for row in one["tests"] if row["condition"] in ("agreement", "all"))
    assert f"| Planted | {test['condition']} | {test['n']} | " in page
    assert "- Headless: no head for " in page
    assert "| Headless | 1 | " in page


def test_the_page_of_the_family_in_the_docs_has_the_figures_of_its_example() -> None:
    written = (FOLDER / "labelled.md").read_text(encoding="utf-8")
    told = (FOLDER.parent / "docs" / "family.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.*?)\n\n(.*?)(?=\n\n##|\Z)", written, flags=re.M | re.S))
    (table,) = re.findall(r"^\| method \| MiniLM .*\n\|-.*\n((?:\|.*\n)+)", told, flags=re.M)
    models = re.findall(r"^\| method \| (MiniLM .*) \|$", told, flags=re.M)[0].split(" | ")
    for line in table.splitlines():
        name, *cells = line.strip("| ").split(" | ")
        for model, cell in zip(models, cells, strict=True):
            found = re.findall(
                rf"^\| {name.strip('`')} \| \d+ \| (\S+) ", sections[model], flags=re.M
            )
            assert found == [cell]


def test_the_page_of_use_in_the_docs_has_the_lines_of_its_example() -> None:
    written = (FOLDER / "use.md").read_text(encoding="utf-8").splitlines()
    told = (FOLDER.parent / "docs" / "use.md").read_text(encoding="utf-8").splitlines()
    tables = [line for line in told if line.startswith("| ")]
    assert len(tables) > 40
    assert {line for line in tables if line not in written} == set()


def test_the_page_in_the_docs_has_the_figures_of_the_page_of_controls() -> None:
    """Those of its tables, and the models' names; the second table leaves out intervals."""
    written = (FOLDER / "controls.md").read_text(encoding="utf-8")
    told = (FOLDER.parent / "docs" / "four-models.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in told.splitlines() if line.startswith("| ")]
    starts = [n + 1 for n, cells in enumerate(lines) if cells[0].startswith("model")]
    first, second, third = (lines[n : n + 4] for n in starts)
    sections = dict(re.findall(r"^## (.*?)\n\n(.*?)(?=\n\n)", written, flags=re.M | re.S))
    for (name, layer, *cells), (_, *apart), (_, *coded) in zip(first, second, third, strict=True):
        number = layer.split()[0]
        (own,) = re.findall(rf"^\| {number} \| (.*) \|$", sections[name], flags=re.M)
        *scores, selectivity, bias = own.split(" | ")
        assert cells == [*(one.split(" [")[0] for one in scores), selectivity, bias]
        (own,) = re.findall(rf"^\| {name} \| {number} \| (\d.*\[.*) \|$", written, flags=re.M)
        values = [float(one.split(" [")[0]) for one in own.split(" | ")]
        shares = [float(one.removesuffix(" %")) for one in apart[:4]]
        assert shares == pytest.approx(values[::2], abs=0.501)
        assert [float(one) for one in apart[4:]] == values[1::2]
        assert f"| {name} | {number} | tree | {' | '.join(coded)} |" in written


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ("encode", {"SLURM_ARRAY_TASK_COUNT": "8"}),
        ("encode", {"SLURM_ARRAY_TASK_COUNT": "2", "SHARDS": "8"}),  # two of eight, again
        ("sweep", {}),
    ],
)
def test_the_slurm_script_calls_what_there_is(
    job: str, told: dict[str, str], tmp_path: Path
) -> None:
    """Run it with a `structprobe` that prints its arguments, as one of Slurm's tasks."""
    printer = tmp_path / "structprobe"
    printer.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    printer.chmod(0o755)
    environment = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_CPUS_PER_TASK": "4", **told}
    environment |= {"PATH": f"{tmp_path}:/usr/bin:/bin", "WORK": "/shared/my work"}
    done = subprocess.run(
        ["/bin/bash", str(FOLDER / "slurm_array.sh"), job],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    args = build_parser().parse_args(done.stdout.splitlines())
    assert args.command == job
    assert args.cache == "/shared/my work/vectors"
    assert getattr(args, "shard", "3/8") == "3/8"
    assert args.model in ("bert-base-cased", ["bert-base-cased"])
    assert (args.dtype, args.layers) == ("float16", "all")
    if job == "sweep":
        assert (args.jobs, args.out) == (4, "/shared/my work/results")


def test_the_slurm_script_says_how_it_is_submitted() -> None:
    text = (FOLDER / "slurm_array.sh").read_text(encoding="utf-8")
    calls = re.findall(r"sbatch .*?(examples/\S+) (\w+)", text)
    assert calls == [("examples/slurm_array.sh", job) for job in ("encode", "sweep", "encode")]


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / PAGE), run_name="compare")


def test_the_page_is_written_from_folders_of_results(page: dict[str, Any], tmp_path: Path) -> None:
    encoder = Encoder(save_checkpoint(tmp_path / "model", "bert"))
    banks = [tiny_bank(seed=seed) for seed in range(3)]
    for folder in ("minilm", "smollm2", "minilm-fifth"):
        methods = "random,linear,probe-layer-0"
        compare(encoder, *banks, methods=methods, disturbed=True, folder=tmp_path / folder)
    page["main"]([str(tmp_path), "-o", str(tmp_path / "page.md")])
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert re.findall("^## (.*)", text, flags=re.M) == [one.title for one in page["COMPARISONS"]]
    assert text.count("Scored on the test treebank, 12 sentences.") == 3
    first = text[: text.index("## SmolLM2")]
    rows = re.findall(r"^(probe-layer-0|linear|random) ", first, flags=re.M)
    assert rows == ["probe-layer-0", "linear", "random"]
    assert "| UUAS | written | shuffled | swapped | truncated |" in first
    assert first.count("| linear | ") == 1
    assert "- No attention probe among the rows." in first


def test_the_commands_of_the_page_parse(
    page: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    page["main"](["--commands"])
    printed = capsys.readouterr().out.replace("\\\n", " ")
    commands = [line for line in printed.splitlines() if line.startswith("structprobe ")]
    parsed = [build_parser().parse_args(shlex.split(command)[1:]) for command in commands]
    assert [one.disturbed for one in parsed] == [True, True, False]
    (slices,) = re.findall(r'python -c "(.*?)"', printed, flags=re.S)
    compile(slices, "the page", "exec")


def test_the_page_tells_whether_the_order_holds(page: dict[str, Any]) -> None:
    def row(method: str, uuas: float | None, **values: Any) -> dict[str, Any]:
        return make_row(method=method, uuas=uuas, **values)

    rows = [
        row("probe", 0.7), row("attention-probe", 0.5), row("attention-probe-words", 0.65),
        row("heads", 0.66, head=3), row("heads-gold-root", 0.9, head=3, uses_gold=True),
        row("heads-empty", None, head=2), row("linear", 0.4),
    ]  # fmt: skip
    assert page["order_lines"](rows) == [
        "probe (probe) 70.0 > attention probe (attention-probe) 50.0.",
        "attention probe (attention-probe) 50.0 is NOT above best single head (heads) 66.0: "
        "the order does not hold.",
        "best single head (heads) 66.0 > linear chain (linear) 40.0.",
        "attention-probe-words scores 65.0: it also sees the words, and learns which tend to be "
        "heads.",
    ]
    assert page["order_lines"](rows[:1])[0] == "No attention probe among the rows."


def test_a_scored_row_takes_the_place_of_an_empty_one(page: dict[str, Any]) -> None:
    empty, scored = (make_row(method="linear", why_empty=why) for why in ("disk full", None))
    assert page["newest"]([empty, scored]) == page["newest"]([scored, empty]) == [scored]
    assert page["newest"]([empty]) == [empty]


def test_the_page_tells_edges_by_where_the_head_stands(
    page: dict[str, Any], tmp_path: Path
) -> None:
    heads = [3, 3, 0, 9, 3, 5, 8, 6, 3]
    assert page["places"](heads) == (
        "after 2", "after 1", "root", "after 5 or more", "before 2", "before 1", "after 1",
        "before 2", "before 5 or more",
    )  # fmt: skip
    gold = [Sentence(tuple("abcdefghi"), heads, upos=("X",) * 9)]
    found = [3, 3, 0, 3, 3, 5, 6, 6, 8]  # 1, 2, 5, 6 and 8 as in the gold
    row = make_row(method="probe", key="k", punct="keep")
    path = predictions_path(tmp_path, "k")
    path.parent.mkdir()
    path.write_bytes(predictions_to_bytes(gold, [Prediction(np.array(found))], "k"))
    lines = page["by_place"](tmp_path, [row]).splitlines()
    assert lines[2] == "| probe | 100.0 | 100.0 | – | 0.0 | 50.0 | 100.0 | – | 0.0 |"
    assert page["by_place"](tmp_path, [row | {"key": "another"}]) == ""
