"""The scorecard of faults: what a test of a class tried and what held, summed up in a table.

A test marked ``fault_class("treebanks")`` counts as one case, or as all those that it hands to the
fixture `tally`. A case that is expected to fail counts as missed; a skipped one stands in the table
as left out. With ``--whole``, every class is listed and a missed case fails the run.
"""

from __future__ import annotations

import datetime
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

CLASSES = (
    *("crash", "full disk", "two at once", "stale", "non-finite", "memory", "interrupts"),
    *("treebanks", "words", "strangers", "numbers", "versions"),
)
SHOWN = 10  # missed cases, in the message of one test


class Tally:
    """The cases of one test."""

    def __init__(self) -> None:
        self.counts = [0, 0]  # tried, held; a list, which xdist can send

    def one(self, check: Callable[..., object], *case: Any) -> None:
        """Try one case; the error of a missed one passes through."""
        self.counts[0] += 1
        check(*case)
        self.counts[1] += 1

    def each(self, check: Callable[..., object], cases: Iterable[tuple[Any, ...]]) -> None:
        """Try all cases, whichever are missed, and then fail if any was."""
        missed = []
        for case in cases:
            try:
                self.one(check, *case)
            except Exception as error:
                missed.append((case, error))
        if missed:
            shown = "\n".join(f"{str(case)[:200]}: {error!r}" for case, error in missed[:SHOWN])
            what = f"{len(missed)} of {self.counts[0]} cases missed, such as\n{shown}"
            raise AssertionError(what) from missed[0][1]


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Count the cases of a test that tries more than one."""
    tally = Tally()
    request.node.user_properties.append(("cases", tally.counts))
    return tally


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether all cases are wanted (``make faults``), not only those for every day."""
    return bool(request.config.getoption("--whole"))


class Scorecard:
    """The cases of all tests, by class and test."""

    def __init__(self) -> None:
        self.tried: Counter[tuple[str, str]] = Counter()
        self.held: Counter[tuple[str, str]] = Counter()
        self.left_out: Counter[tuple[str, str]] = Counter()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if mark := item.get_closest_marker("fault_class"):
                assert mark.args[0] in CLASSES, f"{item.nodeid}: no such class: {mark.args[0]}"
                item.user_properties.append(("fault_class", mark.args[0]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if "fault_class" not in told or (report.when != "call" and report.passed):
            return
        test = report.nodeid.rpartition("::")[2].partition("[")[0].removeprefix("test_")
        key = (told["fault_class"], test.replace("_", " "))
        if report.skipped and not hasattr(report, "wasxfail"):
            self.left_out[key] += 1
            return
        tried, held = told.get("cases", (1, 1)) if report.when == "call" else (1, 0)
        self.tried[key] += max(tried, 1)
        self.held[key] += held if report.passed else min(held, max(tried, 1) - 1)

    def rows(self, whole: bool) -> Iterable[str]:
        """Give the lines of the table."""
        seen = [*self.tried, *self.left_out]
        yield "| class | cases | held |"
        yield "| --- | --- | --- |"
        for name in CLASSES:
            keys = sorted({key for key in seen if key[0] == name})
            if keys or whole:
                yield f"| **{name}** | | **{self._held(keys)}** |"
            yield from (f"| | {key[1]} | {self._held([key])} |" for key in keys)

    def _held(self, keys: list[tuple[str, str]]) -> str:
        tried, held, left_out = (
            sum(count[key] for key in keys) for count in (self.tried, self.held, self.left_out)
        )
        return f"{held:,} of {tried:,}" + f", {left_out:,} left out" * bool(left_out)

    def pytest_terminal_summary(
        self, terminalreporter: Any, config: pytest.Config
    ) -> None:
        if self.tried or self.left_out:
            whole = config.getoption("--whole")
            terminalreporter.section(f"faults, {'whole' if whole else 'reduced'}")
            machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
            today = datetime.date.today().isoformat()
            terminalreporter.write_line(f"{today}, Python {platform.python_version()}, {machine}\n")
            for row in self.rows(whole):
                terminalreporter.write_line(row)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        missed = self.tried.total() > self.held.total()
        if session.config.getoption("--whole") and missed and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="try all cases of the classes of faults")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Scorecard(), "scorecard")
