"""Errors say what to do in the language of the caller, and arrive whole wherever they are sent."""

from __future__ import annotations

import ast
import copy
import pickle
from pathlib import Path

import pytest

import structprobe
from structprobe.cli import main as front_door
from structprobe.errors import Hint, StructprobeError, TreebankError, counted

BOTH = Hint("pass force=True", shell="replace it with --force")


def test_python_reads_arguments_and_the_shell_options() -> None:
    error = StructprobeError("already exists", where="out.csv", hint=BOTH)
    assert str(error) == "out.csv: already exists; pass force=True"
    assert error.for_shell() == "out.csv: already exists; replace it with --force"


def test_a_place_is_one_line_that_a_terminal_only_shows() -> None:
    error = StructprobeError("already exists", where="a\x1b[31m\nb\udce9.csv")
    assert str(error) == r"a\x1b[31m\nb\udce9.csv: already exists"
    faulty = TreebankError("no\x07 root", path="\u202egod.conllu", line=3, hint="see caf\xe9")
    assert str(faulty) == "\\u202egod.conllu:3: no\\x07 root; see caf\xe9"
    assert faulty.path == "\u202egod.conllu"


@pytest.mark.parametrize("hint", [None, "name another file"])
def test_what_has_one_form_is_the_same_to_both(hint: str | None) -> None:
    error = StructprobeError("already exists", where="out.csv", hint=hint)
    assert error.for_shell() == str(error)


@pytest.mark.parametrize("send", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_both_forms_arrive_from_a_worker(send) -> None:
    error = send(TreebankError("no root", path="en.conllu", line=3, hint=BOTH))
    assert error.for_shell() == "en.conllu:3: no root; replace it with --force"
    assert str(error) == "en.conllu:3: no root; pass force=True"


def test_a_hint_handed_on_keeps_both_forms() -> None:
    first = TreebankError("no root", hint=BOTH)
    second = StructprobeError(first.what, where="sentence 2", hint=first.hint)
    assert second.for_shell() == "sentence 2: no root; replace it with --force"


def test_the_command_line_prints_the_options(monkeypatch, capsys) -> None:
    def fail(args) -> None:
        raise StructprobeError("already exists", where="out.csv", hint=BOTH)

    monkeypatch.setattr("structprobe.cli.demo.run", fail)
    assert front_door.main(["demo"]) == 1
    printed = capsys.readouterr().err
    assert printed == "structprobe: error: out.csv: already exists; replace it with --force\n"


ROOMS = ("errors", "treebank", "trees", "draw", "scores", "recoverers", "targets")


def is_assigned(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in node.targets
    )


def test_no_plain_hint_names_an_option_of_the_command_line() -> None:
    """A hint that does is read by users of Python too, and must hold both forms."""
    package = Path(structprobe.__file__).parent
    seen = 0
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0].removesuffix(".py") not in ROOMS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_passed = isinstance(node, ast.keyword) and node.arg == "hint"
            if is_passed or is_assigned(node, "hint"):
                assert isinstance(node, ast.keyword | ast.Assign)
                plain = [one for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
                is_both = isinstance(node.value, ast.Call)
                seen += 1
                assert is_both or not any("--" in str(one.value) for one in plain), (path, plain)
    assert seen > 50


def test_a_number_stands_with_its_noun() -> None:
    assert [counted(n, "word") for n in (0, 1, 2, 1200)] == [
        *("0 words", "1 word", "2 words", "1,200 words")
    ]
