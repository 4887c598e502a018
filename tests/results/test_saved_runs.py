"""What a folder of results keeps beside its rows: predictions, gold trees, commands."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.few_steps import with_few_steps
from support.flat_settings import compare, sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, LinearChain, Prediction, Sentence, score
from structprobe.errors import ResultError
from structprobe.recoverers.methods import find_methods
from structprobe.results import predictions
from structprobe.results.folder import COMMANDS, ResultsFolder, read_commands
from structprobe.results.predictions import (
    predictions_from_bytes,
    predictions_to_bytes,
    sentences_from_bytes,
)
from structprobe.results.rows import make_row
from structprobe.results.saved_runs import (
    has_predictions,
    read_predictions,
    read_sentences,
    read_stimuli,
    stimuli_path,
)

BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def test_the_gold_is_kept() -> None:
    bank = BANKS[0]
    content = predictions_to_bytes(bank, LinearChain().predict(bank))
    found = sentences_from_bytes(content, "here")
    for mine, theirs in zip(found, bank, strict=True):
        assert mine.words == theirs.words
        np.testing.assert_array_equal(mine.heads, theirs.heads)
        assert (mine.deprels, mine.upos, mine.xpos) == (theirs.deprels, theirs.upos, theirs.xpos)
        assert mine.sent_id == theirs.sent_id


def test_what_is_not_there_is_not_kept() -> None:
    bank = [Sentence(("a", "b"), heads=[2, 0]), Sentence(("c",))]
    content = predictions_to_bytes(bank, LinearChain().predict(bank))
    for mine in sentences_from_bytes(content, "here"):
        assert mine.heads is mine.deprels is mine.upos is mine.sent_id is None


def test_each_pair_once_says_all_of_symmetric_distances() -> None:
    generator = np.random.default_rng(0)
    halves = [generator.random((n, n), np.float32) for n in (1, 5, 3)]
    matrices = [np.triu(half, 1) + np.triu(half, 1).T for half in halves]
    bank = [Sentence(("w",) * len(one)) for one in matrices]
    for made in (matrices, halves):
        predictions = [Prediction(np.arange(len(one)), one) for one in made]
        content = predictions_to_bytes(bank, predictions)
        for (_, mine), expected in zip(predictions_from_bytes(content, "here"), made, strict=True):
            np.testing.assert_array_equal(mine.distances, expected)
        names = set(np.load(io.BytesIO(content)))
        assert ("pair_distances" in names) == (made is matrices)


def test_a_file_of_an_older_version_is_read(tmp_path: Path) -> None:
    archive = io.BytesIO()
    np.savez_compressed(
        archive,
        offsets=np.array([0, 2]),
        words=np.array(["dogs", "bark"]),
        heads=np.array([2, 0], np.int32),
        distances=np.array([0, 1, 1, 0], np.float32),
    )
    ((words, prediction),) = predictions_from_bytes(archive.getvalue(), "old.npz")
    assert words == ("dogs", "bark")
    assert prediction.distances.tolist() == [[0, 1], [1, 0]]
    (sentence,) = sentences_from_bytes(archive.getvalue(), "old.npz")
    assert (sentence.words, sentence.heads) == (("dogs", "bark"), None)
    with pytest.raises(ResultError, match=r"old\.npz: not a predictions file"):
        sentences_from_bytes(b"PK damaged", "old.npz")


def test_a_sweep_can_be_scored_anew_from_what_it_keeps(encoder: Encoder, tmp_path: Path) -> None:
    rows = sweep(encoder, *BANKS, folder=tmp_path, layers="0,1", max_steps=5)
    for row in rows:
        gold = read_sentences(tmp_path, row["key"])
        predictions = [prediction for _, prediction in read_predictions(tmp_path, row["key"])]
        scores = score(gold, predictions, punct=row["punct"])
        for metric in ("uuas", "uas", "root_acc", "dspr", "nspr"):
            assert getattr(scores, metric) == row[metric]


def test_a_comparison_can_be_scored_anew_from_what_it_keeps(
    encoder: Encoder, tmp_path: Path
) -> None:
    methods = [*map(with_few_steps, find_methods())]
    rows = compare(encoder, *BANKS, methods=methods, folder=tmp_path)
    rows = [row for row in rows if row["uuas"] is not None]
    assert len(rows) > 8
    for row in rows:
        gold = read_sentences(tmp_path, row["key"])
        predictions = [prediction for _, prediction in read_predictions(tmp_path, row["key"])]
        scores = score(gold, predictions, punct=row["punct"])
        for metric in ("uuas", "uas", "las", "root_acc"):
            assert getattr(scores, metric) == row[metric], (row["method"], metric)


def test_all_of_a_prediction_is_kept() -> None:
    prediction = Prediction(
        np.array([2, 2]),
        arc_scores=np.array([[-np.inf, 0, 1], [-np.inf, 0.5, 2]], np.float32),
        deprels=("nsubj", "root"),
        as_tree=False,
    )
    content = predictions_to_bytes([Sentence(("dogs", "bark"))], [prediction])
    ((_, found),) = predictions_from_bytes(content, "here")
    np.testing.assert_array_equal(found.arc_scores, prediction.arc_scores)
    assert (found.deprels, found.as_tree) == (prediction.deprels, False)
    assert found.distances is found.depths is None


def test_predictions_are_left_out_on_request(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"layers": "0", "max_steps": 2, "keep_predictions": False}
    rows = sweep(encoder, *BANKS, folder=tmp_path, **options)
    assert not any(has_predictions(tmp_path, row["key"]) for row in rows)
    assert ResultsFolder(tmp_path).predictions_bytes == 0
    with pytest.raises(ResultError, match="no predictions were saved"):
        read_sentences(tmp_path, rows[0]["key"])
    with caplog.at_level("INFO", logger="structprobe"):
        sweep(encoder, *BANKS, folder=tmp_path, layers="0", max_steps=2)
    assert f"{len(rows)} finished runs without saved predictions" in caplog.text


def test_a_comparison_keeps_those_of_written_words(encoder: Encoder, tmp_path: Path) -> None:
    rows = compare(encoder, *BANKS, folder=tmp_path, methods="linear,random", disturbed=True)
    kept = {has_predictions(tmp_path, row["key"]) for row in rows if row["words_as"] is None}
    others = {has_predictions(tmp_path, row["key"]) for row in rows if row["words_as"]}
    assert (kept, others) == ({True}, {False})
    folder = tmp_path / "none"
    rows = compare(encoder, *BANKS, folder=folder, methods="linear", keep_predictions=False)
    assert not has_predictions(folder, rows[0]["key"])


def test_commands_are_told_once(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    assert read_commands(tmp_path) == []
    for command in ("structprobe sweep 'ä b'", "structprobe sweep 'ä b'", None):
        results.tell_command(command)
    told = read_commands(tmp_path)
    assert [one["command"] for one in told] == ["structprobe sweep 'ä b'", None]
    assert {"structprobe", "python", "torch", "numpy"} <= set(told[0]["versions"])
    results.add(make_row(key="a", method="linear"))
    assert [row["key"] for row in results.rows] == ["a"]


@pytest.mark.parametrize("content", ["{", json.dumps([1])])
def test_a_damaged_file_of_commands(tmp_path: Path, content: str) -> None:
    results = ResultsFolder(tmp_path)
    (tmp_path / COMMANDS).write_text(content)
    with pytest.raises(ResultError, match=r"commands\.jsonl"):
        results.tell_command("structprobe sweep")


@pytest.mark.slow
def test_predictions_that_pack_well_are_read() -> None:
    bank = [Sentence(("word",) * 25)] * 60_000
    content = predictions_to_bytes(bank, LinearChain().predict(bank))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sum(one.file_size for one in archive.infolist()) > 150 * len(content)
    assert len(predictions_from_bytes(content, "here")) == len(bank)


def test_a_long_word_takes_no_memory_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy pads all texts to the longest: here to a hundred times what may be unpacked."""
    bank = [Sentence(("word",) * 25)] * 200 + [Sentence(("a" * 5000, "b"))]
    content = predictions_to_bytes(bank, LinearChain().predict(bank))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.getinfo("words.npy").file_size > 100_000_000
    monkeypatch.setattr(predictions, "MAX_SMALL", 0)
    monkeypatch.setattr(predictions, "MAX_BYTES", 1_000_000)
    found = predictions_from_bytes(content, "here")
    assert [words for words, _ in found] == [sentence.words for sentence in bank]


def test_texts_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = [Sentence((f"{i:04}" + "a" * 4000,)) for i in range(400)]
    content = predictions_to_bytes(bank, LinearChain().predict(bank))
    monkeypatch.setattr(predictions, "MAX_SMALL", 0)
    monkeypatch.setattr(predictions, "MAX_BYTES", 1_000_000)
    assert 100 * len(content) < 1_600_000
    with pytest.raises(ResultError, match=r"texts of more than \d"):
        predictions_from_bytes(content, "here")


def test_scores_by_condition_are_kept_and_damage_is_named(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    told = [{"condition": "distance", "value": "é", "n": 3, "uuas": 1 / 3, "slope": None}]
    results.add(make_row(key="a", method="probe"), conditions=told)
    results.add(make_row(key="b", method="probe"))
    assert (read_stimuli(tmp_path, "a"), read_stimuli(tmp_path, "b")) == (told, [])
    path = stimuli_path(tmp_path, "a")
    whole = path.read_text()
    path.with_name("b.json").write_text(whole)
    for key, content, what in [
        ("b", whole, "is of another run"),
        ("a", whole.replace("0.3", "0.4"), "was changed after it was written"),
        ("a", whole.replace("0.3", "NaN, 3.3").replace("3.3", '"x": 3'), "not a list of scores"),
        ("a", whole.replace('"distance"', "7"), "not a list of scores"),
        ("a", "[]", "not a list of scores"),
        ("a", whole[:30], "not valid JSON"),
    ]:
        stimuli_path(tmp_path, key).write_text(content)
        with pytest.raises(ResultError, match=what) as caught:
            read_stimuli(tmp_path, key)
        assert str(caught.value).count("\n") == 0
