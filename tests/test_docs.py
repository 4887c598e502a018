"""The pages do what they say: their code runs and prints what stands below it, and they build.

In ``bash``, ``python`` and ``pycon`` blocks stands what runs on what is embedded. In ``sh`` blocks
stands what needs a model or a treebank that is not here: their commands must parse.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import PageRunner, code_blocks, our_commands

import structprobe
from structprobe.cli.main import COMMANDS, build_parser

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    path for path in DOCS.rglob("*.md") if not {"_build", "api"} & set(path.relative_to(DOCS).parts)
)
LANGUAGES = {"python", "pycon", "bash", "sh", "text", "latex", "conllu"}

pages = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS)))


@pytest.mark.slow
@pages
@pytest.mark.usefixtures("minilm", "encoded_once")
def test_the_code_of_a_page_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(DOCS / "figures", tmp_path / "figures")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    runner = PageRunner(path, tmp_path)
    for block in code_blocks(path.read_text(encoding="utf-8")):
        runner.run(block)


@pages
def test_the_commands_of_a_page_parse(path: Path) -> None:
    blocks = code_blocks(path.read_text(encoding="utf-8"), "bash", "sh")
    for arguments in our_commands(blocks):
        assert build_parser().parse_args(arguments).run, arguments


@pages
def test_no_block_is_left_out_by_its_language(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = set(re.findall(r"^ *[`~]{3,}([^`\s{]\S*)", text, flags=re.MULTILINE))
    assert found <= LANGUAGES


def test_the_reference_has_every_public_name() -> None:
    text = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^   (\S+)$", text, flags=re.MULTILINE))
    assert set(structprobe.__all__) - {"__version__"} <= listed


def test_the_list_of_commands_is_whole() -> None:
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## `structprobe (\w+)`", text, flags=re.MULTILINE)) == set(COMMANDS)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="the extra docs is missing")
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    source, pages = tmp_path / "docs", tmp_path / "html"
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("_build", "api"))
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, source, pages], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for path in PAGES:
        page = pages / path.relative_to(DOCS).with_suffix(".html")
        assert "<h1>" in page.read_text(encoding="utf-8"), page
    # A page that is read offline loads nothing from elsewhere.
    html = (pages / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]+", html)
