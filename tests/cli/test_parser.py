"""Help that tells the defaults there are, and unknown options beside the known ones near them."""

from __future__ import annotations

import sys

import pytest

from structprobe.cli.main import COMMANDS, build_parser, main
from structprobe.cli.parser import SHELLS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_no_default_of_none(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"usage: structprobe {command}" in told
    assert "None" not in told
    assert "(default: False)" not in told
    assert "(default: True)" not in told
    assert "(default: [" not in told
    assert "(default: ()" not in told


def test_help_tells_the_other_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "bfloat16 where the hardware supports it (default: float32)" in told
    assert "default: hold out a tenth of the training set (--test is then required)" in told
    assert "if no number is given) (default" not in told  # off, unless it is there


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--rnak 64", "option --rnak; did you mean --rank?"),
        ("--rnak=64 --sed 3", "options --rnak and --sed; did you mean --rank and --seed?"),
        ("--rnaks 64 --rnaks 32", "option --rnaks; did you mean --ranks?"),
        ("--zebra", "option --zebra"),
        ("-z 1", "option -z"),
    ],
)
def test_a_near_option_is_named(given: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(f"sweep --model m --train t --dev d -o o {given}".split())
    assert stop.value.code == 2
    told = f"structprobe sweep: error: unknown {said} (see 'structprobe sweep --help')\n"
    assert capsys.readouterr().err == told


def test_a_near_option_is_named_before_those_that_are_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--modle", "bert-base-cased"])
    told = "structprobe fit: error: unknown option --modle; did you mean --model?"
    assert capsys.readouterr().err == f"{told} (see 'structprobe fit --help')\n"


@pytest.mark.parametrize(
    ("given", "shown"), [("help", ""), ("help fit", "fit "), ("help plot", "plot ")]
)
def test_help_of_a_command(given: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(given.split())
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: structprobe {shown}[-h]")


def test_singular_and_plural_are_one_option() -> None:
    files = "--model m --treebank t"
    for command, option, given in (
        (f"fit {files} -o o", "layer", "3"),
        (f"sweep {files} -o o", "layers", "0,2-3"),
        (f"localise {files}", "layers", "0,2-3"),
        (f"encode {files} --cache c", "layers", "all"),
        ("parse p -", "layer", "3"),
        ("evaluate p t", "layer", "3"),
        ("serve p", "layers", "0-3"),
        (f"fit {files} --layer 3 -o o", "rank", "64"),
        (f"sweep {files} -o o", "ranks", "32,64"),
        (f"localise {files}", "rank", "64"),
        ("evaluate p t", "rank", "64"),
        (f"fit {files} --layer 3 -o o", "seed", "5"),
        (f"sweep {files} -o o", "seeds", "0,5"),
        (f"localise {files}", "seed", "5"),
        (f"codelength {files}", "layers", "0,2-3"),
        (f"codelength {files}", "rank", "64"),
        (f"codelength {files}", "seed", "5"),
        (f"decompose {files}", "layers", "0,2-3"),
        (f"decompose {files}", "seed", "5"),
        (f"axes {files}", "layers", "0,2-3"),
        (f"axes {files}", "seed", "5"),
        ("order --model m", "layers", "0,2-3"),
        ("order --model m", "seed", "5"),
        ("behave --model m s.tsv", "seed", "5"),
        ("incremental p t", "layer", "3"),
        ("incremental p t", "rank", "64"),
        ("incremental p t", "seed", "5"),
        ("transfer --model m --treebank a b", "layer", "3"),
        ("transfer --model m --treebank a b --layer 3", "rank", "64"),
        ("transfer --model m --treebank a b --layer 3", "seed", "5"),
        (f"compare {files} -o o", "seed", "5"),
        (f"heads {files}", "seed", "5"),
        ("parse p -", "seed", "5"),
    ):
        one, other = (
            getattr(build_parser().parse_args([*command.split(), f"--{name}", given]), option)
            for name in (option.rstrip("s"), f"{option.rstrip('s')}s")
        )
        assert one == other
        assert str(one).strip("[]").replace(" ", "") == given


def test_files_may_stand_behind_options() -> None:
    for command, files in (
        ("evaluate p -q a.conllu b.conllu", ["a.conllu", "b.conllu"]),
        ("incremental p --restart a.conllu b.conllu", ["a.conllu", "b.conllu"]),
        ("encode a.conllu --model m b.conllu --cache c", ["a.conllu", "b.conllu"]),
    ):
        assert build_parser().parse_args(command.split()).files == files
    given = build_parser().parse_args(
        ["behave", "a.tsv", "--model", "m", "b.tsv", "--per", "word", "own"]
    )
    assert given.suites == ["a.tsv", "b.tsv", "own"]


def test_completion_is_printed_for_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab", reason="the extra completion is missing")
    for shell in SHELLS:
        with pytest.raises(SystemExit) as stop:
            main(["--print-completion", shell])
        assert stop.value.code == 0
        script = capsys.readouterr().out
        assert all(command in script for command in COMMANDS)
        assert "--punct" in script


def test_completion_without_shtab(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", "zsh"])
    assert stop.value.code == 2
    assert "pip install 'structprobe[completion]'" in capsys.readouterr().err
