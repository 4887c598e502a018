"""Vectors are there before a sweep asks for them, from one process or from shards."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.deadly import DeadlyPart
from support.tiny_checkpoints import make_model, make_tokenizer, save_checkpoint
from support.tiny_trees import tiny_file

from structprobe import Encoder, Treebank
from structprobe.cli.main import main
from structprobe.encoder.cache.shards import Shard
from structprobe.encoder.cache.store import VectorStore
from structprobe.errors import ClusterError, EncoderError
from structprobe.experiments import encoding
from structprobe.experiments.encoding import encode_banks
from structprobe.experiments.runs.backends import Backend
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


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the parts of several jobs one after another: starting processes takes seconds."""

    def run(backend: Backend, parts: Sequence[Any]) -> Iterator[None]:
        yield from (part() for part in parts)

    monkeypatch.setattr(Backend, "run", run)


def values(encoder: Encoder, bank: Treebank, cache: Path) -> np.ndarray:
    """The vectors of all layers, which must be there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Encoder, "_fill", None)
        found = encoder.encode(bank, cache=cache)
    return np.stack([found.layer(layer).values for layer in found.layers])


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("then", [1, 2, 4])
def test_what_one_number_of_jobs_began_another_ends(
    world: Path, tmp_path: Path, in_this_process: None, first: int, then: int
) -> None:
    encoder = Encoder(world / "model", device="cpu", batch_tokens=64)
    bank = Treebank.read(world / "bank.conllu")
    how: dict[str, Any] = {"cache": tmp_path / "cache", "progress": False}
    written: list[int] = []
    write = VectorStore.write

    def write_and_die(store: VectorStore, numbers: Any, vectors: Any) -> None:
        write(store, numbers, vectors)
        written.extend(numbers.tolist())
        if len(written) > 0.6 * len(bank):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VectorStore, "write", write_and_die)
        with pytest.raises(KeyboardInterrupt):
            encode_banks(encoder, {"bank": bank}, jobs=first, **how)
    again: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            VectorStore,
            "write",
            lambda store, numbers, found: (again.extend(numbers), write(store, numbers, found)),
        )
        (done,) = encode_banks(encoder, {"bank": bank}, jobs=then, **how)
    assert done["missing_shards"] == []
    assert len(again) < len(bank)
    assert {*written, *again} == {*range(len(bank))}
    whole = encoder.encode(bank, progress=False)
    wanted = np.stack([whole.layer(layer).values for layer in whole.layers])
    assert np.allclose(values(encoder, bank, tmp_path / "cache"), wanted, atol=1e-5)


@pytest.mark.slow  # two pools of processes are started
def test_a_process_that_is_killed(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(world / "model", device="cpu", batch_tokens=64, store_dtype="float16")
    bank = Treebank.read(world / "bank.conllu")
    flag, encode_parts = tmp_path / "killed", encoding._encode_parts

    def encode_deadly(parts: Sequence[Any], *how: Any) -> None:
        encode_parts([DeadlyPart(part, flag) for part in parts], *how)

    monkeypatch.setattr(encoding, "_encode_parts", encode_deadly)
    told = encode_banks(encoder, {"bank": bank}, cache=tmp_path / "cache", jobs=2,
                        untrained=True, progress=False)  # fmt: skip
    assert [one["missing_shards"] for one in told] == [[], []]
    assert int(flag.read_text()) != os.getpid()
    for model in (encoder, encoder.untrained(0)):
        whole = model.encode(bank, progress=False)
        wanted = np.stack([whole.layer(layer).values for layer in whole.layers])
        found = values(model, bank, tmp_path / "cache")
        assert found.dtype == np.float16
        assert np.allclose(found, wanted, atol=1e-2)


def test_what_several_jobs_cannot_do(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bank = Treebank.read(world / "bank.conllu")
    how: dict[str, Any] = {"cache": tmp_path / "cache", "progress": False}
    model = Encoder(make_model("bert"), tokenizer=make_tokenizer())
    with pytest.raises(EncoderError, match="a model object cannot be sent to other processes"):
        encode_banks(model, {"bank": bank}, jobs=2, **how)
    encoder = Encoder(world / "model", device="cpu")
    with pytest.raises(EncoderError, match="both jobs=2 and shard 1/2 are given"):
        encode_banks(encoder, {"bank": bank}, jobs=2, shard=Shard(1, 2), **how)
    with pytest.raises(ClusterError, match="jobs must be a whole number"):
        encode_banks(encoder, {"bank": bank}, jobs=0, **how)
    with pytest.raises(SystemExit):
        encode(world, tmp_path / "cache", "--shard", "1/2", "--jobs", "2")
    assert "give either --shard or --jobs" in capsys.readouterr().err


def test_jobs_take_one_gpu_after_another(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for count, wanted in ((0, [None] * 3), (1, [None] * 3), (2, ["cuda:0", "cuda:1", "cuda:0"])):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        assert [encoding._gpu_of(number) for number in (1, 2, 3)] == wanted
