"""Models over several devices, on disk, quantised, or in the type that suits the hardware."""

from __future__ import annotations

import gc
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import tiny_model, wordpiece
from support.small_disk import no_file_beyond
from support.tiny_checkpoints import make_model, make_tokenizer, read_weights, save_checkpoint
from support.tiny_trees import tiny_file
from transformers.modeling_outputs import BaseModelOutput

from structprobe import Encoder
from structprobe.cli.main import main
from structprobe.errors import EncoderError, StoreError
from structprobe.masking.impacts import MaskedImpacts
from structprobe.models import weights
from structprobe.models.loading import load_model
from structprobe.models.reading import _gathered, device_of
from structprobe.models.weights import QUANTIZATIONS, find_dtype

SENTENCES = [["the", "dog", "ran"], ["a", "cat", "saw", "the", "dog"]]
# Parts of each model, one of which is on disk.
PARTS = {
    "bert": ("embeddings", "encoder", "pooler"),
    "gpt2": ("wte", "wpe", "drop", "h", "ln_f"),
    "llama": ("embed_tokens", "layers", "norm", "rotary_emb"),
    "mpt": ("wte", "blocks", "norm_f"),
}
WIDE: dict[str, Any] = {"hidden_size": 64, "num_attention_heads": 2, "intermediate_size": 128}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    found = {kind: save_checkpoint(folder / kind, kind) for kind in (*PARTS, "t5")}
    return found | {"wide": save_checkpoint(folder / "wide", "bert", **WIDE)}


def vectors(encoder: Encoder) -> np.ndarray:
    bank = encoder.encode(SENTENCES, progress=False)
    return np.stack([bank.layer(layer).values for layer in bank.layers])


def n_offloaded(encoder: Encoder) -> int:
    return sum(weight.is_meta for weight in encoder.loaded.model.parameters())


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("on_disk", [0, 1, -1])
def test_a_model_cut_over_memory_and_disk(models: Any, kind: str, on_disk: int) -> None:
    device_map = dict.fromkeys(PARTS[kind], "cpu") | {PARTS[kind][on_disk]: "disk"}
    whole, cut = Encoder(models[kind], device="cpu"), Encoder(models[kind], device_map=device_map)
    assert n_offloaded(cut) > 0 or kind == "llama"  # whose last part has no weights
    assert cut.loaded.device == torch.device("cpu")
    assert np.array_equal(vectors(cut), vectors(whole))
    assert (cut.fingerprint, cut.origin(1)) == (whole.fingerprint, whole.origin(1))


@pytest.mark.parametrize("kind", [*PARTS, "t5"])
def test_what_does_not_fit_into_memory_is_on_disk(models: Any, kind: str) -> None:
    whole = Encoder(models[kind], device="cpu")
    cut = Encoder(models[kind], device_map="auto", max_memory={"cpu": 2500})
    assert n_offloaded(cut)
    assert np.array_equal(vectors(cut), vectors(whole))
    assert cut.fingerprint == whole.fingerprint
    fresh = [encoder.untrained(3) for encoder in (cut, whole)]
    assert n_offloaded(fresh[0])
    assert np.array_equal(*map(vectors, fresh))
    assert fresh[0].fingerprint == fresh[1].fingerprint


def test_a_model_that_fits_is_not_cut(models: Any) -> None:
    encoder = Encoder(models["bert"], device_map="sequential", dtype="bfloat16")
    assert not n_offloaded(encoder)
    plain = Encoder(models["bert"], device="cpu", dtype="bfloat16")
    assert np.array_equal(vectors(encoder), vectors(plain))


def test_weights_of_another_type_are_read_from_disk_as_it(models: Any) -> None:
    how: dict[str, Any] = {"dtype": "bfloat16"}
    cut = Encoder(models["bert"], device_map={"": "disk"}, **how)
    assert np.array_equal(vectors(cut), vectors(Encoder(models["bert"], device="cpu", **how)))


def test_the_model_is_left_as_it_was(models: Any) -> None:
    encoder = Encoder(models["bert"], device_map={"": "disk"})
    first = vectors(encoder)
    assert n_offloaded(encoder) == len([*encoder.loaded.model.parameters()])
    assert np.array_equal(vectors(encoder), first)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("kind", PARTS)
def test_a_model_cut_over_cpu_and_gpu(models: Any, kind: str) -> None:  # pragma: no cover
    first, *rest = PARTS[kind]
    whole = Encoder(models[kind], device="cuda")
    for device_map in ({first: "cpu", **dict.fromkeys(rest, 0)}, {"": 0}, "auto"):
        cut = Encoder(models[kind], device_map=device_map)
        assert cut.loaded.device.type == "cuda"
        assert np.allclose(vectors(cut), vectors(whole), atol=1e-5)
        assert cut.fingerprint == whole.fingerprint


def test_outputs_are_gathered_from_several_devices() -> None:
    """On a device without data, which is the only other one everywhere."""
    states = (torch.zeros(1, 2, 3), torch.zeros(1, 2, 3, device="meta"))
    output = BaseModelOutput(last_hidden_state=torch.ones(1, 2, 3), hidden_states=states)
    found = _gathered(output, torch.device("meta"))
    assert [one.device.type for one in found.hidden_states] == ["meta", "meta"]
    assert found.last_hidden_state.device.type == found["last_hidden_state"].device.type == "meta"
    assert found.hidden_states[1] is states[1]
    plain = (torch.ones(1),)
    assert _gathered(plain, torch.device("meta")) is plain


def test_the_device_that_tokens_go_to() -> None:
    model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(1, 1, device="meta"))
    assert device_of(model) == torch.device("meta")
    for hook in (Hook(2), Hooks()):
        model[1]._hf_hook = hook  # type: ignore[assignment]
        assert device_of(model) == torch.device("cuda:2")
    assert device_of(torch.nn.ReLU()) == torch.device("cpu")


class Hook:
    def __init__(self, execution_device: Any) -> None:
        self.execution_device = execution_device


class Hooks:
    hooks = (Hook(None), Hook("cuda:2"))


# Offload folders.


@pytest.fixture
def pickled(models: Any, tmp_path: Path) -> str:
    """A checkpoint whose weights cannot be read from its file one by one."""
    folder = tmp_path / "pickled"
    make_model("bert", hidden_size=64).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    torch.save(read_weights(folder), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return str(folder)


def test_weights_are_written_where_they_must_be(pickled: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"does not fit into memory.*pass offload_folder="):
        Encoder(pickled, device_map={"": "disk"})
    offload = tmp_path / "new" / "offload"
    cut = Encoder(pickled, device_map={"": "disk"}, offload_folder=offload)
    (own,) = offload.iterdir()
    assert any(own.iterdir())
    assert np.array_equal(vectors(cut), vectors(Encoder(pickled, device="cpu")))
    del cut
    gc.collect()
    assert [*offload.iterdir()] == []


def test_a_folder_that_is_not_needed_is_left_empty(models: Any, tmp_path: Path) -> None:
    Encoder(models["bert"], device_map={"": "disk"}, offload_folder=tmp_path / "offload")
    assert [*(tmp_path / "offload").iterdir()] == []


def test_an_offload_folder_that_is_full(pickled: str, tmp_path: Path) -> None:
    offload = tmp_path / "offload"
    with no_file_beyond(2000), pytest.raises(EncoderError) as error:
        Encoder(pickled, device_map={"": "disk"}, offload_folder=offload)
    told = str(error.value)
    assert told.startswith(f"{offload}: the offload folder cannot hold the weights of ")
    assert told.endswith("; free some disk space, or choose another folder")
    assert "\n" not in told
    assert [*offload.iterdir()] == []


def test_an_offload_folder_that_cannot_be_written_to(models: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder, words in ((tmp_path / "file", "is a file, not a folder"), ("/proc/x", "written")):
        with pytest.raises(EncoderError, match=words):
            Encoder(models["bert"], device_map="auto", offload_folder=folder)


# What is given together with what.


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"device_map": "atuo"}, "unknown device map 'atuo'.*'auto'.*choose from 'auto', 'bal"),
        ({"device_map": 3}, "unknown device map 3; choose from"),
        ({"device_map": {}}, "the device map is empty"),
        ({"device_map": {"": "cuda:99"}}, "device 'cuda:99' is not available"),
        ({"device_map": {"": 99}}, "device 'cuda:99' is not available"),
        ({"device_map": {"": "dsik"}}, "unknown device 'dsik'"),
        (
            {"device_map": {"": "cpu", "encodr": "disk"}},
            "unknown part of the model 'encodr'",
        ),
        ({"device_map": "auto", "device": "cpu"}, "both a device .'cpu'. and a device map are"),
        ({"offload_folder": "x"}, "offload_folder is given without a device map"),
        ({"max_memory": {"cpu": 1}}, "max_memory is given without a device map"),
        ({"quantize": "8bits"}, "unknown quantisation '8bits' .*choose from '8bit', '4bit', '8bit"),
        ({"quantize": 8}, "unknown quantisation 8; choose from"),
    ],
)
def test_what_cannot_be(models: Any, how: Any, words: str) -> None:
    with pytest.raises(EncoderError, match=words) as error:
        Encoder(models["bert"], **how)
    assert "\n" not in str(error.value)


def test_a_loaded_model_stays_where_it_is(models: Any) -> None:
    model, tokenizer = make_model("bert"), make_tokenizer()
    for how in ({"device_map": "auto"}, {"quantize": "8bit"}):
        with pytest.raises(EncoderError, match="a loaded model stays where it is"):
            Encoder(model, tokenizer=tokenizer, **how)  # type: ignore[arg-type]
    with pytest.raises(EncoderError, match="some weights of the BertModel are not in memory"):
        load_model(make_model("bert").to("meta"), tokenizer=tokenizer)


@pytest.mark.parametrize("package", ["accelerate", "bitsandbytes"])
def test_a_package_that_is_not_installed(
    models: Any, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(weights, "installed", lambda name: package == name == "bitsandbytes")
    if package == "bitsandbytes":
        with pytest.raises(EncoderError, match=r"device map needs the package accelerate.*large"):
            Encoder(models["bert"], device_map="auto")
        with pytest.raises(EncoderError, match="quantised weights need the package accelerate"):
            Encoder(models["bert"], quantize="4bit")
        return
    several = r"8bit weights need one of the packages bitsandbytes, torchao, optimum-quanto, and"
    with pytest.raises(EncoderError, match=f"{several}.*pip install bitsandbytes accelerate"):
        Encoder(models["bert"], quantize="8bit")
    with pytest.raises(EncoderError, match="4bit weights need the package optimum-quanto"):
        Encoder(models["bert"], quantize="4bit-quanto")


def test_the_command(models: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank = tiny_file(tmp_path / "bank.conllu").paths[0]
    plain = f"encode {bank} --model {models['bert']} --cache {tmp_path}/cache -q --json".split()

    def n_bytes(*more: str) -> int:
        assert main([*plain, *more]) == 0
        return int(json.loads(capsys.readouterr().out)[0]["bytes"])

    size = n_bytes("--device", "cpu")
    more = ["--device-map", '{"": "disk"}', "--offload-folder", f"{tmp_path}/offload"]
    assert n_bytes(*more) == size
    # The vectors of the first are found, since they are the same.
    assert len([*(tmp_path / "cache").glob("*/manifest.json")]) == 1
    auto = ["--device-map", "auto", "--max-memory", '{"cpu": "1GB"}']
    assert 2 * n_bytes(*auto, "--store-dtype", "float16") == size
    for wrong, words in (
        (["--device-map", "auto", "--device", "cpu"], "give either --device or --device-map"),
        (["--max-memory", '{"cpu": 1}'], "max_memory is given without a device map; add --device-"),
    ):
        assert main([*plain, *wrong]) == 1
        assert words in capsys.readouterr().err
    for wrong, words in (
        (["--device-map", "{cpu}"], "--device-map: '{cpu}' is not JSON"),
        (["--max-memory", "[1]"], "--max-memory: '[1]' is not a JSON object"),
    ):
        with pytest.raises(SystemExit):
            main([*plain, *wrong])
        assert words in capsys.readouterr().err


def test_the_head_of_a_masked_model_lies_where_the_model_does(tmp_path: Path) -> None:
    transformers = importlib.import_module("transformers")
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=150, intermediate_size=24, **sizes)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path)
    wordpiece().save_pretrained(tmp_path)
    found = [
        MaskedImpacts(Encoder(str(tmp_path), **how), measure="probability").recall(SENTENCES)
        for how in ({"device": "cpu"}, {"device_map": {"": "disk"}})
    ]
    assert all(np.array_equal(*pair) for pair in zip(*found, strict=True))


# Types.


def test_auto_is_the_type_of_the_hardware(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for found, name in (({"amx_bf16": True}, "bfloat16"), ({"avx2": True}, "float32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found, raising=False)
        assert find_dtype("auto", "cpu") == getattr(torch, name)
        encoder = Encoder(models["bert"], device="cpu", dtype="auto")
        assert encoder.loaded.dtype == getattr(torch, name)
        assert encoder.origin(0)["dtype"] == name
        named = Encoder(models["bert"], device="cpu", dtype=name)
        assert named.origin(0) == encoder.origin(0)


def test_auto_is_the_type_of_an_object() -> None:
    model = tiny_model("bert", wordpiece()).to(torch.float16)
    encoder = Encoder(model, tokenizer=wordpiece(), dtype="auto")
    assert (encoder.origin(0)["dtype"], encoder.store_dtype) == ("float16", "float16")


def test_vectors_are_stored_as_float16_on_request(models: Any, tmp_path: Path) -> None:
    plain = Encoder(models["bert"], device="cpu", dtype="bfloat16")
    half = Encoder(models["bert"], device="cpu", dtype="bfloat16", store_dtype="float16")
    assert (plain.store_dtype, plain.bytes_per_value) == ("float32", 4)
    assert (half.store_dtype, half.bytes_per_value) == ("float16", 2)
    assert plain.origin(0) | {"store_dtype": "float16"} == half.origin(0)
    wanted = vectors(plain).astype(np.float16)
    assert np.array_equal(vectors(half), wanted)
    cached = half.encode(SENTENCES, cache=tmp_path / "cache", progress=False)
    assert cached.layer(1).values.dtype == np.float16
    assert np.array_equal(cached.layer(1).values, wanted[1])
    full = Encoder(models["bert"], device="cpu", dtype="float16", store_dtype="float32")
    assert vectors(full).dtype == np.float32
    with pytest.raises(StoreError, match=r"unknown store_dtype 'bfloat16'.*from 'float32', 'float"):
        Encoder(models["bert"], device="cpu", store_dtype="bfloat16")


def test_values_that_float16_cannot_hold_are_refused() -> None:
    model = tiny_model("bert", wordpiece())
    with torch.no_grad():
        model.encoder.layer[-1].output.LayerNorm.weight.fill_(1e5)
    how: dict[str, Any] = {"tokenizer": wordpiece(), "store_dtype": "float16"}
    encoder = Encoder(model, **how)
    encoder.encode(SENTENCES, layers=[0, 1], progress=False)
    with pytest.raises(EncoderError, match=r"layer 3: the vector of word '\w+' .*float16 cannot h"):
        encoder.encode(SENTENCES, progress=False)


# Quantised weights.


@pytest.mark.parametrize("name", [name for name in QUANTIZATIONS if "-" in name])
def test_quantised_weights(models: Any, name: str) -> None:
    bits, package = name.split("-")
    pytest.importorskip(weights.BACKENDS[package], reason=f"{package} is not installed")
    plain = Encoder(models["wide"], device="cpu")
    encoder = Encoder(models["wide"], device="cpu", quantize=name)
    again = Encoder(models["wide"], device="cpu", quantize=name)
    assert encoder.origin(0)["quantize"] == encoder.quantize == name
    assert encoder.fingerprint == again.fingerprint != plain.fingerprint
    assert np.array_equal(vectors(encoder), vectors(again))
    gap = np.abs(vectors(encoder) - vectors(plain)).max() / np.abs(vectors(plain)).max()
    assert 0 < gap < (0.05 if bits == "4bit" else 0.005)
    with pytest.raises(EncoderError, match=r"no untrained copy of .* with quantised weights"):
        encoder.untrained()
    if package != "bitsandbytes":  # none of them quantises the layers of GPT-2
        with pytest.raises(EncoderError, match=r"no weights of .* were quantised"):
            Encoder(models["gpt2"], device="cpu", quantize=name)


def test_a_quantisation_that_is_there_is_taken(models: Any) -> None:
    found = [name for name in weights.BACKENDS if weights.installed(weights.BACKENDS[name])]
    if not found:
        pytest.skip("no package that quantises is installed")
    assert Encoder(models["wide"], device="cpu", quantize="8bit").quantize == f"8bit-{found[0]}"
