"""Help that tells the defaults there are, and unknown options beside the known ones near them."""

from __future__ import annotations

import pytest

from structprobe.cli.main import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_help_tells_no_default_of_none(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"usage: structprobe {command}" in told
    assert "None" not in told


def test_help_tells_the_other_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert "precision (default: float32)" in told
    assert "else a tenth of train, and --test is needed to score on" in told


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--rank 64", "--rank 64; did you mean --ranks?"),
        ("--rank=64 --seed 3", "--rank=64 --seed 3; did you mean --ranks and --seeds?"),
        ("--rank 64 --rank 32", "--rank 64 --rank 32; did you mean --ranks?"),
        ("--zebra", "--zebra"),
        ("-z 1", "-z 1"),
    ],
)
def test_a_near_option_is_named(given: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(f"sweep --model m --train t --dev d -o o {given}".split())
    assert stop.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"structprobe sweep: error: unrecognized arguments: {said}"
