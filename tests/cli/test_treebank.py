"""``structprobe treebank`` from arguments to what is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.ud_server import SENTENCE, Server, good_files, make_archive, serving

from structprobe.cli.main import main


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as served:
        monkeypatch.setenv("STRUCTPROBE_UD_URL", served.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield served


def test_counts_are_printed(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.put("UD_Toy-One", make_archive(good_files()))
    folder = tmp_path / "toy"
    command = ["treebank", "UD_Toy-One", "--release", "2.16", "-o", f"{folder}/"]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "part=train  n_sentences=2  n_words=4" in printed.out
    assert printed.err == ""  # no bar where there is no terminal
    assert main([*command, "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {
        "part": "test",
        "n_sentences": 1,
        "n_words": 2,
        "n_faults": 0,
        "paths": [str(folder / "toy_one-ud-test.conllu")],
    }


def test_faults_exit_with_1_behind_the_counts(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty = SENTENCE + SENTENCE.replace("\t0\t", "\t1\t")
    files = good_files() | {"UD_Toy-One-r2.16/toy_one-ud-dev.conllu": faulty}
    server.put("UD_Toy-One", make_archive(files))
    assert main(["treebank", "UD_Toy-One", "-o", str(tmp_path / "toy"), "-q"]) == 1
    printed = capsys.readouterr()
    assert "part=dev  n_sentences=1  n_words=2  n_faults=1" in printed.out
    (line,) = printed.err.splitlines()
    assert line.startswith("structprobe: error: the treebank contains errors (1 in dev)")


def test_one_line_for_a_typo(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["treebank", "UD_Englich-EWT", "-o", str(tmp_path / "x")]) == 1
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    told = "structprobe: error: unknown treebank 'UD_Englich-EWT'; did you mean UD_English-EWT"
    assert line.startswith(told)
    assert "404" in line  # newer ones than are known exist, so it was looked for
    assert printed.out == ""


def test_a_release_that_is_no_number_is_a_fault_in_the_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["treebank", "UD_English-EWT", "--release", "new", "-o", str(tmp_path)])
    assert "'new' is not a UD release" in capsys.readouterr().err


def test_a_treebank_is_fetched_under_its_name(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put("UD_Toy-One", make_archive(good_files()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRUCTPROBE_TREEBANKS", raising=False)
    assert main(["treebank", "UD_Toy-One", "-q"]) == 0
    assert (tmp_path / "UD_Toy-One" / "toy_one-ud-train.conllu").exists()
    monkeypatch.setenv("STRUCTPROBE_TREEBANKS", str(tmp_path / "kept"))
    assert main(["treebank", "UD_Toy-One", "-q"]) == 0
    assert (tmp_path / "kept" / "UD_Toy-One" / "toy_one-ud-train.conllu").exists()
