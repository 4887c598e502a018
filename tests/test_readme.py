"""The README does what it says: its Python runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from structprobe.cli.main import build_parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """All code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.usefixtures("minilm")
def test_the_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = blocks("python")
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "UUAS" in printed
    assert "the dog that chased the cat ran" in printed
    assert len(names["trees"]) == len(names["test"])


def test_the_commands_parse() -> None:
    text = "".join(blocks("bash")).replace("\\\n", " ")
    commands = [line.split("#")[0].split(" > ")[0] for line in text.splitlines() if line]
    ours = [part for line in commands for part in line.split("| ") if "structprobe " in part]
    assert len(ours) >= 6
    for command in ours:
        program, *arguments = shlex.split(command)
        assert program == "structprobe"
        assert build_parser().parse_args(arguments).run


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", "".join(blocks("bash")), flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_the_files_it_names_exist() -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / name).exists(), name
