"""The whole benchmark, with stand-ins for the stages: what it prints, keeps and answers."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as command
from benchmarks import table
from benchmarks.clock import Seconds
from benchmarks.table import Limit, Line, Stage


@pytest.fixture
def _stand_ins(monkeypatch, tmp_path):
    def stages(plan, *, fits_only):
        if fits_only:
            yield Line("fits", "0.1 s", "at most 0.3 s", True)
            return
        yield Stage("read", Seconds(1, 1), limits=(Limit("at most 2 CPU s", True),))
        yield Line(f"every {plan.every}", "0.1 s", "at most 0.3 s", True)

    def scale(plan):
        yield Line("growth", "exponent 1.3", "1.0 ± 0.1", False)

    monkeypatch.setattr(command, "stages", stages)

    def one_layer(plan):
        yield Line("a pass up to layer 1 of 2", "0.500", "at most 0.733", True)

    monkeypatch.setattr(command, "scale", scale)
    monkeypatch.setattr(command, "one_layer", one_layer)

    def family(plan):
        yield Line("a step of the geometry rbf", "1.26 times", "at most 3 times", True)

    monkeypatch.setattr(command, "family", family)
    monkeypatch.setattr(table, "RESULTS", tmp_path / "RESULTS.md")


@pytest.mark.usefixtures("_stand_ins")
def test_a_run_that_holds(capsys):
    assert command.main(["--every", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == table.STAGE_HEADER.splitlines()
    assert lines[4].startswith("| read | 1.00 | 1.00 |")
    assert lines[6:8] == table.LINE_HEADER.splitlines()
    assert lines[8:] == ["| every 4 | 0.1 s | at most 0.3 s | holds |", "", "All limits hold."]


@pytest.mark.usefixtures("_stand_ins")
def test_a_missed_limit_is_the_exit_status_and_is_written_down(capsys, tmp_path):
    assert command.main(["--scale", "--write"]) == 1
    printed = capsys.readouterr().out
    assert printed.rstrip().endswith("MISSED: growth (1.0 ± 0.1)")
    kept = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert kept.startswith("# Latest benchmark run\n\n`python -m benchmarks --scale --write`, 2")
    assert kept.endswith(printed)


@pytest.mark.usefixtures("_stand_ins")
def test_parts_alone(capsys):
    assert command.main(["--scale-only"]) == 1
    printed = capsys.readouterr().out
    assert "growth" in printed
    assert "| read |" not in printed
    assert command.main(["--one-layer-only"]) == 0
    printed = capsys.readouterr().out
    assert "| a pass up to layer 1 of 2 | 0.500 | at most 0.733 | holds |" in printed
    assert "growth" not in printed
    assert command.main(["--family-only"]) == 0
    assert "| a step of the geometry rbf | 1.26 times |" in capsys.readouterr().out
    assert command.main(["--fits-only"]) == 0
    assert "| fits |" in capsys.readouterr().out
