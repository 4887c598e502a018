"""A dry run tells what a sweep costs, and writes nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from support.flat_settings import plan_sweep, sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder, StructuralProbe
from structprobe.cli.main import main
from structprobe.errors import ProbeError, ResultError
from structprobe.experiments.config import Training
from structprobe.experiments.runs import memory_plan, planning
from structprobe.experiments.runs.memory_plan import plan_memory
from structprobe.experiments.runs.run import Banks
from structprobe.probe.training.loop import Cosine
from structprobe.probe.training.recipes import Whitened
from structprobe.probe.training.streaming import Spool
from structprobe.show.cost_table import format_plan

BANKS = (tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2))
GRID: dict[str, Any] = {"layers": "0,2", "ranks": (2, None), "seeds": (0, 1), "max_steps": 5}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = save_checkpoint(tmp_path_factory.mktemp("model"), "bert")
    return Encoder(folder, device="cpu", dtype="float16")


def everything(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_size) for path in folder.rglob("*"))


def components(folder: Path) -> list[Any]:
    """Give the matrices of a saved probe."""
    probe = StructuralProbe.from_pretrained(folder)
    return [probe.distance_components_, probe.depth_components_]


def test_disk_is_counted(encoder: Encoder, tmp_path: Path) -> None:
    plan = plan_sweep(encoder, *BANKS, folder=tmp_path / "DIR", untrained=True, **GRID)
    n_words = sum(bank.n_words for bank in BANKS)
    assert (plan["runs"], plan["runs_done"], plan["layers"]) == (5 + 16, 0, 2)  # with baselines
    # Two layers of the model and of an untrained copy for each of the two seeds.
    assert plan["n_words"] == n_words
    assert plan["bytes_per_layer"] == n_words * 8 * 2  # 8 wide, float16
    assert plan["bytes_in_all"] == 2 * 3 * plan["bytes_per_layer"]
    pairs = sum(len(sentence) * (len(sentence) - 1) / 2 for sentence in BANKS[2])
    assert plan["bytes_kept"] == 16 * (4 * pairs + 12 * BANKS[2].n_words)
    assert plan["bytes_free"] > 0
    assert plan["peak_bytes"] > 10e6  # Python alone takes more
    assert plan["encode_seconds"] > 0
    assert plan["train_seconds"] > 0
    assert everything(tmp_path) == []


def test_what_is_counted_is_what_is_written(encoder: Encoder, tmp_path: Path) -> None:
    told = {**GRID, "folder": tmp_path / "DIR"}
    assert plan_sweep(encoder, *BANKS, **told)["bytes_saved"] == 0
    plan = plan_sweep(encoder, *BANKS, **told, save_probes=True)
    how: dict[str, Any] = {"folder": tmp_path / "DIR", "cache": tmp_path / "cache"}
    sweep(encoder, *BANKS, **how, **GRID, save_probes=True)
    headers = 128 * 2 * 3  # NumPy's, one a layer and treebank
    written = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("layer-*.npy"))
    assert written == plan["bytes_in_all"] + headers
    probes = [*(tmp_path / "DIR" / "probes").iterdir()]
    matrices = sum(matrix.nbytes for one in probes for matrix in components(one))
    assert plan["bytes_saved"] == matrices + 8 * planning.CARD_BYTES
    saved = sum(path.stat().st_size for one in probes for path in one.iterdir())
    assert 0.5 * plan["bytes_saved"] < saved < 1.5 * plan["bytes_saved"]
    before = everything(tmp_path)
    again = plan_sweep(encoder, *BANKS, **how, **{**GRID, "layers": "0-2"})
    assert (again["runs"], again["runs_done"]) == (5 + 12, 5 + 8)
    assert again["bytes_in_all"] == again["bytes_per_layer"]
    done = plan_sweep(encoder, *BANKS, **how, **GRID, save_probes=True)
    assert (done["runs_done"], done["bytes_in_all"]) == (5 + 8, 0)
    assert (done["bytes_kept"], done["bytes_saved"]) == (0, 0)
    assert (done["encode_seconds"], done["train_seconds"]) == (0, 0)
    assert everything(tmp_path) == before


def test_memory_is_that_of_the_room_for_vectors_at_most(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "_peak_bytes", lambda: 0)
    pairs = sum(len(sentence) ** 2 for bank in BANKS for sentence in bank)
    n_train, n_dev = BANKS[0].n_words, BANKS[1].n_words

    def vectors(**how: Any) -> int:
        banks = Banks.of(*BANKS)
        return planning._peak_of_training(banks, encoder, 2, Training(**how)) - 14 * pairs

    assert vectors() == 2 * (n_train + n_dev) * 8 * 4
    assert vectors(products="bfloat16") == 2 * (n_train * 2 + n_dev * 4) * 8
    assert vectors(memory_gb=3e-6) == 3000


def test_what_is_streamed_is_on_disk_too(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the files that the fits of a sweep write: a thread each, whatever lies in memory."""
    banks = tiny_bank(150), BANKS[1]
    grid: dict[str, Any] = {"layers": "0", "ranks": (2,), "seeds": (0, 1), "max_steps": 5}
    how: dict[str, Any] = {"folder": tmp_path / "DIR", "device": "cpu", **grid}
    room = 0.5e-9 * sum(bank.n_words for bank in banks) * 8 * 4  # for half a layer
    assert plan_sweep(encoder, *banks, **how)["bytes_streamed"] == 0
    plan = plan_sweep(encoder, *banks, **how, memory_gb=room)
    sizes: list[int] = []
    make = Spool.__init__

    def noted(spool: Spool, *shape: Any) -> None:
        make(spool, *shape)
        sizes.append(spool._size)

    monkeypatch.setattr(Spool, "__init__", noted)
    rows = sweep(encoder, *banks, **how, memory_gb=room, baselines=False)
    assert (len(rows), len(sizes)) == (2, 2 * 2 * 2)  # two seeds, two kinds, train and dev
    at_once = min(4, torch.get_num_threads())
    assert plan["bytes_streamed"] == pytest.approx(at_once * sum(sizes) / 4, rel=0.1)
    assert plan["bytes_temporary"] > 0


def test_the_looks_at_dev_are_counted_as_often_as_they_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against a clock on which a step takes 3 s, and to look at one dev sentence 0.1 s."""
    now = [0.0]
    monkeypatch.setattr(planning.time, "perf_counter", lambda: now[0])

    def fit(probe: StructuralProbe, *_: Any, dev: Any) -> StructuralProbe:
        schedule = Cosine(Whitened(), 1.0, probe.max_steps)
        looks = sum(map(schedule.evaluates_at, range(1, probe.max_steps + 1)))
        now[0] += 3 * probe.max_steps + 0.1 * looks * len(dev[1])
        return probe

    monkeypatch.setattr(StructuralProbe, "fit", fit)
    banks = Banks.of(tiny_bank(1000), tiny_bank(200, seed=1))
    a_word, a_step = planning._seconds_of_training(banks, 8, 8, Training())
    taken = a_word * banks.train.n_words + 2000 * a_step
    assert taken == pytest.approx(3 * 2000 + 0.1 * 10 * 200, rel=0.01)


def test_time_is_extrapolated(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a clock on which a step takes 1 s, what comes before it 3 s, a word 0.01 s."""
    now = [0.0]
    monkeypatch.setattr(planning.time, "perf_counter", lambda: now[0])

    def encode(encoder: Encoder, sentences: Any, **_: Any) -> None:
        now[0] += 0.01 * sum(map(len, sentences))

    def fit(probe: StructuralProbe, *_: Any, **__: Any) -> StructuralProbe:
        now[0] += 3 + probe.max_steps
        return probe

    monkeypatch.setattr(Encoder, "encode", encode)
    monkeypatch.setattr(StructuralProbe, "fit", fit)
    train = tiny_bank()
    plan = plan_sweep(encoder, train, BANKS[1], folder=tmp_path / "DIR", **GRID)
    assert plan["encode_seconds"] == pytest.approx(0.01 * plan["n_words"])
    assert plan["train_seconds"] == pytest.approx(8 * (3 + 5))
    few = len(train) // 2
    sizes = {"train_sentences": [few]}
    plan = plan_sweep(encoder, train, BANKS[1], folder=tmp_path / "DIR", **GRID, **sizes)
    samples = [Banks.of(train).sampled(few, seed).train for seed in (0, 1)]
    shares = [sample.n_words / Banks.of(train).train.n_words for sample in samples]
    assert 0.2 < min(shares) < max(shares) < 0.8
    assert plan["train_seconds"] == pytest.approx(sum(4 * (3 * share + 5) for share in shares))
    monkeypatch.setattr(planning, "FITTED", len(train) // 2)
    more = plan_sweep(encoder, train, BANKS[1], folder=tmp_path / "DIR", **GRID)
    assert 8 * (3 * 1.5 + 5) < more["train_seconds"] < 8 * (3 * 2.5 + 5)


@pytest.mark.parametrize(
    ("recipe", "max_steps", "most"),
    [("whitened", None, 2000), ("published", None, 40 * 6), ("published", 7, 7)],
)
def test_the_limit_on_steps(recipe: str, max_steps: int | None, most: int) -> None:
    assert planning._most_steps(Training(recipe, max_steps), 101) == most


def test_the_sample_is_even() -> None:
    numbers: Any = range(100)
    assert planning._even(numbers, 3) == [0, 50, 99]
    assert planning._even(numbers[:2], 3) == [0, 1]


def test_memory_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    kilobytes = planning._peak_bytes()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert 0 < planning._peak_bytes() < kilobytes
    monkeypatch.setitem(sys.modules, "resource", None)
    assert planning._peak_bytes() == 0


def test_faults_come_before_any_work(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="layer 99 is out of range"):
        plan_sweep(encoder, *BANKS, folder=tmp_path / "DIR", layers="99")
    (tmp_path / "own").write_text("mine")
    with pytest.raises(ResultError, match="not a structprobe results folder"):
        plan_sweep(encoder, *BANKS, folder=tmp_path)


def test_the_command(encoder: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank = tiny_file(tmp_path / "bank.conllu").paths[0]
    command = f"sweep --model {encoder.model} --train {bank} --dev {bank} -o {tmp_path}/DIR -q"
    command += " --device cpu --max-steps 5 --dry-run --save-probes"
    before = everything(tmp_path)
    assert main(command.split()) == 0
    told = capsys.readouterr().out
    assert " of saved probes\n" in told
    # Of a processor that multiplies bfloat16 itself, a line says so.
    assert [line.split()[0] for line in told.splitlines() if not line.startswith("faster")] == [
        "model", "weights", "fits", "runs", "disk", "kept", "memory", "encode", "train",
    ]  # fmt: skip
    assert main([*command.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["runs_done"] == 0
    assert everything(tmp_path) == before


@pytest.mark.parametrize("kind", ["bert", "gpt2", "llama", "t5"])
def test_the_memory_of_a_model_is_told_before_it_is_loaded(kind: str, tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, kind)
    plan = plan_memory(folder, device="cpu", batch_tokens=64, dtype="float32")
    asked, others = plan["ways"][0], {one["way"]: one for one in plan["ways"][1:]}
    weights = [*Encoder(folder, device="cpu").loaded.model.parameters()]
    assert asked["weights"] == sum(4 * weight.numel() for weight in weights)
    assert 2 * others["bfloat16"]["weights"] == asked["weights"]
    assert others["4bit, float32"]["weights"] < others["8bit, float32"]["weights"]
    assert others["8bit, float32"]["weights"] < asked["weights"]
    # At least all hidden states, at most those and some tens of tensors as large.
    assert 3 * 64 * 8 * 4 <= asked["batch"] <= 60 * 64 * 12 * 4
    assert plan["bytes_available"] is None or asked["fits"]


def test_the_memory_of_a_decoder_is_that_of_the_encoder_too(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, "t5", decoder_start_token_id=0)
    both, one = (
        plan_memory(folder, device="cpu", batch_tokens=64, part=part)["ways"][0]
        for part in ("decoder", None)
    )
    weights = [*Encoder(folder, device="cpu", part="decoder").loaded.model.parameters()]
    assert both["weights"] == sum(4 * weight.numel() for weight in weights) > one["weights"]
    assert both["batch"] > one["batch"]


def test_a_model_that_does_not_fit_is_not_loaded(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(memory_plan, "free_memory_of", lambda _: 6000)
    monkeypatch.setattr(memory_plan, "_most_values", lambda *_: None)
    monkeypatch.setattr(memory_plan, "has_bfloat16", lambda _: True)
    bank = tiny_file(tmp_path / "bank.conllu").paths[0]
    command = f"sweep --model {encoder.model} --train {bank} --dev {bank} -o {tmp_path}/DIR -q"
    for more, lacks in (("--device-map auto", False), ("--dtype bfloat16", False), ("", True)):
        with monkeypatch.context() as patch:
            patch.setattr(planning, "plan_sweep", lambda *_, **__: {"model": "loaded"})
            if lacks:
                patch.setattr(Encoder, "__init__", None)
            assert main(f"{command} --dry-run {more}".split()) == 0
        told = capsys.readouterr().out
        assert ("NOT ENOUGH MEMORY" in told) == lacks
        first = [line[:10].strip() for line in told.splitlines()]
        assert first[:3] == ["model", "weights", "fits"]
        assert ("faster" in first) == ("bfloat16" not in more)
    assert "; 6.0 kB free on cpu; NOT ENOUGH MEMORY" in told
    assert "fits      bfloat16 (" in told
    assert "too large float32 (" in told
    assert "faster    --dtype auto, which is bfloat16 on this hardware" in told
    assert "device map, float32 (" in told


def test_a_plan_in_words() -> None:
    plan = dict.fromkeys(("runs", "runs_done", "layers", "n_words"), 1)
    plan |= {"model": "bert", "train": None}
    plan |= dict.fromkeys(("bytes_per_layer", "bytes_in_all", "bytes_free", "peak_bytes"), 0)
    plan |= {"bytes_kept": 2e3, "bytes_saved": 0}
    units = ["512.0 B", "2.0 kB", "3.0 MB", "4.5 GB", "1,234.0 TB"]
    plan |= {"bytes_streamed": 0, "bytes_temporary": 0}
    spans = ["59.0 s", "2.0 min", "47.0 h", "3.0 days", "1.5 s"]
    counts, seconds = [512, 2e3, 3e6, 4.5e9, 1234e12], [59, 120, 47 * 3600, 3 * 86400, 1.5]
    for size, unit, span, second in zip(counts, units, spans, seconds, strict=True):
        told = format_plan(
            plan | {"bytes_free": 1e18, "bytes_in_all": size, "peak_bytes": size}
            | {"encode_seconds": second, "train_seconds": second}
        )  # fmt: skip
        assert f"{unit} in total; 1,000,000.0 TB free" in told
        assert f"{unit} peak" in told
        assert "about 2.0 kB of predictions\n" in told
        assert told.count(span) == 2
    times = {"encode_seconds": 1, "train_seconds": 1}
    assert "NOT ENOUGH SPACE: 0.0 B free" in format_plan(plan | {"bytes_in_all": 1} | times)
    streamed = format_plan(plan | {"bytes_streamed": 9e9} | times)
    assert (
        "temporary about 9.0 GB at a time during training; NOT ENOUGH SPACE: 0.0 B free" in streamed
    )
    saving = format_plan(plan | {"bytes_saved": 3e6} | times)
    assert "kept      about 2.0 kB of predictions, 3.0 MB of saved probes\n" in saving
    assert "kept      rows only\n" in format_plan(plan | {"bytes_kept": 0} | times)
