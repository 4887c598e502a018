"""What the shell may do to the standard streams, and text that is no text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.tiny_trees import tiny_file

from structprobe.cli.main import main


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
