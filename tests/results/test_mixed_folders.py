"""Results folders that hold what does not belong together: told, or kept apart, each by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.planted_results import noisy, planted_bank, planted_sweep
from support.result_rows import TOLD, baseline_row, probe_row

from structprobe import Prediction, score
from structprobe.errors import ResultError
from structprobe.results.folder import ROWS, ResultsFolder, read_rows
from structprobe.results.rows import METRICS, ROW_KEYS, Row, make_row, score_values
from structprobe.results.saved_probes import locate_probe
from structprobe.results.settings import COORDINATES, NAMED, PROTOCOL, SETTINGS
from structprobe.show import (
    draw_layer_curves,
    draw_learning_curves,
    draw_rank_grid,
    format_table,
    plot_folder,
)
from structprobe.show.report import build_report

pytest.importorskip("matplotlib")

MADE = {"recipe": "whitened", "products": "float32", "pooling": "mean", "spacing": "words",
        "bos": False, "dtype": "float32", "fingerprint": "f00d" * 4, "n_words": 30,
        "train": "en-train.conllu", "dev": "en-dev.conllu", "train_fingerprint": "7a" * 8,
        "dev_fingerprint": "de" * 8, "treebank_fingerprint": "be" * 8}  # fmt: skip
OF_BANKS = ("train", "dev", "treebank", "n_words")


def probes(layers: Sequence[int] = (0, 1, 2), **values: Any) -> list[Row]:
    """Rows of a sweep, with all that a sweep tells; the layer decides the score."""
    rows = [probe_row(layer, **{**MADE, **values}) for layer in layers]
    for row in rows:
        row["dev_uuas"] = values.get("dev_uuas", row["uuas"])
        row["key"] += "".join(f"-{value}" for value in values.values()).replace("/", "-")
    return rows


def chain(uuas: float = 0.4, **values: Any) -> Row:
    """The row of the chain on the same treebank."""
    told = {key: value for key, value in MADE.items() if key.startswith(OF_BANKS)}
    row = baseline_row("linear", uuas) | told | values
    return row | {"key": "-".join(map(str, ("linear", *values.values())))}


def kept(tmp_path: Path, rows: Sequence[Row]) -> Path:
    results = ResultsFolder(tmp_path / "mixed")
    for row in rows:
        results.add(row)
    assert len(results.rows) == len(rows)
    return results.folder


def heading(rows: Sequence[Row]) -> list[str]:
    return re.split(r"  +", format_table(rows).splitlines()[0])


def cells(rows: Sequence[Row], column: str) -> list[str]:
    return [re.split(r"  +", line.strip())[heading(rows).index(column)]
            for line in format_table(rows).splitlines()[1 : 1 + len(rows)]]  # fmt: skip


def labels(ax: Any) -> list[str]:
    return [line.get_label() for line in ax.lines]


def titles(figure: Any) -> list[str]:
    return [" ".join(ax.get_title(loc="left").split()) for ax in figure.axes]


def findings(page: str) -> list[str]:
    return re.findall(r'<p class="finding">(.*?)</p>', page)


def curves(page: str) -> str:
    return re.search(r'<h2 id="curves".*?</section>', page, re.S)[0]


def legend(page: str) -> list[str]:
    return re.findall(r'<li><span class="swatch c\d"></span>(.*?)</li>', curves(page))


def protocols(tmp_path: Path, caplog: Any) -> None:
    rows = [*probes(), chain(0.4)]
    rows += [*probes(punct="keep"), chain(0.3, punct="keep")]
    assert set(cells(rows, "punct")) == {"upos", "keep"}
    ax = draw_layer_curves(rows)
    both = ax.figure.axes
    assert [labels(one) for one in both] == [["probe", "linear"]] * 2
    assert [list(one.lines[1].get_ydata()) for one in both] == [[40, 40], [30, 30]]
    assert ['punct="upos"' in title for title in titles(ax.figure)] == [True, False]
    with pytest.raises(ResultError, match="differ in punct need 2 panels, but ax is one"):
        draw_layer_curves(rows, ax=ax)
    page = build_report(kept(tmp_path, rows))
    assert re.findall(r"<h3>(.*?)</h3>", curves(page)) == ["punct upos", "punct keep"]
    for part, told in zip(re.split("<h3>", curves(page))[1:], ("40.0", "30.0"), strict=True):
        assert re.findall(r'class="tick right">(.*?)<', part) == [f"linear {told}"]
    assert [one[:15] for one in findings(page)] == ["On punct upos: ", "On punct keep: "]
    assert ["40.0%" in one for one in findings(page)] == [True, False]


def probes_of_few_steps(tmp_path: Path, caplog: Any) -> None:
    few = probes([2], max_steps=20, uuas=0.9)
    rows = [*probes(), *few, chain()]
    assert cells(rows, "max_steps") == ["default"] * 3 + ["20", "–"]
    assert labels(draw_layer_curves(rows)) == ["probe", "probe, max_steps 20", "linear"]
    page = build_report(kept(tmp_path, rows))
    assert legend(page) == ["probe", "probe, layer 2, max_steps 20, seed 0"]
    assert curves(page).count('class="dashed"') == 1  # the chain alone
    (told,) = findings(page)
    assert told.startswith("Of 3 layers, layer 2 is the best on dev: on test it recovers 20.0%")
    assert "default of the recipe" in page
    for row in rows[:-1]:
        (tmp_path / "mixed" / "probes" / row["key"]).mkdir(parents=True)
    with caplog.at_level("INFO"):
        assert locate_probe(tmp_path / "mixed").name == few[0]["key"]  # the best on dev, and told
    assert (
        "using the probe of layer 2, rank 64, seed 0 (UUAS 90.0 on dev), max_steps 20"
        in caplog.text
    )


def recipes(tmp_path: Path, caplog: Any) -> None:
    rows = [*probes(), *probes(recipe="published"), chain()]
    assert {*cells(rows, "recipe")} == {"whitened", "published", "–"}
    assert labels(draw_layer_curves(rows))[:2] == ["recipe whitened", "recipe published"]
    page = build_report(kept(tmp_path, rows))
    assert legend(page) == ["probe, recipe whitened", "probe, recipe published"]
    with pytest.raises(ResultError, match="several recipe values in one grid"):
        draw_rank_grid(rows)


def word_vectors(tmp_path: Path, caplog: Any) -> None:
    others = {"spacing": "original", "pooling": "first", "dtype": "bfloat16", "bos": True}
    for key, value in others.items():
        rows = [*probes(), *probes(**{key: value})]
        assert {*cells(rows, key)} == {str(MADE[key]), str(value)}
        told = [f"probe, {key} {one}" for one in (MADE[key], value)]
        assert labels(draw_layer_curves(rows)) == told
        assert legend(build_report(kept(tmp_path / key, rows))) == told
        with pytest.raises(ResultError, match=f"several {key} values in one grid"):
            draw_rank_grid(rows)


def treebanks_of_one_file_name(tmp_path: Path, caplog: Any) -> None:
    other = {"treebank_fingerprint": "ad" * 8}
    rows = [*probes(), chain(0.4), *probes(**other), chain(0.3, **other)]
    names = [f"en-test.conllu ({one * 3})" for one in ("be", "ad")]
    assert cells(rows, "treebank") == [names[0]] * 4 + [names[1]] * 4
    ax = draw_layer_curves(rows)
    assert [list(one.lines[1].get_ydata()) for one in ax.figure.axes] == [[40, 40], [30, 30]]
    assert [name in told for name, told in zip(names, titles(ax.figure), strict=True)] == [True] * 2
    page = build_report(kept(tmp_path, rows))
    assert re.findall(r"<h3>(.*?)</h3>", curves(page)) == names
    assert [one.split(": ")[0] for one in findings(page)] == [f"On {name}" for name in names]


def training_sets_of_one_file_name(tmp_path: Path, caplog: Any) -> None:
    rows = [*probes(), *probes(train_fingerprint="ad" * 8), chain()]
    names = [f"en-train.conllu ({one * 3})" for one in ("7a", "ad")]
    assert {*names} <= {*cells(rows, "train")}
    assert labels(draw_layer_curves(rows)) == [*(f"probe, {name}" for name in names), "linear"]
    page = build_report(kept(tmp_path, rows))
    assert legend(page) == [f"probe, {name}" for name in names]


def samples_of_a_training_set(tmp_path: Path, caplog: Any) -> None:
    """Each seed has its own, which are no other treebanks."""
    rows = [*probes(n_train=500), *probes(seed=1, n_train=500), chain()]
    for seed, n, digest in ((0, 100, "ad"), (1, 100, "ae"), (0, 200, "af"), (1, 200, "bf")):
        own = {"seed": seed, "train_sentences": n, "n_train": n, "train_fingerprint": digest * 8}
        rows += probes([0, 1], uuas=n / 1000 + 0.1 * seed, **own)
    table = format_table(rows).splitlines()
    assert "train sentences" in heading(rows)
    assert "train" not in heading(rows)
    assert len([line for line in table if line.startswith("probe ")]) == 3 + 2 + 2
    assert any(re.search(r"probe +200 +1 +64 +2 +25\.0 ± 7\.1", line) for line in table)
    assert any(re.search(r"probe +all +2 +64 +2 +20\.0 ± 0\.0", line) for line in table)
    told = ["probe", "probe, train_sentences 100", "probe, train_sentences 200"]
    assert labels(draw_layer_curves(rows)) == [*told, "linear"]
    ax = draw_learning_curves(rows)
    assert labels(ax) == ["layer 0", "layer 1", "layer 2", "linear"]
    assert ax.lines[1].get_xdata().tolist() == [100, 200, 500]
    assert list(ax.lines[1].get_ydata()) == pytest.approx([15, 25, 15])
    page = build_report(kept(tmp_path, rows))
    assert sorted(legend(page)) == told


def revisions_of_a_model(tmp_path: Path, caplog: Any) -> None:
    rows = [*probes(), *probes(fingerprint="ad" * 8)]
    names = [f"bert ({one})" for one in ("f00df0", "adadad")]
    assert cells(rows, "model") == [names[0]] * 3 + [names[1]] * 3
    assert labels(draw_layer_curves(rows)) == names
    assert legend(build_report(kept(tmp_path, rows))) == [f"probe, {name}" for name in names]


def seeds(tmp_path: Path, caplog: Any) -> None:
    shares = {0: (0.2, 0.5), 1: (0.3, 0.7), 2: (0.7, 0.6)}  # at layers 0 and 1
    rows = [row for seed, both in shares.items() for layer, uuas in enumerate(both)
            for row in probes([layer], seed=seed, uuas=uuas)]  # fmt: skip
    rows += [
        *probes([0, 1], rank=8),
        baseline_row("random", 0.1, 0),
        baseline_row("random", 0.3, 1),
    ]
    for row in rows[-2:]:
        row |= {key: value for key, value in MADE.items() if key.startswith(OF_BANKS)}
    rows[4]["warnings"] = ["few sentences"]
    table = format_table(rows)
    assert "Warning: few sentences (1 of 5 rows)." in table
    assert re.search(r"probe +0 +64 +– +3 +40\.0 ± 26\.5 \[38\.0, 43\.0\]", table)
    assert re.search(r"probe +1 +8 +0 +– +15\.0 \[", table)
    assert re.search(r"random +– +– +– +2 +20\.0 ± 14\.1", table)
    assert "± one standard deviation over seeds" in table
    assert len(format_table(rows, ["method", "layer", "seed", "uuas"]).splitlines()) == 1 + 10 + 3
    ax = draw_layer_curves(rows)
    assert labels(ax) == ["rank 64", "rank 8", "random"]
    assert list(ax.lines[0].get_ydata()) == pytest.approx([40, 60])
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(place) for place in band.round(3)} >= {(0, 13.542), (1, 50), (1, 70)}
    assert "means over 2 to 3 seeds, with bands of one standard deviation" in titles(ax.figure)[0]
    assert "of a single seed with 95% bootstrap intervals" in titles(ax.figure)[0]
    grid = draw_rank_grid(rows)
    assert "means over 3 seeds, standard deviation up to 26.5" in titles(grid.figure)[0]
    page = build_report(kept(tmp_path, rows))
    assert legend(page) == ["probe, rank 64", "probe, rank 8, seed 0"]
    assert "60.0% ± 10.0 (mean and standard deviation over 3 seeds)" in findings(page)[0]
    assert "40.0 ± 26.5" in page
    assert "Lines are means over 3 seeds, bands one standard deviation over seeds" in page
    for seed in (0, 1):
        planted_sweep(tmp_path / "kept", planted_bank(6), n_layers=2, seed=seed)
    page = build_report(tmp_path / "kept")
    assert re.search(
        r"Columns are layers of probe, seed (\d)\D.*Of 2 seeds, .* of seed \1 alone", page
    )
    plot_folder(tmp_path / "kept", tmp_path / "out", formats=["svg"])
    for name in ("recall-by-length", "distances"):
        assert "seed 0 of 2" in (tmp_path / "out" / f"{name}.svg").read_text()


def parts(tmp_path: Path, caplog: Any) -> None:
    rows = [*probes(), *probes(part="dev", treebank="en-dev.conllu", treebank_fingerprint="d" * 8)]
    rows.append(chain(0.45, part="dev", treebank="en-dev.conllu", treebank_fingerprint="d" * 8))
    assert {*cells(rows, "part")} == {"dev", "test"}
    ax = draw_layer_curves(rows)
    assert [labels(one) for one in ax.figure.axes] == [["probe"], ["probe", "linear"]]
    page = build_report(kept(tmp_path, rows))
    assert len(findings(page)) == 2
    assert ["linear chain" in one for one in findings(page)] == [False, True]
    assert re.findall(r"<h3>(.*?)</h3>", curves(page)) == ["en-test.conllu, test",
                                                           "en-dev.conllu, dev"]  # fmt: skip


def choices_made_on_test(tmp_path: Path, caplog: Any) -> None:
    blind = probes(rank=8, uuas=0.9)
    for row in blind:
        row["dev_uuas"] = None
    rows = [*blind, *probes()]
    (told,) = findings(build_report(kept(tmp_path, rows)))
    assert "Of 3 layers of probe, rank 64, layer 2 is the best on dev" in told
    (told,) = findings(build_report(kept(tmp_path / "blind", blind)))
    assert "has the highest score on test; it was not chosen on dev" in told
    bank, results = planted_bank(6), ResultsFolder(tmp_path / "kept")
    for row in rows:
        results.add(row, bank, noisy(bank, 0.2, 0))
    plot_folder(results.folder, tmp_path / "out", formats=["svg"])
    assert "layer 2" in (tmp_path / "out" / "distances.svg").read_text()
    assert "rank 64" not in caplog.text
    results = ResultsFolder(tmp_path / "unseen")
    for row in blind:
        results.add(row, bank, noisy(bank, 0.2, 0))
    plot_folder(results.folder, tmp_path / "out2", formats=["svg"])
    assert "no scores on dev to choose by; drawn is the run with the highest" in caplog.text


def rows_of_an_older_version(tmp_path: Path, caplog: Any) -> None:
    new = probes([0, 1])
    folder = kept(tmp_path, new)
    lacking = ("products", "words_as", "head", "torch_version", "transformers_version",
               *(f"{metric}_sentences" for metric in METRICS))  # fmt: skip
    old = {key: value for key, value in probes([2])[0].items() if key not in lacking}
    with (folder / ROWS).open("a") as file:
        file.write(json.dumps(old | {"version": "0.0.9"}) + "\n")
    rows = read_rows(folder)
    assert rows[2]["products"] is None
    assert "products" not in heading(rows)  # older versions knew float32 alone
    (line,) = draw_layer_curves(rows).lines
    assert line.get_xdata().tolist() == [0, 1, 2]
    told = f"structprobe 0.0.9, {new[0]['version']}"
    assert f"Rows of several versions: {told}." in format_table(rows)
    assert told in build_report(folder)


def rows_of_another_version_of_the_package(tmp_path: Path, caplog: Any) -> None:
    rows = [*probes(), *probes(version="0.0.9", uuas=0.9)]  # every run was repeated by another
    assert {*cells(rows, "version")} == {"0.0.9", rows[0]["version"]}
    told = [f"probe, version {version}" for version in (rows[0]["version"], "0.0.9")]
    assert labels(draw_layer_curves(rows)) == told
    folder = kept(tmp_path, rows)
    read_rows(folder)
    assert f"rows of several versions: structprobe 0.0.9, {rows[0]['version']}" in caplog.text
    assert len(legend(build_report(folder))) == 2


def a_folder_that_is_being_written(tmp_path: Path, caplog: Any) -> None:
    folder = kept(tmp_path, probes())
    content = (folder / ROWS).read_bytes()
    (folder / ROWS).write_bytes(content[:-40])
    assert [row["layer"] for row in read_rows(folder)] == [0, 1]
    assert "the last row is incomplete" in caplog.text
    assert "layer 1 is the best on dev" in findings(build_report(folder))[0]
    assert (folder / ROWS).read_bytes() == content[:-40]


def predictions_that_are_missing(tmp_path: Path, caplog: Any) -> None:
    bank, results = planted_bank(6), ResultsFolder(tmp_path)
    for row in probes():
        results.add(row, bank, noisy(bank, 0.2, 0))
    (tmp_path / "predictions" / f"{probes()[2]['key']}.npz").unlink()
    page = build_report(tmp_path)
    assert "Of 3 runs, 1 appears only in the table of scores" in page
    assert "The best run of probe, layer 2, has no predictions here; layer 1 is shown" in page
    plot_folder(tmp_path, tmp_path / "out", formats=["svg"])
    assert "best run on dev keeps no predictions to draw; drawn is probe, layer 1" in caplog.text


def a_row_that_was_edited(tmp_path: Path, caplog: Any) -> None:
    folder = kept(tmp_path, probes())
    content = (folder / ROWS).read_text()
    (folder / ROWS).write_text(content.replace('"uuas": 0.2,', '"uuas": 0.3,'))
    with pytest.raises(ResultError, match=r"jsonl:3: the row was changed after it was written"):
        read_rows(folder)
    line = content.splitlines()[1].encode()
    for at in range(0, len(line), 7):  # whichever byte it is
        flipped = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        if says_the_same(flipped, line):  # by the 17th digit of a number
            continue
        (folder / ROWS).write_bytes(flipped + b"\n")
        with pytest.raises(ResultError, match=r"rows\.jsonl:\d"):
            read_rows(folder)
    old = {"key": "a", "method": "probe", "layer": 0, "uuas": 57.3}  # older rows have no checksum
    (folder / ROWS).write_text(json.dumps(old) + "\n")
    with pytest.raises(ResultError, match=r"uuas is 57\.3, not a fraction; remove this line"):
        read_rows(folder)


def says_the_same(one: bytes, other: bytes) -> bool:
    """Whether two lines of JSON have the same values."""
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def a_row_that_is_not_of_its_predictions(tmp_path: Path, caplog: Any) -> None:
    bank, results = planted_bank(6), ResultsFolder(tmp_path)
    predictions = noisy(bank, 0.2, 0)
    for row in probes([0, 1]):
        results.add(row | score_values(score(bank, predictions)), bank, predictions)
    assert "but its saved predictions score" not in build_report(tmp_path)
    (row,) = probes([2], uuas=0.123)
    results.add(row, bank, predictions)
    assert "The row of layer 2 says UUAS 12.3, but its saved predictions score" in build_report(
        tmp_path
    )


def rows_that_are_there_twice(tmp_path: Path, caplog: Any) -> None:
    folder = kept(tmp_path, probes())
    content = (folder / ROWS).read_text()
    (folder / ROWS).write_text(content + content.splitlines()[1] + "\n")
    rows = read_rows(folder)
    assert [row["layer"] for row in rows] == [0, 1, 2]
    assert "runs that are there before were skipped: line 4" in caplog.text
    ResultsFolder(folder).mend()
    assert len((folder / "rows.csv").read_text().splitlines()) == 1 + 3


def a_method_that_fell_back(tmp_path: Path, caplog: Any) -> None:
    bank = planted_bank(20)
    full = noisy(bank, 0.5, 0)
    pairs = [*zip(bank, full, strict=True)]
    partly = [Prediction(one.heads) if len(sentence) > 8 else one for sentence, one in pairs]
    told = {"method": "perturbed[limit=8]", "choice": "linear chain for some sentences"}
    rows = [
        make_row(**TOLD | one | score_values(score(bank, predictions)), key=one["method"])
        for one, predictions in (({"method": "perturbed"}, full), (told, partly))
    ]
    counts = [sum(5 <= len(one) <= most for one in bank) for most in (50, 8)]
    for metric in ("dspr", "nspr"):
        assert [row[f"{metric}_sentences"] for row in rows] == counts
    assert [row["uuas_sentences"] for row in rows] == [len(bank)] * 2
    lines = format_table(rows).splitlines()
    for name in ("DSpr.", "NSpr."):
        told = f"{name} of perturbed[limit=8] is over {counts[1]} sentences, not {counts[0]}."
        assert told in lines
    assert "is over" not in format_table(rows[:1])
    blind = rows[1] | {"dspr_sentences": 15, "nspr_sentences": 5}  # distances of the chain alone
    assert "NSpr. of perturbed[limit=8] is over 5 sentences, not 15." in format_table([blind])
    assert f"NSpr. of perturbed[limit=8] is over {counts[1]}" in build_report(kept(tmp_path, rows))


def disturbed_sentences(tmp_path: Path, caplog: Any) -> None:
    other = {"words_as": "shuffled", "treebank_fingerprint": "ad" * 8}
    rows = [*probes(), chain(0.4), *probes(**other), chain(0.2, **other)]
    assert cells(rows, "input") == ["original"] * 4 + ["shuffled"] * 4
    ax = draw_layer_curves(rows)
    assert [list(one.lines[1].get_ydata()) for one in ax.figure.axes] == [[40, 40], [20, 20]]
    page = build_report(kept(tmp_path, rows))
    assert re.findall(r'class="tick right">(.*?)<', curves(page)) == ["linear 40.0"]
    again = probes([2], seed=1, words_as="shuffled", treebank_fingerprint="af" * 8)
    assert re.search(r"probe +shuffled +2 +64 +2 +20\.0 ± 0\.0", format_table([rows[6], *again]))


MIXES: list[Callable[[Path, Any], None]] = [
    protocols, probes_of_few_steps, recipes, word_vectors, treebanks_of_one_file_name,
    training_sets_of_one_file_name, samples_of_a_training_set, revisions_of_a_model, seeds,
    parts, choices_made_on_test,
    rows_of_an_older_version, rows_of_another_version_of_the_package,
    a_folder_that_is_being_written, predictions_that_are_missing, a_row_that_was_edited,
    a_row_that_is_not_of_its_predictions, rows_that_are_there_twice, a_method_that_fell_back,
    disturbed_sentences,
]  # fmt: skip


@pytest.mark.parametrize("mix", MIXES, ids=lambda mix: mix.__name__)
def test_what_does_not_belong_together_is_told_or_kept_apart(
    mix: Callable[[Path, Any], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mix(tmp_path, caplog)


def test_every_key_of_a_row_is_a_setting_or_known_to_be_none() -> None:
    measured = (
        *METRICS,
        "selectivity",
        "near_word_bias",
        "codelength",
        "compression",
        "accuracy",
        "margin",
        "dev_",
        "n_",
    )
    of_results = {key for key in ROW_KEYS if key.startswith(measured)}
    others = {"key", "revision", "choice", "why_empty", "steps", "cpu_seconds", "wall_seconds",
              "torch_version", "transformers_version", "probe", "warnings"}  # fmt: skip
    known = {*COORDINATES, *PROTOCOL, *SETTINGS, *NAMED.values(), *of_results, *others}
    assert set(ROW_KEYS) == known  # a new key that parts runs has to be among the settings
