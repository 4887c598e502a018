"""What a folder tells of each model: no choice on test, and nothing mixed up without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.result_rows import probe_row

from structprobe.results.folder import ResultsFolder
from structprobe.results.outcomes import accuracies, read_outcomes, removals
from structprobe.results.rows import BEHAVIOUR, INTERVENTION, TESTS, empty_key, make_row
from structprobe.show.behaviour.outcomes_table import format_outcomes

MODEL: dict[str, Any] = {"model": "bert", "fingerprint": "f", "dtype": "float32"}
SAME: dict[str, Any] = {"fingerprint": "f", "dtype": "float32"}


def add(folder: Path, *rows: dict[str, Any]) -> ResultsFolder:
    results = ResultsFolder(folder)
    for row in rows:
        results.add(row)
    return results


def of_suite(key: str, accuracy: float, **values: Any) -> tuple[dict[str, Any], list[Any]]:
    row = make_row(key=key, method=BEHAVIOUR, suite="s", **{**MODEL, **values})
    return row, [{"condition": "all", "value": "all", "accuracy": accuracy}]


def removal(key: str, layer: int, measure: str, value: float) -> tuple[dict[str, Any], list[Any]]:
    row = make_row(key=key, method=INTERVENTION, layer=layer, **MODEL)
    told = {"condition": measure, "value": "", "intervention": "probe", "control_of": None}
    effect = {"difference": value, "beyond_random": value}
    return row, [told | effect | {"beyond_random_low": None, "beyond_random_high": None}]


def test_the_layer_is_chosen_on_dev(tmp_path: Path) -> None:
    add(
        tmp_path / "dev",
        probe_row(1, uuas=0.5, dev_uuas=0.9, **SAME),
        probe_row(2, uuas=0.8, dev_uuas=0.6, **SAME),
    )
    (one,) = read_outcomes(tmp_path / "dev")
    assert (one["layer"], one["uuas"]) == (1, 0.5)


def test_without_dev_scores_none_is_chosen(tmp_path: Path) -> None:
    add(tmp_path, probe_row(1, uuas=0.5, **SAME), probe_row(2, uuas=0.8, **SAME))
    (one,) = read_outcomes(tmp_path)
    assert (one["layer"], one["uuas"]) == (None, None)
    assert "without dev scores" in one["why_empty"][0]
    assert "without dev scores" in format_outcomes([one])
    add(tmp_path / "single", probe_row(1, uuas=0.5, **SAME))
    assert read_outcomes(tmp_path / "single")[0]["uuas"] == 0.5


@pytest.mark.parametrize(
    ("key", "name"),
    [("train_fingerprint", "training set"), ("punct", "punctuation"), ("bos", "beginning")],
)
def test_probes_that_cannot_be_compared(tmp_path: Path, key: str, name: str) -> None:
    values = (True, False) if key == "bos" else ("a", "b")
    add(
        tmp_path,
        *(
            probe_row(at, uuas=0.5, dev_uuas=0.5, **{**SAME, key: one})
            for at, one in enumerate(values)
        ),
    )
    (one,) = read_outcomes(tmp_path)
    assert one["uuas"] is None
    assert name in one["why_empty"][0]


def test_numbers_of_one_type_are_not_shown_under_another(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    for key, accuracy, dtype in (("a", 0.5, "float32"), ("b", 0.7, "bfloat16")):
        row, told = of_suite(key, accuracy, dtype=dtype)
        results.add(row, conditions=told)
    one, other = read_outcomes(tmp_path)
    assert accuracies(one)["s", "all"]["accuracy"] == 0.5
    assert accuracies(other)["s", "all"]["accuracy"] == 0.7
    text = format_outcomes([one, other])
    assert "bert (bfloat16)" in text


def test_of_several_runs_the_last_is_shown_and_said(tmp_path: Path) -> None:
    results = ResultsFolder(tmp_path)
    for key, accuracy in (("a", 0.5), ("b", 0.7)):
        row, told = of_suite(key, accuracy)
        results.add(row, conditions=told)
    (one,) = read_outcomes(tmp_path)
    assert [own["accuracy"] for own in one["behaviour"]] == [0.7]
    assert any("several runs" in why for why in one["why_empty"])


def test_what_was_done_to_another_layer_is_not_shown(tmp_path: Path) -> None:
    results = add(tmp_path, probe_row(1, uuas=0.5, dev_uuas=0.9, **SAME))
    for layer in (1, 3):
        row, told = removal(f"layer{layer}", layer, "accuracy", layer / 10)
        results.add(row, conditions=told)
    (one,) = read_outcomes(tmp_path)
    assert removals(one)["accuracy"]["difference"] == 0.1
    assert any("other layers" in why and why.endswith("3") for why in one["why_empty"])


def test_only_shares_are_in_per_cent(tmp_path: Path) -> None:
    for measure, told in (("log-odds of high attachment", "+0.50"), ("accuracy", "+50.00")):
        folder = tmp_path / measure
        row, conditions = removal("a", 1, measure, 0.5)
        ResultsFolder(folder).add(row, conditions=conditions)
        assert f"{told}, {told}" in format_outcomes(read_outcomes(folder))


def test_a_reason_ends_when_it_was_done_after_all(tmp_path: Path) -> None:
    told = {"suite": "s", **MODEL}
    add(tmp_path, make_row(key=empty_key("a", "no"), method=TESTS, why_empty="no", **told))
    assert read_outcomes(tmp_path)[0]["why_empty"] == ["no"]
    add(tmp_path, make_row(key="b", method=TESTS, layer=1, **told))
    assert read_outcomes(tmp_path)[0]["why_empty"] == []
