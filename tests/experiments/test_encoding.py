"""Vectors are there before a sweep asks for them, from one process or from shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_file

from structprobe import Encoder, Treebank
from structprobe.cli.main import main
from structprobe.encoder.cache.shards import Shard
from structprobe.errors import EncoderError
from structprobe.experiments.encoding import encode_banks
from structprobe.results.folder import read_rows

HIDDEN_SIZE = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model and a treebank."""
    folder = tmp_path_factory.mktemp("world")
    save_checkpoint(folder / "model", "bert")
    tiny_file(folder / "bank.conllu")
    return folder


def encode(world: Path, cache: Path, *options: str) -> int:
    common = f"encode {world}/bank.conllu --model {world}/model --device cpu --cache {cache}"
    return main([*common.split(), *options])


def sweep_without_a_model(world: Path, cache: Path, out: Path, *options: str) -> int:
    """Sweep with vectors that must be there already."""
    bank = f"{world}/bank.conllu"
    common = f"sweep --model {world}/model --device cpu --cache {cache} --train {bank} --dev {bank}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "_fill", None)
        return main([*common.split(), *f"--max-steps 2 -q -o {out}".split(), *options])


def test_a_sweep_finds_what_was_encoded(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert encode(world, tmp_path / "cache", "--layers", "0,2", "--untrained", "-q") == 0
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"treebank={world}/bank.conllu  n_sentences=")
    assert "untrained=True" in told[1]
    options = ("--layers", "0,2", "--untrained")
    assert sweep_without_a_model(world, tmp_path / "cache", tmp_path / "DIR", *options) == 0


def test_shards_then_a_sweep(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache, out = tmp_path / "cache", tmp_path / "DIR"
    assert encode(world, cache, "--shard", "2/2", "--json") == 0
    printed = capsys.readouterr()
    (done,) = json.loads(printed.out)
    n_words = Treebank.read(world / "bank.conllu").n_words
    assert done["bytes"] == n_words * done["n_layers"] * HIDDEN_SIZE * 4
    assert (done["shard"], done["missing_shards"]) == ("2/2", [1])
    assert "shard 2 of 2 finished; still missing: 1" in printed.err
    assert sweep_without_a_model(world, cache, out) == 1
    told = capsys.readouterr().err
    assert "lacks shards 1/2 of these vectors; encode them with --shard" in told
    assert told.count("\n") == 1
    assert [row["method"] for row in read_rows(out)].count("probe") == 0
    assert encode(world, cache, "--shard", "1/2", "--dtype", "float16", "-q") == 0
    assert sweep_without_a_model(world, cache, out) == 1
    told = capsys.readouterr().err
    assert "lacks shards 1/2 of these vectors (it has 1/2 with dtype 'float16', not" in told
    assert encode(world, cache, "--shard", "1/2") == 0
    assert "shard 1 of 2 finished; no shard is missing" in capsys.readouterr().err
    assert sweep_without_a_model(world, cache, out) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--shard", "3/2"), "there is no shard 3 of 2; shards are numbered from 1"),
        (("--shard", "one"), "'one' is not a shard; use the form 3/8"),
        (("--layers", "99"), "layer 99 is out of range"),
    ],
)
def test_faults_are_one_line(
    world: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    words: str,
) -> None:
    assert encode(world, tmp_path / "cache", *options) == 1
    told = capsys.readouterr().err
    assert words in told
    assert told.startswith("structprobe: error: ")
    assert not (tmp_path / "cache").exists()


def test_an_empty_treebank_is_refused(world: Path, tmp_path: Path) -> None:
    encoder = Encoder(world / "model", device="cpu")
    how: dict[str, Any] = {"cache": tmp_path / "cache", "shard": Shard(1, 2)}
    with pytest.raises(EncoderError, match="nothing: the treebank has no sentence"):
        encode_banks(encoder, {"nothing": Treebank([])}, **how)
