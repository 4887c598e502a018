"""A sweep's probes are found by layer, rank and seed on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_file

from structprobe.cli.main import main


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A treebank's folder, and a sweep over it that saved its probes."""
    folder = tmp_path_factory.mktemp("found")
    save_checkpoint(folder / "model", "bert")
    (folder / "UD_Toy-One").mkdir()
    for seed, part in enumerate(("train", "dev", "test")):
        tiny_file(folder / "UD_Toy-One" / f"toy-ud-{part}.conllu", seed=seed)
    command = (
        f"sweep --model {folder}/model --treebank {folder}/UD_Toy-One --rank 2,4 --max-steps 5 "
        f"--device cpu --save-probes -q -o {folder}/results"
    )
    assert main(command.split()) == 0
    return folder


def evaluated(world: Path, capsys: pytest.CaptureFixture[str], more: str) -> dict[str, object]:
    """Evaluate a probe of the sweep on the treebank's test part; give the probe's row."""
    capsys.readouterr()
    command = f"evaluate {world}/results --treebank {world}/UD_Toy-One --json {more}"
    assert main(command.split()) == 0
    printed = capsys.readouterr()
    row = json.loads(printed.out)[0]
    told = f"layer {row['layer']}, rank {row['rank']}, seed 0 (UUAS "
    assert printed.err.startswith(f"structprobe: {world}/results: using the probe of {told}")
    return row


def test_the_best_on_dev_unless_a_layer_is_named(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (world / "results" / "rows.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["method"] == "probe"]
    best = max(rows, key=lambda row: row["dev_uuas"])
    chosen = evaluated(world, capsys, "")
    assert best["dev_uuas"] == max(
        row["dev_uuas"] for row in rows
        if (row["layer"], row["rank"]) == (chosen["layer"], chosen["rank"])
    )  # fmt: skip
    found = evaluated(world, capsys, "--layer 1 --rank 2")
    (same,) = (row for row in rows if (row["layer"], row["rank"]) == (1, 2))
    assert (found["layer"], found["rank"]) == (1, 2)
    assert found["uuas"] == same["uuas"]
    assert found["n_sentences"] == same["n_sentences"]


def test_parse_takes_a_layer_of_a_sweep(world: Path, capfdbinary) -> None:
    text = world / "text.txt"
    text.write_text("the dog saw a cat\n")
    (probe,) = (world / "results" / "probes").glob("layer-02_rank-4_*")
    for source in (f"{world}/results --layers 2 --ranks 4", str(probe)):
        assert main(f"parse {source} {text} --text --json -q".split()) == 0
    one, other = capfdbinary.readouterr().out.splitlines()
    assert one == other


def test_quiet_commands_do_not_say_which(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(f"evaluate {world}/results --treebank {world}/UD_Toy-One -q".split()) == 0
    assert capsys.readouterr().err == ""
