"""What is claimed of versions: of Python, of what the package requires, and that nothing warns."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.fault_class("versions")

ROOT = Path(__file__).resolve().parent.parent.parent
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")
CLAIMED = re.findall(r"Python :: (3\.\d+)", SETUP["metadata"]["classifiers"])
# With its byte code, so that what only compiling warns of is seen too.
COMPILE = """
import sys, pathlib
for path in pathlib.Path(sys.argv[1]).rglob("*.py"):
    compile(path.read_bytes(), str(path), "exec")
print(sys.version_info[:2])
"""


def pinned(name: str) -> dict[str, str]:
    """Give the versions in a file of constraints."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def bounds() -> list[tuple[str, str]]:
    """Give each requirement of the package and its extras, with its lower bound."""
    extras = SETUP["options.extras_require"]
    used = [extras[name] for name in extras if name != "test"]
    lines = "\n".join([SETUP["options"]["install_requires"], *used]).split()
    return [
        (name.lower().replace("_", "-"), v) for name, v in (re.split("[>=]=", x) for x in lines)
    ]


def numbers(version: str) -> list[int]:
    """Give a version as numbers, without the zeros at its end."""
    return [int(part) for part in re.sub(r"(\.0)+$", "", version).split(".")]


def test_the_oldest_versions_are_the_lower_bounds(tally) -> None:
    oldest, newest = pinned("constraints-oldest.txt"), pinned("constraints.txt")

    def check(name: str, bound: str) -> None:
        assert numbers(oldest[name]) == numbers(bound)
        assert numbers(newest[name]) >= numbers(bound)

    tally.each(check, bounds())


def runs(path: str) -> bool:
    """Whether a Python starts: what manages several puts names on the path that only say so."""
    return not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode


def test_every_python_found_compiles_the_package(tally) -> None:
    found = {name: path for name in CLAIMED if (path := shutil.which(f"python{name}"))}
    found = {name: path for name, path in found.items() if runs(path)}
    running = ".".join(map(str, sys.version_info[:2]))
    found.setdefault(running, sys.executable)
    assert running in CLAIMED, "the version that runs is not among the classifiers of setup.cfg"

    def check(name: str, path: str) -> None:
        done = subprocess.run(
            [path, "-W", "error", "-c", COMPILE, str(ROOT / "structprobe")],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == (f"({name.replace('.', ', ')})\n", "")

    tally.each(check, found.items())


def test_warnings_are_errors(pytestconfig) -> None:
    assert pytestconfig.getini("filterwarnings")[0] == "error"


@pytest.mark.parametrize("command", [["--help"], ["fit", "--help"], ["--version"]])
def test_a_command_warns_of_nothing(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "structprobe", *command],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
