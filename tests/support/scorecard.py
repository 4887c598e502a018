"""The scorecard of faults: what the tests of each class tried and what held, summed up in a table.

A test marked ``fault_class("treebanks")`` counts as one case, or as all those that it hands to the
fixture `tally`. A case that is expected to fail counts as missed; what was skipped is left out.
With ``--whole`` all cases are tried, every class is listed, and a missed case fails the run.
"""

from __future__ import annotations

import datetime
import os
import platform
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

CLASSES = (
    *("crash", "full disk", "two at once", "stale", "non-finite", "memory", "interrupts"),
    *("treebanks", "words", "strangers", "numbers", "versions"),
)
SHOWN = 10  # missed cases, in the message of one test


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="try all cases of the classes of faults")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Scorecard(config.getoption("--whole")), "scorecard")


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether all cases are wanted (``make faults``), not only those for every day."""
    return bool(request.config.getoption("--whole"))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Count the cases of a test that tries more than one."""
    tally = Tally()
    request.node.user_properties.append(("cases", tally.cases))
    return tally


class Tally:
    """The cases of one test."""

    def __init__(self) -> None:
        self.cases = [0, 0]  # tried, held; a list travels with the report, from xdist's workers too

    def one(self, check: Callable[..., object], *case: Any) -> None:
        """Try one case; an error passes through."""
        self.cases[0] += 1
        check(*case)
        self.cases[1] += 1

    def each(self, check: Callable[..., object], cases: Iterable[tuple[Any, ...]]) -> None:
        """Try all cases, and fail at the end if any was missed."""
        missed = []
        for case in cases:
            try:
                self.one(check, *case)
            except (Exception, pytest.fail.Exception) as error:
                missed.append((case, error))
        if missed:
            shown = "\n".join(f"{str(case)[:200]}: {error!r}" for case, error in missed[:SHOWN])
            raise AssertionError(f"{len(missed)} cases missed, such as\n{shown}") from missed[0][1]


class Scorecard:
    """The cases of all tests: counters of "tried", "held" and "left out" by class and test."""

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if mark := item.get_closest_marker("fault_class"):
                if mark.args[0] not in CLASSES:
                    raise pytest.UsageError(f"{item.nodeid}: no class of faults {mark.args[0]!r}")
                item.user_properties.append(("fault_class", mark.args[0]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if "fault_class" not in told or (report.when != "call" and report.passed):
            return
        test = report.nodeid.partition("[")[0].rpartition("::")[2]
        count = self.counts[told["fault_class"], test.removeprefix("test_").replace("_", " ")]
        if report.skipped and not hasattr(report, "wasxfail"):
            count["left out"] += 1
            return
        tried, held = told.get("cases", (1, 1)) if report.when == "call" else (1, 0)
        tried = max(tried, 1)  # a test that tried nothing holds nothing
        count.update(tried=tried, held=held if report.passed else min(held, tried - 1))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        total = sum(self.counts.values(), Counter())
        if self.whole and total["held"] < total["tried"] and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.counts:
            terminalreporter.section("faults" if self.whole else "faults, in part")
            machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
            python = f"Python {platform.python_version()}"
            terminalreporter.write_line(f"{datetime.date.today()}, {python}, {machine}\n")
            for row in self.rows():
                terminalreporter.write_line(row)

    def rows(self) -> Iterator[str]:
        """Give the lines of the table: each class, with its tests below it."""
        yield "| class | test | held |"
        yield "| --- | --- | --- |"
        for name in CLASSES:
            tests = {key[1]: count for key, count in sorted(self.counts.items()) if key[0] == name}
            if tests or self.whole:
                total = sum(tests.values(), Counter())
                yield f"| **{name}** | | **{_n_of_n(total)}** |"
            yield from (f"| | {test} | {_n_of_n(count)} |" for test, count in tests.items())


def _n_of_n(count: Counter[str]) -> str:
    left_out = f", {count['left out']:,} left out" * bool(count["left out"])
    return f"{count['held']:,} of {count['tried']:,}{left_out}"
