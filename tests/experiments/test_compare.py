"""A comparison runs each method once, alike, and lets no method spoil another's row."""

from __future__ import annotations

import errno
import re
import textwrap
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from support.flat_settings import compare
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder, LinearChain, Prediction, RandomTree, Recoverer, Treebank, score
from structprobe.errors import (
    EncoderError,
    MethodError,
    ResultError,
    ScoreError,
    StoreError,
    TreebankError,
)
from structprobe.experiments.runs.run import timed
from structprobe.experiments.vectors_folder import VECTORS
from structprobe.recoverers.base import MethodContext
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.methods import Method
from structprobe.results.folder import ROWS, TABLE, read_rows
from structprobe.results.rows import Row
from structprobe.treebank.disturb import DISTURBANCES

ROOT = Path(__file__).resolve().parents[2]
BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
BASELINES = "linear,right-branching,left-branching,random"


class Star(Recoverer):
    """Hangs every word on the first: a new method, in ten lines."""

    name = "star"

    def predict(self, sentences: Any) -> list[Prediction]:
        return [Prediction(np.minimum(np.arange(len(one)), 1)) for one in sentences]


class Seen(Star):
    """Keeps what it was shown."""

    name = "seen"
    shown: ClassVar[list[Any]] = []

    def predict(self, sentences: Any) -> list[Prediction]:
        self.shown.append(sentences)
        return super().predict(sentences)


class SeenGold(Seen):
    name = "seen-gold"
    uses_gold = True
    shown: ClassVar[list[Any]] = []


class Unfit(Star):
    """Cannot be made for any model."""

    name = "unfit"

    @classmethod
    def for_model(cls, context: MethodContext, **told: Any) -> Any:
        raise EncoderError("the model has\nno attentions", hint="choose another")


class Fails(Star):
    """Fails where it is told to, and counts its fits."""

    name = "fails"
    where = ""
    fits = 0

    def fit(self, train: Any, dev: Any = None) -> Any:
        type(self).fits += 1
        if self.where == "fit":
            raise EncoderError("the loss is not finite")
        self.chosen_ = {"layer": np.int64(2), "head": 4, "choice": "to the head"}
        return self

    def predict(self, sentences: Any) -> list[Prediction]:
        if self.where == "truncated" and any(len(one) == 4 for one in sentences[:1]):
            raise EncoderError("too short")
        predictions = super().predict(sentences)
        return predictions[1:] if self.where == "count" else predictions


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Fails.where, Fails.fits = "", 0
    Seen.shown.clear()
    SeenGold.shown.clear()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def methods_of(rows: list[Row]) -> list[str]:
    return [row["method"] for row in rows]


def test_one_row_a_method(encoder: Encoder, tmp_path: Path) -> None:
    train = tiny_file(tmp_path / "train.conllu")
    out = tmp_path / "DIR"
    rows = compare(encoder, train, *BANKS[1:], methods=f"{BASELINES},probe-layer-0", folder=out)
    assert methods_of(rows) == [*BASELINES.split(","), "probe-layer-0"]
    assert rows == read_rows(out)
    for row, method in zip(rows, (LinearChain(), None, None, RandomTree(0), None), strict=True):
        assert (row["part"], row["train"], row["words_as"]) == ("test", "train.conllu", None)
        assert row["treebank_fingerprint"] == BANKS[2].fingerprint
        assert (row["uuas"] is None, row["uuas_low"] is None, row["why_empty"]) == (
            False,
            False,
            None,
        )
        if method is not None:
            assert row["uuas"] == score(BANKS[2], method.predict(BANKS[2])).uuas
    assert [row["seed"] for row in rows] == [None, None, None, 0, 0]
    assert [row["fingerprint"] for row in rows] == [None] * 4 + [encoder.fingerprint]
    assert rows[-1]["layer"] == 0
    assert not (out / VECTORS).exists()


def test_a_method_is_what_its_class_gives(encoder: Encoder, tmp_path: Path) -> None:
    method = Method("probe", BestLayer, {"max_steps": 20})
    (row,) = compare(encoder, *BANKS, methods=method, seed=3, punct="keep", folder=tmp_path / "DIR")
    alone = BestLayer(encoder, max_steps=20, random_state=3, punct="keep").fit(*BANKS[:2])
    scores = score(BANKS[2], alone.predict(BANKS[2]), punct="keep")
    assert (row["layer"], row["seed"], row["punct"]) == (alone.chosen_["layer"], 3, "keep")
    assert (row["uuas"], row["uas"], row["root_acc"]) == (scores.uuas, scores.uas, scores.root_acc)
    assert (row["uuas_low"], row["uuas_high"]) == scores.interval("uuas")
    assert row["cpu_seconds"] > 0


def test_a_new_method_is_one_class(encoder: Encoder, tmp_path: Path) -> None:
    rows = compare(encoder, *BANKS, methods=[Star(), f"{__name__}:Unfit"], folder=tmp_path / "a")
    assert methods_of(rows) == ["star", "unfit"]
    (by_name,) = compare(encoder, *BANKS, methods=f"{__name__}:Star", folder=tmp_path / "b")
    scores = score(BANKS[2], Star().predict(BANKS[2]))
    for row in (rows[0], by_name):
        assert (row["method"], row["uuas"], row["uas"]) == ("star", scores.uuas, scores.uas)


def test_the_method_that_contributing_shows_is_whole(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    ((indented),) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    code = textwrap.dedent(indented)
    assert len([line for line in code.splitlines() if line]) <= 10
    (tmp_path / "one_file.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = compare(encoder, *BANKS, methods="one_file:Star,linear", folder=tmp_path / "DIR")
    assert methods_of(rows) == ["star", "linear"]
    assert rows[0]["uuas"] == score(BANKS[2], Star().predict(BANKS[2])).uuas


def test_what_was_chosen_is_told(encoder: Encoder, tmp_path: Path) -> None:
    (row,) = compare(encoder, *BANKS, methods=Fails(), folder=tmp_path)
    assert (row["layer"], row["head"], row["choice"]) == (2, 4, "to the head")
    assert read_rows(tmp_path) == [row]


def test_what_predict_tells_of_its_sentences_is_in_their_row(
    encoder: Encoder, tmp_path: Path
) -> None:
    class Skips(Star):
        name = "skips"

        def predict(self, sentences: Any) -> list[Prediction]:
            long = sum(len(one) > 4 for one in sentences)
            self.chosen_ = {"choice": f"a star for {long} sentences"}
            return super().predict(sentences)

    rows = compare(encoder, *BANKS, methods=Skips(), disturbed=True, folder=tmp_path)
    for row in rows:
        words_as = row["words_as"]
        bank = BANKS[2] if words_as is None else DISTURBANCES[words_as](BANKS[2], 0)
        assert row["choice"] == f"a star for {sum(len(one) > 4 for one in bank)} sentences"
    assert rows[-1]["choice"] != rows[0]["choice"]


def test_an_empty_row_says_why_and_the_others_go_on(
    encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Fails.where = "fit"
    rows = compare(
        encoder, *BANKS, methods=[f"{__name__}:Unfit", Fails(), "linear"], folder=tmp_path
    )
    assert methods_of(rows) == ["unfit", "fails", "linear"]
    why = "the model has no attentions; choose another"
    assert [row["why_empty"] for row in rows] == [why, "the loss is not finite", None]
    assert [row["uuas"] is None for row in rows] == [True, True, False]
    assert (rows[0]["n_sentences"], rows[0]["fingerprint"]) == (len(BANKS[2]), encoder.fingerprint)
    assert f"unfit has no scores: {why}" in caplog.text
    assert rows == read_rows(tmp_path)


@pytest.mark.fault_class("full disk")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_full_disk_is_no_property_of_a_method(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The comparison stops, and the next one ends with the rows of an undisturbed one."""

    def fit(self: Any, train: Any, dev: Any = None) -> Any:
        raise StoreError("cannot use the cache") from OSError(number, "no")

    with monkeypatch.context() as patch:
        patch.setattr(Fails, "fit", fit)
        with pytest.raises(StoreError, match="cannot use the cache"):
            compare(encoder, *BANKS, methods=["linear", Fails(), "random"], folder=tmp_path)
    assert methods_of(read_rows(tmp_path)) == ["linear"]
    rows = compare(encoder, *BANKS, methods=["linear", Fails(), "random"], folder=tmp_path)
    assert read_rows(tmp_path) == rows
    assert not any(row["why_empty"] for row in rows)


def test_predictions_that_do_not_fit_leave_an_empty_row(encoder: Encoder, tmp_path: Path) -> None:
    Fails.where = "count"
    (row,) = compare(encoder, *BANKS, methods=Fails(), folder=tmp_path)
    assert "12 gold sentences but 11 predictions" in row["why_empty"]
    assert (row["layer"], row["uuas"]) == (None, None)


def test_what_is_done_is_not_done_again(encoder: Encoder, tmp_path: Path) -> None:
    rows = compare(encoder, *BANKS, methods=[Fails(), "linear"], folder=tmp_path)
    before = (tmp_path / ROWS).read_bytes()
    assert compare(encoder, *BANKS, methods=["linear", Fails()], folder=tmp_path) == rows[::-1]
    assert (tmp_path / ROWS).read_bytes() == before
    assert Fails.fits == 1
    for other in ({"seed": 1}, {"punct": "keep"}):
        compare(encoder, *BANKS, methods=Fails(), folder=tmp_path, **other)
    compare(encoder.untrained(0), *BANKS, methods=Fails(), folder=tmp_path)
    assert Fails.fits == 4


def test_rows_are_kept_where_it_breaks_off(encoder: Encoder, tmp_path: Path) -> None:
    class Broken(Star):
        name = "broken"

        def predict(self, sentences: Any) -> list[Prediction]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(encoder, *BANKS, methods=[Fails(), Broken(), "random"], folder=tmp_path)
    assert methods_of(read_rows(tmp_path)) == ["fails"]
    rows = compare(encoder, *BANKS, methods=[Fails(), "random"], folder=tmp_path)
    assert (methods_of(rows), Fails.fits) == (["fails", "random"], 1)


def test_an_empty_row_is_tried_again(encoder: Encoder, tmp_path: Path) -> None:
    Fails.where = "fit"
    empty = [compare(encoder, *BANKS, methods=Fails(), folder=tmp_path) for _ in range(2)]
    assert empty[0] == empty[1] == read_rows(tmp_path)
    Fails.where = ""
    (row,) = compare(encoder, *BANKS, methods=Fails(), folder=tmp_path)
    assert (row["why_empty"], row["uuas"] is None) == (None, False)
    assert compare(encoder, *BANKS, methods=Fails(), folder=tmp_path) == [row]
    assert read_rows(tmp_path) == [row]  # the empty one stood for the same run
    assert len((tmp_path / TABLE).read_text().splitlines()) == 2
    assert Fails.fits == 3


def test_gold_is_shown_to_nobody_who_does_not_declare_it(encoder: Encoder, tmp_path: Path) -> None:
    rows = compare(encoder, *BANKS, methods=[Seen(), SeenGold()], folder=tmp_path)
    assert [row["uses_gold"] for row in rows] == [False, True]
    ((bare,), (whole,)) = Seen.shown, SeenGold.shown
    assert whole == BANKS[2]
    for shown, sentence in zip(bare, BANKS[2], strict=True):
        assert (shown.words, shown.gaps, shown.where) == (
            sentence.words, sentence.gaps, sentence.where,
        )  # fmt: skip
        gold = (shown.heads, shown.deprels, shown.upos, shown.xpos, shown.raw_lines)
        assert gold == (None, None, None, None, ())


def test_disturbed_versions_stand_beside_the_original(encoder: Encoder, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"methods": [Fails(), "random"], "folder": tmp_path, "seed": 2}
    original = compare(encoder, *BANKS, **settings)
    rows = compare(encoder, *BANKS, disturbed=True, **settings)
    versions = [None, *DISTURBANCES]
    assert [(row["method"], row["words_as"]) for row in rows] == [
        (method, words_as) for method in ("fails", "random") for words_as in versions
    ]
    assert rows[::4] == original
    assert Fails.fits == 2  # the fitted method was not kept, so that it was fitted once more
    for row in rows[1:4]:
        bank = DISTURBANCES[row["words_as"]](BANKS[2], 2)
        assert row["treebank_fingerprint"] == bank.fingerprint
        assert row["uuas"] == score(bank, Star().predict(bank)).uuas
        assert (row["n_words"], row["layer"]) == (bank.n_words, 2)
    assert compare(encoder, *BANKS, disturbed=True, **settings) == rows
    assert Fails.fits == 2


def test_a_version_that_fails_leaves_its_own_row_empty(encoder: Encoder, tmp_path: Path) -> None:
    Fails.where = "truncated"  # the first sentence has seven words, and four when truncated
    rows = compare(encoder, *BANKS, methods=Fails(), disturbed=True, folder=tmp_path)
    assert [row["why_empty"] for row in rows] == [None, None, None, "too short"]
    Fails.where = "fit"
    rows = compare(encoder, *BANKS, methods=Fails(), disturbed=True, folder=tmp_path / "other")
    assert {row["why_empty"] for row in rows} == {"the loss is not finite"}
    assert len({row["key"] for row in rows}) == 4


def test_vectors_are_encoded_once_and_are_nobodys_cost(encoder: Encoder, tmp_path: Path) -> None:
    vectors = encoder.encode(BANKS[0]).layer(1)
    np.testing.assert_array_equal(vectors.values, encoder.encode(BANKS[0]).layer(1).values)
    spent = encoder.encoding_seconds
    assert spent.cpu > 0
    with timed() as all_in, timed(encoder) as times:
        encoder.untrained(0).encode(BANKS[0])
    assert encoder.encoding_seconds.cpu > spent.cpu
    whole = encoder.encoding_seconds.wall - spent.wall
    assert times["wall_seconds"] >= 0 < whole
    assert all_in["wall_seconds"] == pytest.approx(times["wall_seconds"] + whole, abs=0.05)
    fast = Method("probe", BestLayer, {"max_steps": 5})
    compare(encoder, *BANKS, methods=fast, cache=tmp_path / "cache", folder=tmp_path / "DIR")
    assert any((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"methods": "linear,nothing"}, MethodError, "unknown method 'nothing'"),
        ({"methods": [Star(), Star()]}, MethodError, "two methods have the name 'star'"),
        ({"punct": "best"}, ScoreError, "unknown punct 'best'"),
        ({"punct": "xpos"}, ScoreError, "punct='xpos': no XPOS for 7 words"),
        ({"seed": -1}, ValueError, "seed -1 is out of range"),
    ],
)
def test_faults_are_told_before_any_work(
    encoder: Encoder, tmp_path: Path, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    settings = {"methods": Fails(), "folder": tmp_path / "DIR", **changes}
    with pytest.raises(error, match=words):
        compare(encoder, *BANKS, **settings)
    assert (Fails.fits, (tmp_path / "DIR").exists()) == (0, False)


def test_treebanks_that_will_not_do(encoder: Encoder, tmp_path: Path) -> None:
    bare = Treebank.from_words([["the", "dog"]])
    with pytest.raises(ScoreError, match="a sentence in the test treebank has no heads"):
        compare(encoder, *BANKS[:2], bare, folder=tmp_path / "DIR")
    untagged = Treebank.from_text("1\tthe\t_\t_\t_\t_\t0\troot\t_\t_\n\n")
    with pytest.raises(TreebankError, match="no UPOS tags to swap words by"):
        compare(encoder, *BANKS[:2], untagged, disturbed=True, folder=tmp_path / "DIR")
    assert not (tmp_path / "DIR").exists()
    (tmp_path / "mine").touch()
    with pytest.raises(ResultError, match="not a structprobe results folder"):
        compare(encoder, *BANKS, folder=tmp_path)
