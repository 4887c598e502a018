"""The README does what it says: its Python runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.pages import PageRunner, code_blocks, our_commands

from structprobe.cli.main import build_parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("minilm", "encoded_once")
def test_the_code_runs_and_prints_what_stands_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")  # as in a clone
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    runner = PageRunner(ROOT / "README.md", tmp_path)
    for block in code_blocks(README):
        runner.run(block)
    assert len(runner.names["trees"]) == len(runner.names["test"])
    assert (tmp_path / "figures" / "tree-test-0037.svg").is_file()  # the picture at the top


def test_the_commands_parse() -> None:
    ours = our_commands(code_blocks(README, "bash", "sh"))
    assert len(ours) >= 6
    for arguments in ours:
        assert build_parser().parse_args(arguments).run


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = "".join(block.text for block in code_blocks(README, "bash", "sh"))
    for target in re.findall(r"^make (\w+)", commands, flags=re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_the_files_it_names_exist() -> None:
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / name).exists(), name
