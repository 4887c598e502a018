"""All pictures of a folder: which, in which form, and nothing lost where they cannot be written."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.planted_results import planted_bank, planted_sweep
from support.result_rows import baseline_row, probe_row, write_folder

from structprobe.cli.main import main
from structprobe.draw import draw_svg
from structprobe.draw.palette import STROKES
from structprobe.errors import ResultError
from structprobe.results.folder import ResultsFolder, read_rows
from structprobe.results.significance import significance
from structprobe.scores import Prediction, score
from structprobe.show import plot_folder
from structprobe.show.pictures.layer_curves import draw_layer_curves
from structprobe.show.pictures.trees import to_figure, tree_name, typical
from structprobe.treebank.sentence import Sentence
from structprobe.trees import tree_distances

pytest.importorskip("matplotlib")

NAMES = [
    "layers-uuas",
    "recall-by-deprel",
    "recall-by-length",
    "tree-s1",
    "distances",
    "principal-axes",
    "depths",
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures") / "results"
    write_folder(folder)
    return folder


@pytest.mark.slow
def test_the_command(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(results.rglob("*"))
    out = tmp_path / "new" / "figures"
    assert main(["plot", str(results), "-o", str(out), "--format", "svg"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("wrote ") for line in lines)
    paths = [Path(line.removeprefix("wrote ")) for line in lines]
    assert [path.name for path in paths] == [f"{name}.svg" for name in NAMES]
    for path in paths:
        ElementTree.parse(path)
    assert sorted(results.rglob("*")) == before
    content = [path.read_bytes() for path in paths]
    assert main(["plot", str(results), "-o", str(out), "--format", "svg"]) == 0  # over its own
    assert [path.read_bytes() for path in paths] == content
    capsys.readouterr()
    paths[0].write_text("mine")
    assert main(["plot", str(results), "-o", str(out), "--format", "svg"]) == 1
    # Above it, the log may name letters that no font here has.
    told = capsys.readouterr().err.splitlines(keepends=True)[-1]
    assert told.startswith("structprobe: error: ")
    assert "layers-uuas.svg already exists" in told
    assert "--force" in told
    assert paths[0].read_text() == "mine"
    assert told.count("\n") == 1
    command = ["plot", str(results), "-o", str(out), "--format", "svg", "--force", "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out) == [str(path) for path in paths]
    assert [path.read_bytes() for path in paths] == content  # the same pictures, the same bytes


def test_a_tree_tells_what_uuas_counts_where_it_shows_other_edges(
    results: Path, tmp_path: Path
) -> None:
    trees = {
        path.stem: path.read_text(encoding="utf-8")
        for name in ("s1", "s2")
        for path in plot_folder(results, tmp_path, formats=["svg"], sentence=name)
        if path.stem.startswith("tree-")
    }
    assert ">7 right</text>" in trees["tree-s1"]  # with the edge to the full stop
    assert "; UUAS counts 6 of 6 edges right</text>" in trees["tree-s1"]
    assert ">1 right</text>" in trees["tree-s2"]
    assert "UUAS" not in trees["tree-s2"]  # the same edge


def test_trees_with_relations_have_them_on_their_arcs(tmp_path: Path) -> None:
    sentence = Sentence(("a", "b", "c"), [2, 0, 2], ("obj", "root", "obl"), ("X",) * 3, sent_id="s")
    heads = np.array(sentence.heads)
    named = Prediction(heads, tree_distances(heads), deprels=("obj", "root", "nmod"))
    ResultsFolder(tmp_path / "r").add(probe_row(0), [sentence], [named])
    paths = plot_folder(tmp_path / "r", tmp_path / "f", formats=["svg"])
    (tree,) = [path.read_text(encoding="utf-8") for path in paths if path.stem == "tree-s"]
    assert (tree.count(">obj</text>"), tree.count(">obl</text>")) == (2, 1)
    assert ">*nmod</text>" in tree


def test_forms(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "r")
    for rank in (4, 8):
        results.add(probe_row(0, rank=rank))
    paths = plot_folder(tmp_path / "r", tmp_path / "f", formats=["png", "pdf", "png"])
    assert [path.name for path in paths] == ["ranks.png", "ranks.pdf"]
    assert [path.read_bytes()[:4] for path in paths] == [b"\x89PNG", b"%PDF"]
    with pytest.raises(ResultError, match="unknown format 'gif'"):
        plot_folder(tmp_path / "r", tmp_path / "f", formats=["gif"])


@pytest.mark.slow
def test_trees_in_every_form(results: Path, tmp_path: Path) -> None:
    forms = ["svg", "png", "pdf"]
    paths = plot_folder(results, tmp_path, formats=forms, sentence="s2")
    again = plot_folder(results, tmp_path, formats=["svg"], sentence="s2")  # over its own files
    assert {*again} == {path for path in paths if path.suffix == ".svg"}
    trees = [path for path in paths if path.stem == "tree-s2"]
    assert [path.suffix for path in trees] == [".svg", ".png", ".pdf"]
    assert [path.read_bytes()[:4] for path in trees] == [b"<svg", b"\x89PNG", b"%PDF"]
    assert trees[0].read_text(encoding="utf-8").count(">root</text>") == 2  # gold and recovered
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"structprobe plot", b"somebody's own"))
    with pytest.raises(ResultError, match=r"already exists; .*pass force=True"):
        plot_folder(results, tmp_path, formats=forms, sentence="s2")


def test_a_figure_shows_what_the_drawing_has() -> None:
    svg = draw_svg(["<b>", "$ran$", "off"], [2, 0, 2], [3, 0, 2])
    figure = to_figure(svg)
    from matplotlib.colors import to_rgba

    (axes,) = figure.axes
    written = [text.get_text() for text in axes.texts]
    assert [word for word in written if word in ("<b>", "$ran$", "off")] == ["<b>", "$ran$", "off"]
    assert {"root", "1 right", "1 missed", "1 wrong"} <= {*written}
    assert len(axes.patches) == svg.count("<path")
    colours = {patch.get_edgecolor() for patch in axes.patches if patch.get_edgecolor()[3]}
    assert colours == {to_rgba(STROKES[name].colour) for name in ("right", "missed", "wrong")}
    width = float(svg.split('width="')[1].split('"')[0])
    assert figure.get_figwidth() == pytest.approx(width * 0.75 / 72)
    assert all(0 < text.get_position()[0] < width for text in axes.texts)


def test_labels_of_a_figure_interrupt_their_lines() -> None:
    figure = to_figure(draw_svg(["a", "b"], [2, 0], deprels=["obj", "root"]))
    grounds = {text.get_text(): text.get_bbox_patch() for text in figure.axes[0].texts}
    assert grounds["obj"].get_facecolor() == (1, 1, 1, 1)
    assert grounds["root"] is grounds["a"] is None


def test_typical_sentences_have_the_score_of_the_run() -> None:
    heads = [0, 1, 2, 3, 4, 5, 6, 7, 8]
    flat = [0, 1, 1, 1, 1, 1, 1, 1, 1]
    half = [0, 1, 2, 3, 4, 1, 1, 1, 1]
    sentences = [Sentence(tuple("abcdefghi"), heads, upos=("X",) * 9) for _ in range(3)]
    sentences.append(Sentence(("a", "b"), [0, 1], upos=("X", "X")))
    predictions = [Prediction(np.array(one)) for one in (heads, flat, half, [0, 1])]
    scores = score(sentences, predictions, punct="keep")
    assert typical(sentences, scores, 2) == [2, 1]  # 14 of 25 edges are right
    assert typical(sentences[3:], score(sentences[3:], predictions[3:], punct="keep")) == [0]
    assert tree_name(sentences[0], 4) == "tree-5"
    assert tree_name(replace(sentences[0], sent_id="../a b"), 4) == "tree-.._a_b"
    long = [tree_name(replace(sentences[0], sent_id="n" * 300 + end), 4) for end in "ab"]
    assert long[0] != long[1]
    assert max(map(len, long)) < 200


def test_a_curve_for_each_score_that_rows_have(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "r")
    for layer in (0, 1):
        results.add(probe_row(layer, uas=0.5, dspr=0.6))
    paths = plot_folder(tmp_path / "r", tmp_path / "f", formats=["svg"])
    assert [path.stem for path in paths] == ["layers-uuas", "layers-uas", "layers-dspr"]


def test_several_grids_are_numbered(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "r")
    for model in ("a", "b"):
        for rank in (4, 8):
            results.add(probe_row(0, rank=rank, model=model))
    paths = plot_folder(tmp_path / "r", tmp_path / "f", formats=["svg"])
    assert [path.name for path in paths] == ["ranks-1.svg", "ranks-2.svg"]


def test_heads(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "r")
    heads = [{"layer": 1, "head": 1, "alignment": 0.5}, {"layer": 1, "head": 2, "alignment": None}]
    results.write("heads.json", json.dumps({"model": "bert", "punct": "upos", "heads": heads}))
    paths = plot_folder(tmp_path / "r", tmp_path / "f")
    assert [path.name for path in paths] == ["heads.pdf"]
    heads = [{**one, "layer": layer} for one in heads for layer in (2, 4)]  # of a hybrid model
    results.write("heads.json", json.dumps({"model": "bert", "punct": "upos", "heads": heads}))
    assert [path.name for path in plot_folder(tmp_path / "r", tmp_path / "h")] == ["heads.pdf"]
    heads[0]["layer"] = 10**9
    results.write("heads.json", json.dumps({"model": "bert", "punct": "upos", "heads": heads}))
    with pytest.raises(ResultError, match=r"heads up to \(1000000000, 2\)"):
        plot_folder(tmp_path / "r", tmp_path / "g")
    results.write("heads.json", "[]")
    with pytest.raises(ResultError, match=r"heads\.json: is not what `structprobe heads` writes"):
        plot_folder(tmp_path / "r", tmp_path / "g")


def test_one_sentence_by_its_name(results: Path, tmp_path: Path) -> None:
    plot_folder(results, tmp_path / "f", formats=["svg"], sentence="s2")
    plot_folder(results, tmp_path / "g", formats=["svg"])
    both = [(tmp_path / out / "depths.svg").read_bytes() for out in "fg"]
    assert both[0] != both[1]
    assert b"sentence s2" in both[0]
    with pytest.raises(ResultError, match="no sentence has the sent_id 's3'; the first is 's1'"):
        plot_folder(results, tmp_path / "h", sentence="s3")
    assert not (tmp_path / "h").exists()


def test_bad_input(results: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "file").write_text("mine")
    for folder, what in (
        ("other", "not a results folder"), ("file", "not a results folder"),
        ("none", "no such folder"),
    ):  # fmt: skip
        with pytest.raises(ResultError, match=f"{what}; name a folder that sweep, compare"):
            plot_folder(tmp_path / folder, tmp_path / "f")
    ResultsFolder(tmp_path / "empty").add(baseline_row("linear", 0.4))
    with pytest.raises(ResultError, match="nothing to draw: no method with several layers"):
        plot_folder(tmp_path / "empty", tmp_path / "f")
    with pytest.raises(ResultError, match="file: is a file, not a folder"):
        plot_folder(results, tmp_path / "file")
    with pytest.raises(ResultError, match="cannot write figures: Not a directory"):
        plot_folder(results, tmp_path / "file" / "below", formats=["svg"])
    assert (tmp_path / "file").read_text() == "mine"
    marker = {"format": "structprobe-results", "format_version": 99}
    (tmp_path / "other" / "structprobe.json").write_text(json.dumps(marker))
    with pytest.raises(ResultError, match=r"format version 99.*upgrade structprobe"):
        plot_folder(tmp_path / "other", tmp_path / "f")
    assert not (tmp_path / "f").exists()


def test_figures_are_not_mixed_with_results(results: Path, tmp_path: Path, capsys) -> None:
    before = sorted(results.rglob("*"))
    assert main(["plot", str(results), "-o", str(results), "--format", "svg", "--force"]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert f"{results}: is a results folder; choose another folder for the figures" in told
    assert sorted(results.rglob("*")) == before
    out = results / "figures"  # which the message names
    try:
        assert plot_folder(results, out, formats=["svg"])[0].parent == out
    finally:
        shutil.rmtree(out)


def test_what_is_drawn_is_chosen_on_dev(tmp_path: Path) -> None:
    results, sentences = ResultsFolder(tmp_path / "r"), write_folder(tmp_path / "other")
    for layer, uuas, dev in ((0, 0.9, 0.4), (1, 0.6, 0.5)):
        predictions = [
            Prediction(np.asarray(one.heads), tree_distances(one.heads)) for one in sentences
        ]
        results.add(probe_row(layer, uuas=uuas, dev_uuas=dev), sentences, predictions)
    (path,) = (
        one for one in plot_folder(tmp_path / "r", tmp_path / "f", formats=["svg"])
        if one.stem == "distances"
    )  # fmt: skip
    assert "layer 1" in path.read_text(encoding="utf-8")


def test_a_probe_is_drawn_where_a_baseline_is_better(tmp_path: Path) -> None:
    results, sentences = ResultsFolder(tmp_path / "r"), write_folder(tmp_path / "other")
    predictions = [
        Prediction(np.asarray(one.heads), tree_distances(one.heads)) for one in sentences
    ]
    results.add(probe_row(1, uuas=0.3, dev_uuas=0.3), sentences, predictions)
    linear = {"layer": None, "method": "linear", "model": None, "fingerprint": None}
    row = probe_row(0, uuas=0.9, dev_uuas=0.9) | linear
    results.add(row, sentences, predictions)
    (path,) = (
        one for one in plot_folder(tmp_path / "r", tmp_path / "f", formats=["svg"])
        if one.stem == "distances"
    )  # fmt: skip
    assert "layer 1" in path.read_text(encoding="utf-8")


def test_letters_over_the_points_of_a_curve(tmp_path: Path, capsys, caplog) -> None:
    planted_sweep(tmp_path / "results", planted_bank(30), n_layers=3)
    for more in ([], ["--letters"]):
        command = [
            "plot",
            str(tmp_path / "results"),
            "-o",
            str(tmp_path / "out"),
            "--format",
            "svg",
        ]
        assert main([*command, "-q", *more]) == 0
        drawn = (tmp_path / "out" / "layers-uuas.svg").read_text(encoding="utf-8")
        assert ("share a letter" in " ".join(drawn.split())) == bool(more)
    table = significance(tmp_path / "results")[0]
    letters = {key: one.letters for one in table.systems for key in one.keys}
    axes = draw_layer_curves(read_rows(tmp_path / "results"), letters=letters)
    shown = {text.xy: text.get_text() for text in axes.texts}
    expected = {one.name: (one.value, one.letters) for one in table.systems}
    assert len(shown) == 3
    for (layer, height), letter in shown.items():
        value, own = expected[f"layer {layer}"]
        assert (height, letter) == (pytest.approx(100 * value), own)


def test_no_letters_without_predictions(tmp_path: Path, caplog) -> None:
    results = ResultsFolder(tmp_path / "results")
    for layer in (0, 1):
        results.add(probe_row(layer))
    [path] = plot_folder(tmp_path / "results", tmp_path / "out", formats=["svg"], letters=True)
    assert path.name == "layers-uuas.svg"
    assert "no letters in the curve of uuas" in caplog.text
    assert "no predictions were saved" in caplog.text
