"""The scorecard counts right, in one process and in several, and lets no missed case pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.scorecard import CLASSES

pytestmark = pytest.mark.slow

TESTS = Path(__file__).resolve().parent.parent
SAMPLE = """
import pytest
pytestmark = pytest.mark.fault_class("words")

@pytest.mark.parametrize("n", range(4), ids=["a", "/b", "c::d[e]", ""])
def test_one_by_one(n):
    assert n != FAULTY

def test_many(tally):
    def check(n):
        with pytest.raises(ZeroDivisionError):
            1 / (n == FAULTY)
    tally.each(check, [(n,) for n in range(5)])

def test_until_the_first(tally):
    for n in range(5):
        tally.one(lambda: 1 / (n - FAULTY))

@pytest.fixture
def broken():
    assert FAULTY == 9

def test_of_a_broken_fixture(broken):
    pass

@pytest.mark.xfail(FAULTY == 3, reason="known", strict=True)
def test_expected_to_fail():
    assert FAULTY == 9

def test_of_nothing(tally):
    assert FAULTY == 9
    tally.each(print, [()])

def test_that_cannot_be_tried():
    pytest.skip("not here")
"""
ALL_HELD = """
| **words** | | **17 of 17, 1 left out** |
| | expected to fail | 1 of 1 |
| | many | 5 of 5 |
| | of a broken fixture | 1 of 1 |
| | of nothing | 1 of 1 |
| | one by one | 4 of 4 |
| | that cannot be tried | 0 of 0, 1 left out |
| | until the first | 5 of 5 |
"""
SOME_MISSED = """
| **words** | | **10 of 16, 1 left out** |
| | expected to fail | 0 of 1 |
| | many | 4 of 5 |
| | of a broken fixture | 0 of 1 |
| | of nothing | 0 of 1 |
| | one by one | 3 of 4 |
| | that cannot be tried | 0 of 0, 1 left out |
| | until the first | 3 of 4 |
"""


def run(folder: Path, *options: str) -> tuple[int, str]:
    """Run the tests of a folder in a process of its own."""
    (folder / "conftest.py").write_text('pytest_plugins = ["support.scorecard"]\n')
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = fault_class(name)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("faulty", "table", "workers"),
    [(9, ALL_HELD, []), (3, SOME_MISSED, []), (3, SOME_MISSED, ["-n", "2"])],
    ids=["all held", "some missed", "some missed by workers"],
)
def test_each_case_is_counted(tmp_path, faulty, table, workers):
    (tmp_path / "test_x.py").write_text(f"FAULTY = {faulty}\n{SAMPLE}")
    code, out = run(tmp_path, *workers)
    assert code == (faulty == 3)
    assert f"| class | test | held |\n| --- | --- | --- |{table}" in out


def test_a_missed_case_fails_the_whole_run_even_where_it_was_expected(tmp_path):
    (tmp_path / "test_x.py").write_text(f"FAULTY = 3\n{SAMPLE}")
    code, out = run(tmp_path, "-k", "expected", "--whole")
    assert code == 1
    assert "| **words** | | **0 of 1** |" in out
    assert "| **crash** | | **0 of 0** |" in out


def test_a_class_must_be_known(tmp_path):
    (tmp_path / "test_x.py").write_text("FAULTY = 9\n" + SAMPLE.replace('"words"', '"wrods"'))
    code, out = run(tmp_path)
    assert code == 4
    assert "no class of faults 'wrods'" in out


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_has_tests(name):
    mark = f'fault_class("{name}")'
    here = Path(__file__)
    assert any(mark in path.read_text() for path in TESTS.rglob("test_*.py") if path != here)
