"""What the shell may do to the standard streams, and text that is no text."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest
from support.tiny_trees import tiny_file

from structprobe.cli import score
from structprobe.cli.main import COMMANDS, main
from structprobe.errors import StructprobeError

FULL = "structprobe: error: standard output: No space left on device; free some disk space\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "closed", "said"),
    [
        ("score {gold} {gold}", ">&-", "standard output is closed"),
        ("parse nowhere -", "<&-", "<stdin>: an empty file"),
        ("parse nowhere - --text", "<&-", "<stdin>: there is no text to parse"),
    ],
)
def test_a_closed_stream_is_one_line(
    arguments: str, closed: str, said: str, tmp_path: Path
) -> None:
    tiny_file(tmp_path / "gold.conllu")
    command = arguments.format(gold=tmp_path / "gold.conllu")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m structprobe {command} {closed}"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"structprobe: error: {said}")


def test_errors_never_go_to_standard_output(tmp_path: Path) -> None:
    command = f"{sys.executable} -m structprobe score {tmp_path}/gone {tmp_path}/gone 2>&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a dog\nder H\xf6rer h\xf6rt\n", ":2: invalid UTF-8: byte 0xF6 at character 6"),
        (b"a\0d\0", ":1: a NUL character"),
    ],
)
def test_text_that_is_no_text_is_refused_with_its_line(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(content)
    assert main(["parse", "nowhere", str(text), "--text"]) == 1
    assert f"{text}{said}" in capsys.readouterr().err


def test_a_list_whose_reader_has_gone_is_no_fault() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "structprobe", "compare", "--list"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("coding", ["ascii", "cp932", "cp1252"])
@pytest.mark.parametrize("more", ["", "--json"])
def test_what_a_terminal_cannot_encode_is_escaped(
    coding: str, more: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "größe-字.conllu"
    tiny_file(path)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=coding))
    assert main(["score", str(path), str(path), *more.split()]) == 0
    shown = written.getvalue().decode(coding)
    if more:
        assert json.loads(shown)[0]["treebank"] == path.name  # JSON has escapes of its own
    else:
        name = path.name.encode(coding, "backslashreplace").decode(coding)
        assert "\\" in name
        assert f"Scored on {name}, 12 sentences." in shown


@pytest.mark.fault_class("strangers")
def test_an_error_that_a_terminal_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written, encoding="ascii"))
    assert main(["score", "größe", "größe"]) == 1
    assert b"gr\\xf6\\xdfe: no such file" in written.getvalue()


def test_a_drawing_is_in_the_encoding_of_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from structprobe import LinearChain, ProbeRecoverer

    (tmp_path / "text").write_text("a größe\n", encoding="utf-8")
    monkeypatch.setattr(ProbeRecoverer, "from_pretrained", lambda *_, **__: LinearChain())
    for coding, said in (
        ("ascii", b"a  gr\\xf6\\xdfe"),
        ("utf-16-le", "größe".encode("utf-16-le")),
    ):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=coding))
        assert main(["parse", str(tmp_path), str(tmp_path / "text"), "--text"]) == 0
        assert said in written.getvalue()


def without_reader() -> TextIO:
    """A pipe that nobody reads from."""
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w", encoding="utf-8")


@pytest.mark.parametrize("command", [*COMMANDS, ""])
def test_help_whose_reader_has_gone_is_no_fault(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with without_reader() as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main([*command.split(), "--help"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("size", [1, 1_000_000])
@pytest.mark.parametrize("then", [None, StructprobeError("a fault")])
def test_output_whose_reader_has_gone_is_no_fault(
    size: int,
    then: Exception | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(_: object) -> None:
        print("x" * size)
        if then:
            raise then

    monkeypatch.setattr(score, "run", run)
    failed = then is not None and size == 1  # otherwise the pipe is found broken before the fault
    with without_reader() as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["score", "a", "b"]) == int(failed)
    assert capsys.readouterr().err == "structprobe: error: a fault\n" * failed


def test_errors_whose_reader_has_gone_are_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> None:
        logging.getLogger("structprobe").warning("a warning")
        raise KeyboardInterrupt

    with suppress(BrokenPipeError), without_reader() as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        assert main(["score", "nowhere", "nowhere"]) == 1
        monkeypatch.setattr(score, "run", interrupted)
        assert main(["score", "a", "b"]) == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("command", ["--help", "--version", "compare --list"])
def test_output_to_a_full_disk_is_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(command.split()) == 1
    assert capsys.readouterr().err == FULL


@pytest.mark.slow
@pytest.mark.parametrize("end", ["| true", "2>&1 | true", "> /dev/full"])
def test_python_has_nothing_to_add_at_exit(end: str) -> None:
    command = f"set -o pipefail; {sys.executable} -m structprobe --help {end}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    is_full = end.startswith(">")
    # Python writes a long text before it is flushed, and does not say where.
    told = [FULL, FULL.replace("standard output: ", "")] if is_full else [""]
    assert done.returncode == int(is_full)
    assert done.stderr in told
