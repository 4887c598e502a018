"""The README does what it says: its Python runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.pages import code_blocks, our_commands

from structprobe.cli.main import build_parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.usefixtures("minilm", "encoded_once")
def test_the_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = code_blocks(README, "python")
    names: dict[str, object] = {}
    exec(compile(block.text, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "UUAS" in printed
    assert "the dog that chased the cat ran" in printed
    assert len(names["trees"]) == len(names["test"])


def test_the_commands_parse() -> None:
    ours = our_commands(code_blocks(README, "bash"))
    assert len(ours) >= 6
    for arguments in ours:
        assert build_parser().parse_args(arguments).run


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = "".join(block.text for block in code_blocks(README, "bash"))
    for target in re.findall(r"^make (\w+)", commands, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_the_files_it_names_exist() -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / name).exists(), name


def test_the_variables_of_its_commands_are_set_before() -> None:
    commands = "".join(block.text for block in code_blocks(README, "bash"))
    used = {name: commands.index(f"${name}") for name in re.findall(r"\$(\w+)", commands)}
    assert used
    for name, place in used.items():
        assert re.search(rf"^{name}=", commands[:place], flags=re.MULTILINE), name
