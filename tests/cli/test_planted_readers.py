"""A planted reader of nearness shows a near-word bias through the commands, one of trees none."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.planted_encoder import tree_steps
from support.tiny_checkpoints import save_checkpoint

from structprobe import Encoder, LinearChain, Prediction, ProbeRecoverer, Recoverer, Treebank
from structprobe.cli import inputs
from structprobe.cli.main import main
from structprobe.encoder.vectors import EncodedBank
from structprobe.results.folder import read_rows
from structprobe.results.saved_runs import read_stimuli
from structprobe.stimuli import make_stimuli
from structprobe.treebank import Sentence
from structprobe.trees import tree_distances

WIDTH = 24


def places(sentence: Sentence) -> np.ndarray:
    """Vectors (n, WIDTH) whose squared distances are linear distances."""
    return np.tri(len(sentence), WIDTH, -1, dtype=np.float32)


def trees(sentence: Sentence) -> np.ndarray:
    """Vectors (n, WIDTH) whose squared distances are those of the tree."""
    return tree_steps(sentence.heads, WIDTH)


class Planted:
    """An encoder that gives planted vectors in place of the model's."""

    hidden_size = WIDTH

    def __init__(self, encoder: Encoder, vectors: Callable[[Sentence], np.ndarray]) -> None:
        self.encoder, self.vectors = encoder, vectors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)

    def encode(self, sentences: Sequence[Sentence], **_: Any) -> EncodedBank:
        offsets = np.cumsum([0, *map(len, sentences)])
        values = np.concatenate([*map(self.vectors, sentences)])
        return EncodedBank({1: values}, offsets, self.encoder.origin(1))


class TreeReader(Recoverer):
    """Reads the gold trees."""

    name = "trees"

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        return [Prediction(one.heads, tree_distances(one.heads).astype(float)) for one in sentences]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    for part, seed in (("train", 1), ("dev", 2)):
        stimuli = make_stimuli("distance", n=65, seed=seed)
        Treebank(one.sentence for one in stimuli).write(folder / f"{part}.conllu")
    save_checkpoint(folder / "model", "bert")
    return folder


@pytest.mark.parametrize("vectors", [places, trees])
def test_the_bias_of_a_sweep(
    world: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, vectors: Any
) -> None:
    encoder = Planted(Encoder(str(world / "model"), device="cpu"), vectors)
    monkeypatch.setattr(inputs, "build_encoder", lambda *_: encoder)
    command = f"sweep --model x --train {world}/train.conllu --dev {world}/dev.conllu --layers 1 "
    command += "--recipe whitened --max-steps 100 --no-baselines --stimuli 65 --device cpu -q "
    command += f"--json -o {tmp_path}"
    assert main(command.split()) == 0
    (row,) = json.loads(capsys.readouterr().out)
    conditions = read_stimuli(tmp_path, read_rows(tmp_path)[0]["key"])
    apart = [one["distance"] for one in conditions[:13]]  # 0 to 12 words between
    if vectors is trees:
        assert abs(row["near_word_bias"]) < 0.01
        assert np.ptp(apart) < 0.1
        assert row["uuas"] > 0.95
    else:
        assert row["near_word_bias_low"] > 0.05
        assert min(apart[1:]) > apart[0]


@pytest.mark.parametrize(("reader", "bias"), [(LinearChain(), 1), (TreeReader(), 0)])
def test_the_bias_of_a_saved_probe(
    world: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, reader: Recoverer, bias: float
) -> None:
    monkeypatch.setattr(inputs, "check_probe", lambda _: None)
    monkeypatch.setattr(ProbeRecoverer, "from_pretrained", lambda *_, **__: reader)
    assert main(["stimuli", "PROBE/", "--conditions", "distance", "--number", "26", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[-1]
    assert found["slope"] == pytest.approx(bias, abs=1e-9)
    assert found["slope_all_pairs"] == pytest.approx(bias, abs=1e-9)
    command = ["evaluate", "PROBE/", str(world / "dev.conllu"), "--stimuli", "26"]
    assert main([*command, "--json"]) == 0
    probe, chain = json.loads(capsys.readouterr().out)
    assert probe["near_word_bias"] == pytest.approx(bias, abs=1e-9)
    assert probe["near_word_bias_low"] == pytest.approx(bias, abs=1e-9)
    assert chain["near_word_bias"] == pytest.approx(1)
    assert (probe["stimuli"], chain["stimuli"]) == (26, 26)
    assert main(command) == 0
    heading, first, *_ = capsys.readouterr().out.splitlines()
    assert "near-word bias" in heading
    assert f"{bias:.2f} [{bias:.2f}, {bias:.2f}]" in first.replace("-0.00", "0.00")
    assert main(command[:3]) == 0
    assert "near-word bias" not in capsys.readouterr().out
