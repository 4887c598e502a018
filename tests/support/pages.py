"""The code blocks of Markdown pages: found, run as a reader would, and held to what they say."""

from __future__ import annotations

import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from structprobe.cli.main import main

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?![\w.])")
LAST_NUMBER = re.compile(r" \d+\.\d+$")

# Another processor rounds differently, and training carries that on: scores in per cent may
# move by this much, and losses by some hundredths.
PER_CENT, LOSS = 3.0, 0.1

# Stands for the program in a page's shell blocks: writes down how it was called.
RECORDER = """#!/bin/sh
n=$(ls "$CALLS" | wc -l)
cat > "$CALLS/$n.stdin"
printf '%s\\0' "$@" > "$CALLS/$n.arguments"
"""


@dataclass(frozen=True)
class Block:
    """One code block: its language, its text, the line of the page that it begins on."""

    language: str
    text: str
    line: int


def code_blocks(page: str, *languages: str) -> list[Block]:
    """Give the code blocks of a page, of some languages or all, in order."""
    return [
        Block(found[1], found[2], page.count("\n", 0, found.start(2)) + 1)
        for found in BLOCK.finditer(page)
        if not languages or found[1] in languages
    ]


def our_commands(blocks: list[Block]) -> list[list[str]]:
    """Give the arguments of every call of structprobe in shell blocks."""
    lines = "".join(block.text for block in blocks).replace("\\\n", " ").splitlines()
    parts = [part.strip() for line in lines for part in line.split("#")[0].split("|")]
    calls = [part.split(" > ")[0] for part in parts if part.startswith("structprobe ")]
    return [shlex.split(call)[1:] for call in calls]


class PageRunner:
    """Runs the blocks of a page one after another: one set of names, one folder.

    Python blocks are run as they stand; ``pycon`` blocks are doctests; ``bash`` blocks are run by
    bash, the calls of structprobe in them in this process. A ``text`` block is what the block
    before it printed.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self.names: dict[str, object] = {"__name__": "__page__"}
        self.printed = ""

    def run(self, block: Block) -> None:
        """Run one block, or compare what the last one printed."""
        act = {
            "python": self._python,
            "pycon": self._doctest,
            "bash": self._bash,
            "text": lambda block: compare(self.printed, block.text, f"{self.path}:{block.line}"),
        }.get(block.language)
        if act is not None:
            act(block)

    def _python(self, block: Block) -> None:
        # Empty lines in front, so that a traceback names the page's own line.
        source = "\n" * (block.line - 1) + block.text
        with redirect_stdout(io.StringIO()) as printed:
            exec(compile(source, str(self.path), "exec"), self.names)
        self.printed = printed.getvalue()

    def _doctest(self, block: Block) -> None:
        parser, told = doctest.DocTestParser(), []
        test = parser.get_doctest(
            block.text, self.names, self.path.name, str(self.path), block.line
        )
        assert test.examples, f"{self.path}:{block.line}: a pycon block without >>>"
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=told.append, clear_globs=False)
        self.names = test.globs
        assert not told, "".join(told)

    def _bash(self, block: Block) -> None:
        calls = self.folder / f".calls-{block.line}"
        (calls / "bin").mkdir(parents=True)
        program = calls / "bin" / "structprobe"
        program.write_text(RECORDER)
        program.chmod(0o755)
        (calls / "made").mkdir()
        path = os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), "/usr/bin"])
        done = subprocess.run(
            ["/bin/bash", "-eu", "-c", block.text],
            env={**os.environ, "PATH": f"{path}:/bin", "CALLS": str(calls / "made")},
            cwd=self.folder, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{self.path}:{block.line}: {done.stderr}"
        self.printed = done.stdout
        made = sorted((calls / "made").glob("*.arguments"), key=lambda one: int(one.stem) // 2)
        for one in made:
            self._call(one.read_text().split("\0")[:-1], one.with_suffix(".stdin").read_bytes())

    def _call(self, arguments: list[str], stdin: bytes) -> None:
        given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        taken = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        with mock.patch("sys.stdin", given), mock.patch("sys.stdout", taken):
            assert main(arguments) == 0, arguments
        self.printed += taken.buffer.getvalue().decode()


def compare(printed: str, told: str, where: str) -> None:
    """Hold what was printed to what is told to have been: words, and numbers but for rounding."""
    now, before = (lines_of(text) for text in (printed, told))
    assert len(now) == len(before), f"{where}:\n{printed}"
    timed = False
    for is_, should in zip(now, before, strict=True):
        timed = should.endswith(" CPU s") or (timed and not should.startswith("Scored on"))
        if timed:  # the last column says how long it took here
            is_, should = (LAST_NUMBER.sub("", line) for line in (is_, should))
        assert NUMBER.sub("#", is_) == NUMBER.sub("#", should), f"{where}:\n{printed}"
        for number, other in zip(NUMBER.findall(is_), NUMBER.findall(should), strict=True):
            far = PER_CENT if len(other.partition(".")[2]) == 1 else LOSS
            assert float(number) == pytest.approx(float(other), abs=far), f"{where}: {is_}"


def lines_of(text: str) -> list[str]:
    """Give the lines that are not empty, each with single spaces."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
