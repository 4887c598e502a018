"""The examples run on what is embedded and give what their last lines say they gave."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path

import pytest

from structprobe.cli.main import build_parser

FOLDER = Path(__file__).resolve().parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))

# Another processor rounds differently, and training carries that on: scores in per cent may
# move by this much, and a tree by an edge.
TOLERANCE = 3.0


def numbers(text: str) -> list[float]:
    """All scores in a text: numbers with one decimal."""
    return [float(number) for number in re.findall(r"(?<![\d.])\d+\.\d(?!\d)", text)]


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.usefixtures("minilm")
def test_an_example_gives_what_it_says(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out.rstrip()
    _, _, comment = script.read_text(encoding="utf-8").partition("\n# It prints:\n")
    told = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment.splitlines())
    assert told, "the script ends with the output it gave"
    assert len(printed.splitlines()) == pytest.approx(len(told.splitlines()), abs=6)
    if "UUAS" in told:
        assert numbers(printed)[:4] == pytest.approx(numbers(told)[:4], abs=TOLERANCE)
    else:
        words = "the dog that chased the cat ran to the river"
        assert words in told
        assert words in printed
        assert (tmp_path / "tree.svg").read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize("job", ["encode", "sweep"])
def test_the_slurm_script_calls_what_there_is(job: str, tmp_path: Path) -> None:
    """Run it with a `structprobe` that prints its arguments, as one of Slurm's tasks."""
    printer = tmp_path / "structprobe"
    printer.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    printer.chmod(0o755)
    slurm = {"ARRAY_TASK_ID": "3", "ARRAY_TASK_COUNT": "8", "CPUS_PER_TASK": "4"}
    environment = {f"SLURM_{name}": value for name, value in slurm.items()}
    environment |= {"PATH": f"{tmp_path}:/usr/bin:/bin", "WORK": "/shared/my work"}
    done = subprocess.run(
        ["/bin/bash", str(FOLDER / "slurm_array.sh"), job],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    args = build_parser().parse_args(done.stdout.splitlines())
    assert args.command == job
    assert args.cache == "/shared/my work/vectors"
    assert getattr(args, "shard", "3/8") == "3/8"
    assert args.model in ("bert-base-cased", ["bert-base-cased"])
    assert (args.dtype, args.layers) == ("float16", "all")
    if job == "sweep":
        assert (args.jobs, args.out) == (4, "/shared/my work/results")


def test_the_slurm_script_says_how_it_is_submitted() -> None:
    text = (FOLDER / "slurm_array.sh").read_text(encoding="utf-8")
    calls = re.findall(r"sbatch .*?(examples/\S+) (\w+)", text)
    assert calls == [("examples/slurm_array.sh", "encode"), ("examples/slurm_array.sh", "sweep")]
