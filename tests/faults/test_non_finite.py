"""Non-finite: NaN and infinity from anywhere are one clear error, and never a score."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_checkpoints import read_weights, save_checkpoint, write_weights
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder, Prediction, StructuralProbe, WordAttentions, score
from structprobe.cli.main import main
from structprobe.encoder.vectors import WordVectors
from structprobe.errors import EncoderError, ProbeError, ScoreError, StructprobeError, TreeError
from structprobe.probe.layer_sweep import LayerSweep
from structprobe.probe.readers.biaffine_mix import BiaffineMix
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.probe.readers.incremental_probe import IncrementalProbe
from structprobe.probe.readers.layer_mix import LayerMix
from structprobe.results.folder import MARKER, read_rows
from structprobe.trees import arborescences, decode_rooted, spanning_trees

pytestmark = pytest.mark.fault_class("non-finite")

VALUES = (float("nan"), float("inf"), -float("inf"))
BANK = tiny_bank(n=8, longest=5)
SENTENCES = [["the", "dog", "ran"], ["a", "cat"], ["dog", "saw", "the", "cat"]]


def damaged(folder: Path, part: str, value: float, row: int | None = None) -> str:
    """Save a model of two layers with a value in its weights, in all of them or in one row."""
    path = save_checkpoint(folder, "bert")
    weights = read_weights(path)
    (name,) = (name for name in weights if re.fullmatch(part, name))
    weights[name][slice(None) if row is None else row] = value
    write_weights(path, weights)
    return path


PARTS = {
    "embeddings.word_embeddings.weight": 0,
    "embeddings.LayerNorm.bias": 0,
    r"encoder.layer.0.attention.self.value.weight": 1,
    r"encoder.layer.0.output.LayerNorm.weight": 1,
    r"encoder.layer.1.intermediate.dense.bias": 2,
    r"encoder.layer.1.output.dense.weight": 2,
}


@pytest.mark.parametrize("part", PARTS)
def test_weights_of_a_model(part: str, tally: Any, tmp_path: Path) -> None:
    """The error names the first layer that has such values, a word and its sentence."""

    def check(value: float) -> None:
        encoder = Encoder(damaged(tmp_path / str(value), part, value), device="cpu")
        told = rf"sentence 2: layer {PARTS[part]}: the vector of word 'dog' is not finite; its weig"
        for cache in (None, tmp_path / "cache"):
            with pytest.raises(EncoderError, match=told) as error:
                encoder.encode(SENTENCES, cache=cache, progress=False)
            assert "\n" not in str(error.value)
        for layer in range(PARTS[part]):  # those below it are sound
            vectors = encoder.encode(SENTENCES, layers=layer, progress=False).layer(layer)
            assert np.isfinite(vectors.values).all()

    tally.each(check, [(value,) for value in VALUES[:2]])


@pytest.mark.parametrize("value", VALUES)
def test_weights_of_one_word(value: float, tmp_path: Path) -> None:
    """Sentences without it are as ever, in whatever batch; `cat` is token 6."""
    path = damaged(tmp_path / "model", "embeddings.word_embeddings.weight", value, 6)
    encoder = Encoder(path, device="cpu")
    told = r"sentence [12]: layer 0: the vector of word 'cat' is not finite"
    with pytest.raises(EncoderError, match=told):
        encoder.encode(SENTENCES, progress=False)
    assert encoder.encode(SENTENCES[:1], progress=False).layer(2).values.shape == (3, 8)


def test_overflow_in_half_precision(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "model", "llama")
    weights = read_weights(path)
    for name in weights:
        weights[name] *= 60 if "mlp" in name else 1
    write_weights(
        path, {name: weight * 3e3 if "down" in name else weight for name, weight in weights.items()}
    )
    with pytest.raises(EncoderError, match=r"layer [12]: .* is not finite; .*try dtype='float32'"):
        Encoder(path, device="cpu", dtype="float16").encode(SENTENCES, progress=False)
    Encoder(path, device="cpu").encode(SENTENCES, progress=False)


@pytest.mark.parametrize("value", VALUES[:2])
def test_attention(value: float, tmp_path: Path) -> None:
    path = damaged(tmp_path / "model", "encoder.layer.1.attention.self.query.bias", value)
    with pytest.raises(EncoderError, match=r"sentence 2: layer 2: the attention is not finite"):
        list(WordAttentions(Encoder(path, device="cpu")).read(SENTENCES, progress=False))


# Estimators, with what they are given: one layer or several.
ESTIMATORS: dict[str, Callable[[], Any]] = {
    "StructuralProbe": lambda: StructuralProbe(rank=2, max_steps=3, random_state=0),
    "published": lambda: StructuralProbe(rank=2, recipe="published", max_steps=3, random_state=0),
    "streamed": lambda: StructuralProbe(rank=2, max_steps=3, memory_gb=1e-5, random_state=0),
    "BiaffineProbe": lambda: BiaffineProbe(rank=2, max_steps=3, random_state=0),
    "IncrementalProbe": lambda: IncrementalProbe(rank=2, max_steps=3, random_state=0),
    "LayerMix": lambda: LayerMix(rank=2, max_steps=3, random_state=0),
    "BiaffineMix": lambda: BiaffineMix(rank=2, max_steps=3, random_state=0),
    "LayerSweep": lambda: LayerSweep(rank=2, max_steps=3, random_state=0),
}
SEVERAL = ("LayerMix", "BiaffineMix", "LayerSweep")


def given(name: str, value: float | None = None, scale: float = 1, kind: str = "list") -> Any:
    """Vectors for an estimator, one of them not finite: of layer 5, sentence 3, the last word."""
    own = [np.random.default_rng(len(one)).normal(size=(len(one), 4)) * scale for one in BANK]
    other = [one.copy() for one in own]
    if value is not None:
        own[3][-1, 2] = value
    if kind == "bank":
        offsets = np.cumsum([0, *map(len, own)])
        own = WordVectors(np.concatenate(own), offsets)  # type: ignore[assignment]
    return {2: other, 5: own} if name in SEVERAL else own


@pytest.mark.parametrize("name", ESTIMATORS)
def test_vectors_of_one_sentence(name: str, tally: Any) -> None:
    """In training, in dev and in what is parsed: the error names layer, sentence and word."""
    word = len(BANK[3])
    layer = r" of layer [25]" if name in SEVERAL else ""
    whole = ESTIMATORS[name]().fit(given(name), BANK, dev=(given(name), BANK))

    def check(value: float, kind: str) -> None:
        bad, make = given(name, value, kind=kind), ESTIMATORS[name]
        seen = dict.fromkeys((2, 5), bad[5]) if name == "LayerSweep" else bad  # in its best layer
        for place, run in {
            "X": lambda: make().fit(bad, BANK, dev=(given(name), BANK)),
            "X_dev": lambda: make().fit(given(name), BANK, dev=(bad, BANK)),
            "X ": lambda: whole.predict(seen),
            "X  ": lambda: whole.score(seen, BANK),
        }.items():
            told = rf"{place.strip()}{layer}\[3\], word {word}: the vector contains NaN or infinity"
            with pytest.raises(ProbeError, match=told):
                run()

    tally.each(check, [(value, kind) for value in VALUES for kind in ("list", "bank")])


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("scale", [1e18, 1e25, 1e37, 1e-30])
def test_finite_vectors_whose_squares_are_not(name: str, scale: float) -> None:
    """Fitted on, or applied to: finite scores or an error, never a warning of numpy alone."""
    for fitted_on, applied_to in ((scale, scale), (1, scale)):
        with contextlib.suppress(StructprobeError):
            probe = ESTIMATORS[name]().fit(given(name, scale=fitted_on), BANK)
            scores = probe.evaluate(given(name, scale=applied_to), BANK).to_dict()
            told = [value for value in scores.values() if isinstance(value, float)]
            assert np.isfinite(told).all()


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name not in SEVERAL])
def test_a_loss_that_overflows_in_training(name: str) -> None:
    probe = ESTIMATORS[name]().set_params(learning_rate=1e30, max_steps=40)
    with pytest.raises(ProbeError, match="the loss is no longer finite at step"):
        probe.fit(given(name), BANK)


GOLD = {
    "heads": [np.array([np.nan] * len(one)) for one in BANK],
    "infinite heads": [np.array([np.inf] * len(one)) for one in BANK],
    "one head": [*(one.heads for one in BANK[:7]), np.full(len(BANK[7]), np.nan)],
}


@pytest.mark.parametrize("gold", GOLD)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_gold_trees(name: str, gold: str) -> None:
    with pytest.raises(StructprobeError, match="neither a Sentence nor a list of heads"):
        ESTIMATORS[name]().fit(given(name), GOLD[gold])


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("part", ["distances", "depths", "arc_scores"])
def test_predictions_to_be_scored(part: str, value: float) -> None:
    if part == "arc_scores" and value == -np.inf:
        pytest.skip("forbids an arc")
    n = len(BANK[0])
    shape = {"distances": (n, n), "depths": (n,), "arc_scores": (n, n + 1)}[part]
    values = np.ones(shape)
    values.flat[1] = value
    if part == "arc_scores" and value == np.inf:
        pytest.skip("is allowed in what is only scored")
    with pytest.raises(ScoreError, match=rf"{part}.*(finite|a number)"):
        score(BANK[:1], [Prediction(np.arange(n), **{part: values})])


def test_what_is_decoded() -> None:
    for value in VALUES:
        distances = np.ones((3, 3))
        distances[0, 1] = distances[1, 0] = value
        with pytest.raises(TreeError, match="distance"):
            spanning_trees([distances], [3], [0])
        if value != -np.inf:
            scores = np.zeros((1, 3, 4))
            scores[0, 1, 3] = value
            with pytest.raises(TreeError, match="score"):
                arborescences(scores, [3])
    with pytest.raises(TreeError, match="depth of word 2"):
        decode_rooted([np.ones((3, 3))], [np.array([1, np.nan, 2])])


COMMANDS = {
    "encode": "encode --model {model} {0}/train.conllu --cache {1}/cache",
    "fit": "fit --model {model} --layer 1 --max-steps 3 {files} -o {1}/probe",
    "sweep": "sweep --model {model} --layers 0,1,2 --ranks 2 --max-steps 3 {files} -o {1}/out",
    "compare": "compare --model {model} --methods probe[max_steps=3],attention-max {files} "
    "-o {1}/out",
    "heads": "heads --model {model} {files} -o {1}/out",
    "localise": "localise --model {model} --max-steps 3 {files}",
    "codelength": "codelength --model {model} --max-steps 3 --train {0}/train.conllu",
    "decompose": "decompose --model {model} {files}",
    "axes": "axes --model {model} --max-steps 3 {files}",
    "order": "order --model {model} --max-unknown 1 --items 10",
    "incremental": "incremental {0}/probe {0}/test.conllu --restart",
    "transfer": "transfer --model {model} --treebank {0} {0}/other --layer 1 --max-steps 3",
    "evaluate": "evaluate {0}/probe {0}/test.conllu",
    "parse": "parse {0}/probe {0}/test.conllu",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Treebanks, and a probe on a sound model that is damaged afterwards."""
    folder = tmp_path_factory.mktemp("world")
    for seed, part in enumerate(("train", "dev", "test")):
        tiny_file(folder / f"{part}.conllu", seed=seed)
    (folder / "other").mkdir()
    tiny_file(folder / "other" / "test.conllu", seed=3)
    model = save_checkpoint(folder / "model", "bert")
    files = " ".join(f"--{part} {folder}/{part}.conllu" for part in ("train", "dev"))
    how = f"--layer 1 --rank 2 --max-steps 3 {files}"
    assert main(f"fit --model {model} {how} -o {folder}/probe".split()) == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(
    command: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One line that names layer, word and sentence; no row, table or probe with such a value."""
    model = damaged(tmp_path / "bad", "encoder.layer.0.output.dense.bias", float("nan"))
    if "/probe" in COMMANDS[command].split(" -o ")[0]:
        # As where an accelerator computes something else: the same model, other vectors.
        from structprobe.models.loading import LoadedModel

        run = LoadedModel.run

        def overflow(*args: Any) -> Any:
            return [hidden.fill_(torch.nan) for hidden in run(*args)]

        monkeypatch.setattr(LoadedModel, "run", overflow)
    parts = ("train", "dev") if command == "fit" else ("train", "dev", "test")
    files = " ".join(f"--{part} {world}/{part}.conllu" for part in parts)
    line = COMMANDS[command].format(world, tmp_path, model=model, files=files)
    assert main(line.split()) == 1
    *lines, error = capsys.readouterr().err.strip().splitlines()
    if command == "compare":  # tells of each method, and goes on with the next
        assert "no method gave scores; the output above says why" in error
        error = next(one for one in lines if "not finite" in one)
    assert re.search(
        r"(tiny|main_auxiliary)-\d+.*layer [12]: (the vector of word|the attention)", error
    ), error
    assert "not finite" in error
    assert not any("Traceback" in one for one in lines)
    assert not (tmp_path / "probe").exists()
    out = tmp_path / "out"
    if (out / MARKER).exists():
        assert all("nan" not in str(row.values()) for row in read_rows(out))
    for path in out.rglob("*"):
        assert "nan" not in (path.read_text("utf-8").lower() if path.suffix == ".csv" else "")
