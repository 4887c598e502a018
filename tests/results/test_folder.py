"""A folder of results loses nothing: not to a crash, a full disk, or a second writer."""

from __future__ import annotations

import csv
import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_disk import no_file_beyond
from support.tiny_trees import tiny_bank

from structprobe import LinearChain, Prediction, Sentence
from structprobe.errors import ResultError
from structprobe.results.folder import MARKER, ROWS, TABLE, ResultsFolder, read_rows
from structprobe.results.predictions import predictions_from_bytes, predictions_to_bytes
from structprobe.results.rows import ROW_KEYS, Row, make_row, run_key


def row(key: str, **values: object) -> Row:
    return make_row(key=key, method="linear", treebank="Việt Nam.conllu", **values)


def test_rows_come_back(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path / "deep" / "DIR")
    assert results.rows == []
    results.add(row("a", uuas=0.1))
    results.add(row("b", layer=3))
    assert results.rows == [row("a", uuas=0.1), row("b", layer=3)]
    assert results.keys == {"a", "b"}
    assert ResultsFolder(tmp_path / "deep" / "DIR").rows == results.rows
    assert read_rows(tmp_path / "deep" / "DIR") == results.rows
    with (results.folder / TABLE).open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == list(ROW_KEYS)
    assert [(line["key"], line["uuas"], line["layer"]) for line in table] == [
        ("a", "0.1", ""),
        ("b", "", "3"),
    ]
    assert table[0]["treebank"] == "Việt Nam.conllu"


def test_warnings_are_one_cell_of_the_table(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    told: list[list[str] | None] = [["few", "old, too"], [], None]
    for number, texts in enumerate(told):
        results.add(row(str(number), warnings=texts))
    assert [found["warnings"] for found in results.rows] == told
    with (tmp_path / TABLE).open(encoding="utf-8", newline="") as file:
        assert [line["warnings"] for line in csv.DictReader(file)] == ["few; old, too", "", ""]


def test_a_run_is_added_once(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a", uuas=0.1))
    results.add(row("a", uuas=0.9))
    assert [found["uuas"] for found in results.rows] == [0.1]


def test_a_row_of_an_older_version_gets_the_new_keys(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    (tmp_path / ROWS).write_text('{"key": "a", "uuas": 0.5}\n')
    assert results.rows == [{**dict.fromkeys(ROW_KEYS), "key": "a", "uuas": 0.5}]


@pytest.mark.fault_class("crash")
def test_crash_at_any_byte_of_a_line(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a"))
    whole = (tmp_path / ROWS).read_bytes()
    results.add(row("b"))
    both = (tmp_path / ROWS).read_bytes()
    for cut in [*range(len(whole), len(both), 37), len(both) - 1]:
        (tmp_path / ROWS).write_bytes(both[:cut])
        assert results.keys == {"a"}
        results.add(row("c"))
        assert results.keys == {"a", "c"}
        assert (tmp_path / ROWS).read_bytes().count(b"\n") == 2


@pytest.mark.fault_class("crash")
def test_a_row_that_is_cut_off_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a"))
    whole = (tmp_path / ROWS).read_bytes()
    (tmp_path / ROWS).write_bytes(whole[:40])
    told = "row is incomplete: the process writing it was killed"
    with pytest.raises(ResultError, match=rf"rows\.jsonl: the only {told}; run the same command"):
        read_rows(tmp_path)
    assert (tmp_path / ROWS).read_bytes() == whole[:40]  # whoever reads changes nothing
    assert caplog.text == ""
    assert results.keys == set()
    results.add(row("a"))
    assert f"rows.jsonl: the last {told}; it was removed" in caplog.text
    assert (tmp_path / ROWS).read_bytes() == whole
    (tmp_path / ROWS).write_bytes(whole + whole[:40])
    assert [one["key"] for one in read_rows(tmp_path)] == ["a"]
    assert f"the last {told}; it was skipped; run the same command again" in caplog.text


def test_table_is_mended(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a"))
    wanted = (tmp_path / TABLE).read_bytes()
    (tmp_path / TABLE).unlink()
    results.mend()
    assert (tmp_path / TABLE).read_bytes() == wanted


@pytest.mark.parametrize("damage", ["{torn\n", "[1]\n"])
@pytest.mark.fault_class("stale")
def test_damage_in_the_middle_is_named(tmp_path: Path, damage: str) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a"))
    lines = (tmp_path / ROWS).read_text(encoding="utf-8")
    (tmp_path / ROWS).write_text(lines + damage + lines, encoding="utf-8")
    with pytest.raises(ResultError, match=r"rows\.jsonl:2: not a result row: .*remove this"):
        _ = results.rows


@pytest.mark.fault_class("full disk")
def test_full_disk_keeps_what_is_there(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a"))
    before = {path: path.read_bytes() for path in (tmp_path / ROWS, tmp_path / TABLE)}
    with (
        no_file_beyond(len(before[tmp_path / ROWS]) + 100),
        pytest.raises(ResultError, match=r"cannot write results: .*existing rows are unchanged"),
    ):
        results.add(row("b"))
    assert {path: path.read_bytes() for path in before} == before
    assert not list(tmp_path.glob(f".{TABLE}*"))
    results.add(row("b"))
    assert results.keys == {"a", "b"}


@pytest.mark.fault_class("full disk")
def test_full_disk_at_the_start(tmp_path: Path) -> None:
    with no_file_beyond(3), pytest.raises(ResultError, match="cannot write results"):
        ResultsFolder(tmp_path / "DIR")


def test_folder_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(
        ResultError, match="exists and is not a structprobe results folder"
    ) as caught:
        ResultsFolder(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ResultError, match="is a file, not a folder"):
        ResultsFolder(tmp_path / "thesis.tex")


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("{", r"structprobe\.json: not valid JSON: .*; choose another folder"),
        ("[]", "is not the marker of a structprobe results folder"),
        (
            "{}",
            r"not the marker of a structprobe results folder; choose another folder; if .*-results",
        ),
        ('{"format": "other"}', "is not the marker of a structprobe results folder"),
        (
            '{"format": "structprobe-results", "format_version": 2}',
            "version 2, .* up to 1; upgrade",
        ),
    ],
)
def test_marker_of_another_kind(tmp_path: Path, marker: str, words: str) -> None:
    (tmp_path / MARKER).write_text(marker)
    with pytest.raises(ResultError, match=words):
        ResultsFolder(tmp_path)


def test_no_results_to_read(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no such folder; name a folder that sweep or compare"):
        read_rows(tmp_path / "nowhere")
    with pytest.raises(ResultError, match="contains no results; name a folder that sweep or"):
        read_rows(tmp_path)
    assert not (tmp_path / "nowhere").exists()


def add_many(folder: Path, writer: int) -> None:
    results = ResultsFolder(folder)
    for number in range(8):
        results.add(row(f"{writer}-{number}"))
        results.add(row(f"shared-{number}"))


@pytest.mark.fault_class("two at once")
def test_several_writers_tear_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=add_many, args=(tmp_path / "DIR", i)) for i in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    keys = [found["key"] for found in read_rows(tmp_path / "DIR")]
    assert len(keys) == len(set(keys)) == 3 * 8 + 8
    table = (tmp_path / "DIR" / TABLE).read_text(encoding="utf-8")
    assert len(table.splitlines()) == 1 + len(keys)


def test_predictions_beside_the_row(tmp_path: Path) -> None:
    results, bank = ResultsFolder(tmp_path), tiny_bank()
    predictions = LinearChain().predict(bank)
    results.add(row("a"), bank, predictions)
    results.add(row("b"))
    found = results.predictions("a")
    assert [words for words, _ in found] == [sentence.words for sentence in bank]
    for (_, mine), theirs in zip(found, predictions, strict=True):
        np.testing.assert_array_equal(mine.heads, theirs.heads)
        np.testing.assert_array_equal(mine.distances, theirs.distances)
        assert mine.depths is None
    with pytest.raises(ResultError, match="no predictions were saved for run 'b'"):
        results.predictions("b")
    (tmp_path / "predictions" / "a.npz").write_bytes(b"PK damaged")
    with pytest.raises(ResultError, match=r"a\.npz: not a predictions file"):
        results.predictions("a")


words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1)


@given(st.lists(st.lists(words, min_size=1, max_size=4), max_size=4), st.booleans())
def test_prediction_file_holds_anything(sentences: list[list[str]], scored: bool) -> None:
    generator = np.random.default_rng(0)
    bank = [Sentence(tuple(one)) for one in sentences]
    predictions = [
        Prediction(
            generator.integers(0, n + 1, n),
            generator.random((n, n), np.float32) if scored else None,
            generator.random(n, np.float32) if scored else None,
        )
        for n in map(len, bank)
    ]
    found = predictions_from_bytes(predictions_to_bytes(bank, predictions), "here")
    assert [one for one, _ in found] == [sentence.words for sentence in bank]
    for (_, mine), theirs in zip(found, predictions, strict=True):
        np.testing.assert_array_equal(mine.heads, theirs.heads)
        if scored:
            np.testing.assert_array_equal(mine.distances, theirs.distances)
            np.testing.assert_array_equal(mine.depths, theirs.depths)
        else:
            assert mine.distances is mine.depths is None


@pytest.mark.fault_class("non-finite")
def test_rows_are_strict_json(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    with pytest.raises(ValueError, match="JSON compliant"):
        results.add(row("a", uuas=float("nan")))
    assert results.rows == []
    results.add(row("b"))
    assert json.loads((tmp_path / ROWS).read_text(encoding="utf-8"))["key"] == "b"


def test_a_row_laid_out_anew_is_the_same_row(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a", uuas=0.1))
    told = json.loads((tmp_path / ROWS).read_text(encoding="utf-8"))
    (tmp_path / ROWS).write_text(json.dumps(told, separators=(",", ":")) + "\n")
    assert results.rows == [row("a", uuas=0.1)]
    told["uuas"] = 0.2
    (tmp_path / ROWS).write_text(json.dumps(told, separators=(",", ":")) + "\n")
    with pytest.raises(ResultError, match=r"jsonl:1: the row was changed after it was written"):
        read_rows(tmp_path)


@pytest.mark.parametrize("sort", [False, True])
def test_a_row_that_jq_wrote_is_the_same_row(tmp_path: Path, sort: bool) -> None:
    """Version 1.6 writes 1.0 as 1, and `jq -S` sorts by key."""
    results, wanted = ResultsFolder(tmp_path), row("a", uuas=1.0, uas=0.1, dspr=-1.0, n_words=3)
    results.add(wanted)
    told = json.loads((tmp_path / ROWS).read_text(encoding="utf-8"))
    whole = {k: int(v) if isinstance(v, float) and v % 1 == 0 else v for k, v in told.items()}
    (tmp_path / ROWS).write_text(json.dumps(whole, separators=(",", ":"), sort_keys=sort) + "\n")
    (found,) = results.rows
    assert [*found.items()] == [*wanted.items()]
    assert {type(found[key]) for key in ("uuas", "dspr")} == {float}
    (tmp_path / ROWS).write_text(json.dumps(whole | {"uuas": 0}, sort_keys=sort) + "\n")
    with pytest.raises(ResultError, match=r"jsonl:1: the row was changed after it was written"):
        read_rows(tmp_path)


def test_numbers_of_numpy_are_those_of_python(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    results.add(row("a", seed=np.int64(3), uuas=np.float64(0.5), uas=np.float32(0.5)))
    assert results.rows == [row("a", seed=3, uuas=0.5, uas=0.5)]
    assert run_key(seed=np.int64(3), memory=np.float32(0.5)) == run_key(seed=3, memory=0.5)
    with pytest.raises(TypeError, match="not a value of a row"):
        run_key(seed=object())


@pytest.mark.parametrize(
    "text", [b"a\xed\xa0\x80", b"a\\ud800", b'a", "uuas": NaN, "part": "'], ids=repr
)
def test_a_text_that_is_none_is_told_in_one_line(tmp_path: Path, text: bytes) -> None:
    ResultsFolder(tmp_path)
    line = b'{"key": "' + text + b'", "method": "x", "checksum": "abc"}\n'
    (tmp_path / ROWS).write_bytes(line)
    with pytest.raises(ResultError, match=r"jsonl:1: the row was changed after it was written"):
        read_rows(tmp_path)


def test_the_types_of_columns_are_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, calls = ResultsFolder(tmp_path), []
    results.add(row("a"))
    monkeypatch.setattr("structprobe.results.folder.kind_of", calls.append)
    assert results.keys == {"a"}
    assert not calls
