"""The command that scores a probe by condition: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.flat_settings import fit_probe
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder, ProbeRecoverer
from structprobe.cli.main import main
from structprobe.stimuli import find_matches, make_stimuli, score_stimuli


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("stimuli")
    encoder = Encoder(save_checkpoint(folder / "model", "bert"), device="cpu")
    bank = tiny_bank(30)
    fit_probe(encoder, bank, bank, layer=1, max_steps=5, out=folder / "PROBE")
    return str(folder / "PROBE")


def run(capsys: Any, *words: str) -> str:
    # The tiny model knows none of the grammar's words.
    assert main(["stimuli", *words, "--max-unknown", "1", "--device", "cpu", "-q"]) == 0
    return str(capsys.readouterr().out)


def test_conditions_are_scored_as_in_python(probe: str, capsys: Any) -> None:
    options = [probe, "--conditions", "distance, agreement", "--number", "26"]
    found = json.loads(run(capsys, *options, "--stimuli-seed", "3", "--json"))
    stimuli = make_stimuli(["distance", "agreement"], n=26, seed=3)
    recoverer = ProbeRecoverer.from_pretrained(probe, max_unknown=1.0)
    assert found == json.loads(json.dumps(score_stimuli(recoverer, stimuli)))
    table = run(capsys, *options).splitlines()
    assert table[0].split()[:4] == ["condition", "value", "stimuli", "UUAS"]
    lines = [line for line in table if line.startswith("distance ")]
    assert len(lines) == 14
    assert all(" subject–verb " in line for line in lines)
    assert table[-1].startswith("Near-word bias: growth of the predicted distance")


def test_a_query_is_scored_as_in_python(probe: str, tmp_path: Path, capsys: Any) -> None:
    bank = tiny_file(tmp_path / "bank.conllu", 30)
    pattern = "A -[dep]-> B; A << B"
    options = [probe, "--query", pattern, "--test", str(bank.paths[0]), "--json"]
    recoverer = ProbeRecoverer.from_pretrained(probe, max_unknown=1.0)
    expected = score_stimuli(recoverer, find_matches(bank, pattern), pair=("B", "A"))
    assert json.loads(run(capsys, *options, "--pair", "B,A")) == json.loads(json.dumps(expected))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--conditions distances", "unknown condition 'distances' (did you mean 'distance'?)"),
        ("--query A->B", "give one of --treebank and --test to find the pattern in"),
        ("--query A->B --number 3 --treebank t", "leave out --conditions, --number and"),
        ("--treebank t", "--query is missing: say what to find in the treebank"),
        ("--pair subject", "--pair: 'subject' is not two names; write them as subject,verb"),
        ("--pair x,y", "'x'"),
    ],
)
def test_what_is_refused(probe: str, capsys: Any, options: str, told: str) -> None:
    try:
        status = main(["stimuli", probe, *options.split(), "--max-unknown", "1", "-q"])
    except SystemExit as stop:
        status = stop.code
    assert status in (1, 2)
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
