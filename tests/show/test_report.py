"""The page of a report as text: what is in it, what is refused, and how numbers are packed."""

from __future__ import annotations

import base64
import doctest
import html
import json
import os
import re
import shlex
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.flat_settings import fit_probe
from support.planted_results import (
    COMMAND,
    HOSTILE,
    noisy,
    planted_bank,
    planted_comparison,
    planted_relations,
    planted_sweep,
)
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

import structprobe.show.report.elements
from structprobe import Encoder, LinearChain, StructuralProbe, score
from structprobe.cli.main import main
from structprobe.errors import ProbeError, ResultError, StructprobeError
from structprobe.results.folder import MARKER, ResultsFolder
from structprobe.results.rows import make_row, score_values
from structprobe.show.report import build_report, write_report
from structprobe.show.report.curves import draw_curves
from structprobe.show.report.elements import Markup, element
from structprobe.show.report.explorer import HOW_TO_KEEP, NO_GOLD
from structprobe.show.report.foot import results_foot
from structprobe.show.report.packing import Explorer, pack
from structprobe.show.report.saved_predictions import read_kept
from structprobe.show.report.series import series_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "DIR"
    planted_sweep(folder, planted_bank())
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return build_report(folder)


def data_of(page: str) -> dict:
    """What the page tells its scripts."""
    (text,) = re.findall(r'type="application/json" id="explorer-data">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_docstrings() -> None:
    assert doctest.testmod(structprobe.show.report.elements).failed == 0


@pytest.mark.fault_class("strangers")
def test_elements_escape_all_but_markup() -> None:
    made = element("p", "a<b", ["&", None, Markup("<b>x</b>")], title='"<', hidden=True, id=None)
    assert made == '<p title="&quot;&lt;" hidden>a&lt;b&amp;<b>x</b></p>'
    assert element("input", type="text") == '<input type="text">'


@pytest.mark.fault_class("strangers")
def test_it_needs_nothing_from_outside(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src &#x27;none&#x27;" in policy
    assert "unsafe" not in policy
    outside = re.findall(r"""(?:src|href|url|action)\s*[=(]\s*["']?([^\s"'>)]+)""", page)
    assert all(re.match(r"#|data:,$", one) for one in outside if not one.startswith("x"))
    assert "http://www.w3.org/2000/svg" in page  # a name, never fetched
    assert len(re.findall(r"https?://", page)) == 1


def test_nothing_from_a_treebank_is_markup(page: str) -> None:
    assert "<script>window" not in page
    assert "</script><img" not in page
    assert "<i>first" not in page
    assert page.count("<script") == page.count("</script>") == 2 + len(data_of(page)["series"][0]
        ["runs"]) + 1  # fmt: skip
    first = data_of(page)["banks"][0]["sentences"][0]
    assert tuple(first["words"]) == HOSTILE
    assert first["deprels"][1] == "</script>"


def test_scores_and_protocol_are_in_the_text(folder: Path, page: str) -> None:
    for row in series_of(ResultsFolder(folder).rows)[0].rows:
        assert f">{100 * row['uuas']:.1f}<" in page
        assert f"<small>{100 * row['uuas_low']:.1f}–{100 * row['uuas_high']:.1f}</small>" in page
    for told in ('punct="upos": UPOS PUNCT excluded', "1,000 resamples", "f00d", "beef"):
        assert told in page
    assert "my &lt;model&gt;" in page
    shown = re.search(r"<pre[^>]*><code>(.*?)</code>", page, re.S)[1]
    assert " ".join(shown.replace("\\\n", " ").split()) == COMMAND.replace("<", "&lt;").replace(
        ">", "&gt;"
    )
    assert "Of 4 layers, layer 2 is the best on dev" in page
    assert "<li>edges between all words; gold above, recovered below</li>" in page


def test_recall_by_relation_is_that_of_the_scores(folder: Path, page: str) -> None:
    bank = planted_bank()
    kept = read_kept(folder, series_of(ResultsFolder(folder).rows))
    assert [run.name for run in kept[0].runs] == [f"layer {layer}" for layer in range(4)]
    table = re.findall(r'<table class="sortable recall">.*?</table>', page, re.S)[0]
    for run in kept[0].runs:
        again = score(bank, run.predictions)
        assert again.by_deprel == run.scores.by_deprel
    right, total = kept[0].runs[2].scores.by_deprel["nsubj"]
    cells = re.search(r"nsubj</th>(.*?)</tr>", table, re.S)[1]
    numbers = [int(one) for one in re.findall(r">(\d+)<", cells)]
    assert numbers[0] == total
    assert numbers[3] == round(100 * right / total)
    assert len(numbers) == 1 + 4 + 1  # edges, layers, the chain


def test_f1_by_relation_is_that_of_the_scores(folder: Path, page: str, tmp_path: Path) -> None:
    assert "F1 of words" not in page  # no run names relations
    bank = planted_bank()
    results = ResultsFolder(tmp_path / "labelled")
    right = LinearChain().predict(bank)
    named = [replace(one, deprels=("nsubj", *("obj",) * (len(one) - 1))) for one in right]
    for method, predictions in (("labels", named), ("linear", right)):
        scores = score(bank, predictions)
        told = {"treebank_fingerprint": bank.fingerprint, "n_sentences": len(bank), "part": "test"}
        told |= {"method": method, "uses_gold": False, "treebank": "t.conllu"}
        results.add(make_row(key=method, **told, **score_values(scores)), bank, predictions)
    labelled = build_report(tmp_path / "labelled")
    assert ">CLAS<" in labelled
    scores = score(bank, named)
    table = re.findall(r'<table class="sortable recall">.*?</table>', labelled, re.S)[-1]
    assert "F1 of words with the correct head and relation" in table
    for name, one in scores.by_relation.items():
        cells = re.search(rf"<th[^>]*>{re.escape(html.escape(name))}</th>(.*?)</tr>", table, re.S)[
            1
        ]
        numbers = [int(cell) for cell in re.findall(r">(\d+)<", cells)]
        assert numbers == [one.gold, round(100 * one.f1)]  # the other run names none


def test_what_is_packed_is_what_was_predicted(folder: Path) -> None:
    kept = read_kept(folder, series_of(ResultsFolder(folder).rows))
    run = kept[0].runs[1]
    buffer = zlib.decompress(base64.b64decode(pack(run, 100)))
    lengths = [len(one) for one in run.predictions]
    n, n_words = len(lengths), sum(lengths)
    scales = np.frombuffer(buffer, "<f4", 4 * n).reshape(2, n, 2)
    at = 16 * n
    right = np.frombuffer(buffer, "<u2", n, at)
    drawn = np.frombuffer(buffer, "<u2", n, at + 2 * n)
    heads = np.frombuffer(buffer, "<u2", n_words, at + 4 * n)
    at += 2 * (2 * n + n_words)
    depths = np.frombuffer(buffer, np.uint8, n_words, at)
    pairs = np.frombuffer(buffer, np.uint8, offset=at + n_words)
    assert len(pairs) == sum(length * (length - 1) // 2 for length in lengths)
    assert heads.tolist() == [int(head) for one in run.predictions for head in one.heads]
    assert right.sum() == run.scores.counts["n_right_edges"]
    assert drawn.tolist() == right.tolist()  # no word is left out of these sentences
    word = pair = 0
    for i, one in enumerate(run.predictions):
        (low, high), (least, most) = scales[:, i]
        expected = one.distances[np.triu_indices(len(one), 1)]
        found = low + (high - low) * pairs[pair : pair + len(expected)] / 255
        np.testing.assert_allclose(found, expected, atol=(high - low) / 500)
        found = least + (most - least) * depths[word : word + len(one)] / 255
        np.testing.assert_allclose(found, one.depths, atol=(most - least) / 500)
        word, pair = word + len(one), pair + len(expected)


def test_relations_are_packed_where_a_run_predicts_them(tmp_path: Path) -> None:
    bank = planted_bank(9)
    planted_relations(tmp_path, bank)
    kept = read_kept(tmp_path, series_of(ResultsFolder(tmp_path).rows))
    whole = Explorer(kept)
    runs = {run.row["method"]: run for one in kept for run in one.runs}
    told = {run["name"]: run["relations"] for one in whole.data["series"] for run in one["runs"]}
    assert told == {
        "probe-relations, layer 3": ["</script>", "dep", "flat", "nsubj", "obj", "root"],
        "probe, layer 3": [],
    }
    run, n, n_words = runs["probe-relations"], len(bank), bank.n_words
    buffer = zlib.decompress(base64.b64decode(pack(run, 100)))
    places = np.frombuffer(buffer, "<u2", n_words, 16 * n + 2 * (2 * n + n_words))
    names = told["probe-relations, layer 3"]
    found = [names[place] for place in places]
    assert found == [name for one in run.predictions for name in one.deprels]
    bare = zlib.decompress(base64.b64decode(pack(runs["probe"], 100)))
    assert len(buffer) - len(bare) == 2 * n_words


def test_distances_of_long_sentences_make_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = read_kept(folder, series_of(ResultsFolder(folder).rows))
    whole = Explorer(kept)
    assert whole.left_out == 0
    monkeypatch.setattr("structprobe.show.report.packing.PAIR_BYTES", 2000)
    packed = Explorer(kept)
    longest = packed.data["banks"][0]["longest"]
    lengths = [len(sentence) for sentence in planted_bank()]
    assert packed.left_out == sum(length > longest for length in lengths) > 0
    pairs = sum(length * (length - 1) // 2 for length in lengths if length <= longest)
    assert 5 * pairs <= 2000
    more = sum(length * (length - 1) // 2 for length in lengths if length <= longest + 1)
    assert 5 * more > 2000
    assert "long sentences are omitted" in build_report(folder)


def test_several_grids_and_models_are_series() -> None:
    common = {"method": "probe", "uuas": 0.5, "dev_uuas": None, "part": "test"}
    rows = [
        make_row(**common, layer=layer, rank=rank, model=model, fingerprint=model)
        for model in ("a", "b")
        for rank in (2, 8)
        for layer in (3, 1)
    ]
    rows[-1]["uuas"] = 0.9
    rows.append(make_row(method="random", seed=1, uuas=0.1))
    rows.append(make_row(method="none", why_empty="unfit"))
    found = series_of(rows)
    assert found[0].name == "probe, b, rank 8"
    assert sorted(one.name for one in found if one.layered) == [
        "probe, a, rank 2", "probe, a, rank 8", "probe, b, rank 2", "probe, b, rank 8",
    ]  # fmt: skip
    assert [row["layer"] for row in found[0].rows] == [1, 3]
    assert found[0].best == 0
    assert [one.name for one in found[4:]] == ["random, seed 1"]


def test_a_comparison_has_methods_on_its_slider(tmp_path: Path) -> None:
    planted_comparison(tmp_path / "DIR", planted_bank(8))
    page = build_report(tmp_path / "DIR", title="Ways & means")
    assert "<title>Ways &amp; means</title>" in page
    assert "attention-mst has no scores: no &lt;attention&gt; here" in page
    assert ">shuffled<" in page
    (series,) = data_of(page)["series"]
    assert [run["name"] for run in series["runs"]] == ["probe, layer 3", "linear"]
    assert "No command was recorded" in page


def test_runs_without_predictions_say_how_to_keep_them(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    for layer in (0, 1):
        results.add(make_row(key=str(layer), method="probe", layer=layer, uuas=0.5, part="dev"))
    page = build_report(tmp_path)
    assert HOW_TO_KEEP in page
    assert "explorer-data" not in page.split("<script>")[0]


def test_runs_that_are_not_in_the_explorer_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = planted_bank(5)
    planted_sweep(tmp_path, bank, n_layers=3)
    assert "only in the table of scores" not in build_report(tmp_path)
    (tmp_path / "predictions" / "probe-1-0.npz").unlink()
    page = build_report(tmp_path)
    assert "Of 4 runs, 1 appears only in the table of scores" in page
    names = [run["name"] for run in data_of(page)["series"][0]["runs"]]
    assert names == ["layer 0", "layer 2"]
    monkeypatch.setattr("structprobe.show.report.saved_predictions.MOST_RUNS", 2)
    page = build_report(tmp_path)
    assert len(data_of(page)["series"]) == 1
    assert "Of 4 runs, 2 appear" in page


def test_predictions_of_an_older_version_have_no_gold(tmp_path: Path) -> None:
    bank = planted_bank(5)
    bare = [type(sentence)(sentence.words) for sentence in bank]
    results = ResultsFolder(tmp_path)
    for layer in (0, 1):
        row = make_row(key=str(layer), method="probe", layer=layer, uuas=0.5, part="dev")
        results.add(row, bare, noisy(bank, 0.2, layer))
    page = build_report(tmp_path)
    assert NO_GOLD in page
    assert "heads" not in data_of(page)["banks"][0]["sentences"][0]
    assert 'class="sortable recall"' not in page


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def test_a_saved_probe_shows_what_there_is(encoder: Encoder, tmp_path: Path) -> None:
    banks = tiny_bank(), tiny_bank(seed=1)
    command = "structprobe fit --layer 1 -o PROBE"
    _, row = fit_probe(
        encoder, *banks, layer=1, max_steps=20, out=tmp_path / "PROBE", command=command
    )
    page = build_report(tmp_path / "PROBE")
    assert f">{100 * row['uuas']:.1f}<" in page
    assert f"<small>{100 * row['uuas_low']:.1f}–{100 * row['uuas_high']:.1f}</small>" in page
    assert '<th scope="row">linear</th>' in page
    assert "holds no trees" in page
    assert page.count('class="curve"') == 2
    assert "structprobe fit" in page
    assert command not in (tmp_path / "PROBE" / "README.md").read_text()
    X = encoder.encode(banks[0], layers=[1], progress=False).layer(1)
    blind = StructuralProbe(max_steps=5, random_state=0).fit(X, banks[0])
    blind.save_pretrained(tmp_path / "BLIND")
    assert "No scores were saved" in build_report(tmp_path / "BLIND")


def test_the_home_folder_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    command = shlex.join(
        ["structprobe", "sweep", "--model", "/home/jane/my bert", "--cache=/home/jane/v",
         "--train", "/home/janet/x", "-o", "DIR/"]
    )  # fmt: skip
    row = make_row(method="probe", model="/home/jane/my bert", fingerprint="ab")
    text = html.unescape(re.sub("<[^>]+>", "", results_foot([row], [{"command": command}])))
    assert "~/my bert (fingerprint ab)" in text
    assert "--model ~/'my bert' \\\n    --cache ~/v \\\n    --train /home/janet/x" in text
    assert "/home/jane/" not in text
    monkeypatch.setenv("HOME", "/")
    assert "/home/jane/my bert (" in results_foot([row], [])


def test_foot_without_commands() -> None:
    foot = results_foot([make_row(method="linear", treebank_fingerprint="ab")], [])
    assert "structprobe 0" in foot
    assert "unknown" not in foot


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="nowhere: no such folder"):
        build_report(tmp_path / "nowhere")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    with pytest.raises(ResultError, match="thesis: is neither a results folder nor a saved probe"):
        build_report(tmp_path / "thesis")
    with pytest.raises(ResultError, match="is a file, not a folder"):
        build_report(tmp_path / "thesis" / "thesis.tex")
    folder = ResultsFolder(tmp_path / "none").folder
    with pytest.raises(ResultError, match="the results folder is empty; name a folder"):
        build_report(folder)
    (folder / "heads.json").touch()
    with pytest.raises(ResultError, match="but for the tables and figures of `structprobe heads`"):
        build_report(folder)
    newer = json.loads((folder / MARKER).read_text()) | {"format_version": 99}
    (folder / MARKER).write_text(json.dumps(newer))
    with pytest.raises(ResultError, match=r"99, .* upgrade structprobe"):
        build_report(folder)
    (tmp_path / "thesis" / "config.json").write_text('{"format": "other"}')
    with pytest.raises(ProbeError, match="not the config of a structural probe"):
        build_report(tmp_path / "thesis")


def test_nothing_is_overwritten_unless_asked(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("dear to me")
    with pytest.raises(ResultError, match=r"already exists; .* pass force=True"):
        write_report(folder, out)
    assert out.read_text() == "dear to me"
    told = write_report(folder, out, force=True)
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert told == {"report": str(out), "megabytes": round(out.stat().st_size / 1e6, 2)}
    with pytest.raises(ResultError, match="is a folder"):
        write_report(folder, tmp_path)
    with pytest.raises(ResultError, match="there is no folder"):
        write_report(folder, tmp_path / "no" / "such" / "report.html")
    write_report(folder, out)  # over its own page
    assert out.stat().st_size / 1e6 == pytest.approx(told["megabytes"], abs=0.01)
    assert os.listdir(tmp_path) == ["report.html"]


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "report.html"
    assert main(["report", str(folder), "-o", str(out), "--title", "<Title>"]) == 0
    assert str(out) in capsys.readouterr().out
    assert "<title>&lt;Title&gt;</title>" in out.read_text(encoding="utf-8")
    assert main(["report", str(folder), "-o", str(out)]) == 0  # over its own page
    (tmp_path / "mine.html").write_text("<!DOCTYPE html><title>mine</title>")
    capsys.readouterr()
    for command in (
        ["report", str(folder), "-o", str(tmp_path / "mine.html")],
        ["report", str(tmp_path), "-o", str(tmp_path / "other.html")],
        ["report", str(folder), "-o", str(tmp_path / "no" / "report.html")],
    ):
        assert main(command) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("structprobe: error: ")
    assert issubclass(ResultError, StructprobeError)


def test_curves_span_whole_steps() -> None:
    values = {"method": "probe", "treebank_fingerprint": "b"}
    rows = [make_row(**values, layer=layer, uuas=uuas, uuas_low=uuas - 0.05, uuas_high=uuas + 0.05)
            for layer, uuas in ((0, 0.32), (1, 0.95))]  # fmt: skip
    rows.append(make_row(method="linear", uuas=0.08, treebank_fingerprint="b"))
    curves = draw_curves(series_of(rows))
    assert re.findall(r'class="tick left">(\d+)<', curves) == ["0", "20", "40", "60", "80", "100"]
    assert "probe: 32.0 at layer 0, highest 95.0 at layer 1, 95.0 at layer 1; linear 8.0" in curves
    assert curves.count("<polyline") == curves.count('class="band') == 1
    assert curves.count("<circle") == 2
    assert curves.count('class="dashed"') == 1
    close = [row | {"uuas_low": None, "uuas_high": None} for row in rows[:2]]
    close[0]["uuas"] = 0.91
    curves = draw_curves(series_of(close))
    assert re.findall(r'class="tick left">(\d+)<', curves) == ["90", "100"]
    assert "polygon" not in curves
    assert draw_curves(series_of(rows[2:])) is None


def test_several_seeds_of_a_baseline_are_drawn_as_their_mean() -> None:
    values = {"treebank_fingerprint": "b"}
    rows = [make_row(**values, method="probe", layer=layer, uuas=0.5) for layer in (0, 1)]
    rows += [
        make_row(**values, method="random", seed=seed, uuas=uuas)
        for seed, uuas in ((0, 0.1), (1, 0.3))
    ]
    curves = draw_curves(series_of(rows))
    assert "random (mean) 20.0" in curves
    assert curves.count('class="dashed"') == 1
