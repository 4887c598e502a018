"""Which commands show a bar on a terminal, and that no log line is drawn into one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from support.tiny_checkpoints import save_checkpoint, save_head
from support.tiny_trees import tiny_file

from structprobe.cli.main import main
from structprobe.treebank import reading

FEW = "{files} --max-steps 5"
TEST = "{files} --test {world}/bank.conllu"
COMMANDS = {
    "sweep": (f"sweep {FEW} -o {{out}}", {"encode", "probes of 3 layers", "runs"}),
    "sweep --jobs": (f"sweep {FEW} --jobs 2 -o {{out}}", {"encode", "runs"}),
    "sweep, all there": (f"sweep {FEW} -o {{world}}/SWEPT", set()),
    "sweep --dry-run": (f"sweep {FEW} -o {{out}} --dry-run", {"measure"}),
    "compare": (
        f"compare {TEST} --methods attention-mst,linear -o {{out}}",
        {"methods", "attend"},
    ),
    "localise": (f"localise {FEW}", {"encode", "probes of 3 layers", "mixes of layers", "mix"}),
    "codelength": (
        "codelength --model {world}/model --train {world}/bank.conllu --device cpu --max-steps 5",
        {"encode", "codelength"},
    ),
    "decompose": (f"decompose {TEST}", {"encode", "decompose"}),
    "axes": (f"axes {FEW} --layers 1", {"encode", "orthogonal probe", "layers"}),
    "order": (
        "order --model {world}/model --device cpu --max-unknown 1 --items 10 --layers 1",
        {"encode", "readers"},
    ),
    "behave": (
        "behave own:agreement --pairs 2 --model {world}/causal --device cpu --max-unknown 1",
        {"score"},
    ),
    "intervene": (
        f"intervene own:agreement --pairs 5 {FEW} --layer 1 --rank 2 --max-unknown 1",
        {"encode", "intervene"},
    ),
    "outcomes": (
        f"outcomes {FEW} --suites own:agreement --pairs 5 --layers 1 --rank 2 --max-unknown 1 "
        "--intervention-pairs 0 -o {out}",
        {"encode", "probe", "runs"},
    ),
    "incremental": (
        "incremental {world}/PROBE {world}/bank.conllu --device cpu --restart",
        {"encode", "prefixes"},
    ),
    "transfer": (
        "transfer --model {world}/model --treebank {world}/a {world}/b --layer 1 --device cpu "
        "--max-steps 5",
        {"encode", "probe", "probes"},
    ),
    "heads": (f"heads {TEST} -o {{out}}", {"attend", "draw"}),
    "report": ("report {world}/SWEPT -o {out}.html", {"read", "pack"}),
    "plot": ("plot {world}/SWEPT -o {out} --format svg", {"draw"}),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, a treebank, and what a sweep wrote."""
    folder = tmp_path_factory.mktemp("world")
    save_checkpoint(folder / "model", "bert", attn_implementation="eager")
    save_head(folder / "causal", "gpt2")
    tiny_file(folder / "bank.conllu")
    for seed, place in enumerate(("a/train", "a/test", "b/test")):
        (folder / place).parent.mkdir(exist_ok=True)
        tiny_file(folder / f"{place}.conllu", seed=seed)
    run(COMMANDS["sweep, all there"][0], folder, folder, "-q")
    run(f"fit {FEW} --layer 1 -o {{world}}/PROBE", folder, folder, "-q")
    return folder


def run(command: str, world: Path, out: Path, *more: str) -> None:
    bank = f"{world}/bank.conllu"
    files = f"--model {world}/model --train {bank} --dev {bank} --device cpu"
    assert main([*command.format(world=world, out=out, files=files).split(), *more]) == 0


def drawn(err: str) -> list[str]:
    """Give what was drawn, one thing over or below the other."""
    return [one for one in re.split(r"\r|\n|\x1b\[A", err) if one.strip()]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_bars_of_a_command(
    name: str,
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, bars = COMMANDS[name]
    capsys.readouterr()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    run(command, world, tmp_path)
    told = drawn(capsys.readouterr().err)
    logged = [one for one in told if one.startswith("structprobe: ")]
    states = [one for one in told if one not in logged]
    assert {state.partition(":")[0] for state in states} == bars
    for state in states:
        assert re.search(r"\d+/\d+ \[.*<.*/.*\]$", state), state  # taken, left, rate
    if name == "sweep":
        runs = [one for one in logged if re.fullmatch(r"structprobe: .*: UUAS (\d+\.\d|–)", one)]
        assert len(runs) == 4 + 3
        assert any("7/7 [" in state for state in states)


@pytest.mark.parametrize(("terminal", "more"), [(False, ()), (True, ("-q",))])
def test_no_bar_without_a_terminal_or_when_quiet(
    terminal: bool,
    more: tuple[str, ...],
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    capsys.readouterr()
    for name in ("sweep", "compare", "report", "plot"):
        run(COMMANDS[name][0], world, tmp_path / name, *more)
        told = capsys.readouterr().err
        assert "\r" not in told
        assert "%|" not in told
        if more:
            assert told == ""


def test_a_large_treebank_is_read_under_a_bar(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    command = "score {world}/bank.conllu {world}/bank.conllu"
    capsys.readouterr()
    run(command, world, world)
    (told,) = capsys.readouterr().err.splitlines()  # no bar: it is small
    assert told == "structprobe: test has only 12 sentences: the scores are very uncertain"
    monkeypatch.setattr(reading, "SECONDS", 0.0)
    run(command, world, world)
    assert capsys.readouterr().err.count("read: 100%") == 2
    run(command, world, world, "-q")
    assert capsys.readouterr().err == ""
