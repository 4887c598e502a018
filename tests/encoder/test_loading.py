"""Loading: whatever the architecture, and one clear line where it cannot be."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)
from safetensors.torch import load_file, save_file
from support.tiny_checkpoints import make_model, make_tokenizer, save_checkpoint, save_gguf
from transformers import (
    AutoModelForMaskedLM,
    ByT5Tokenizer,
    CTRLTokenizer,
    T5ForConditionalGeneration,
)
from transformers.utils import logging as transformers_logging

from structprobe.encoder import loading
from structprobe.encoder.devices import find_device, find_dtype
from structprobe.encoder.fingerprints import fingerprint_tokenizer
from structprobe.encoder.loading import load_model, untrained
from structprobe.encoder.quiet import quiet_transformers
from structprobe.errors import EncoderError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
IDS = torch.tensor([[0, 4, 5, 2]])


@pytest.fixture
def bert(tmp_path):
    return save_checkpoint(tmp_path / "bert", "bert")


@pytest.fixture
def roberta(tmp_path):
    return save_checkpoint(tmp_path / "roberta", "roberta")


def weights_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def in_subprocess(script: str, **environment: str) -> tuple[str, str]:
    """Run Python lines elsewhere; give what they print and their stderr."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout.strip(), result.stderr


def test_a_folder(bert):
    loaded = load_model(Path(bert))
    assert loaded.name == bert
    assert loaded.revision is None
    assert loaded.device == torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert loaded.dtype == torch.float32
    assert (loaded.n_layers, loaded.hidden_size, loaded.max_positions) == (2, 8, 24)
    assert not loaded.model.training
    assert type(loaded.model).__name__ == "BertModel"
    saved = load_file(f"{bert}/model.safetensors")
    for name, weight in loaded.model.state_dict().items():
        assert torch.equal(weight, saved[name])


@pytest.mark.parametrize("asked", ["float32", "bfloat16", torch.float16])
@pytest.mark.parametrize("saved", [torch.float32, torch.bfloat16])
def test_the_type_asked_for_whatever_the_checkpoint_is_in(tmp_path, asked, saved):
    make_model("gpt2").to(saved).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    loaded = load_model(tmp_path, dtype=asked)
    assert loaded.dtype == find_dtype(asked)
    assert {weight.dtype for weight in loaded.model.parameters()} == {loaded.dtype}


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "llama", "longformer", "t5", "mpt"])
def test_positions_are_what_the_model_takes(tmp_path, kind):
    """RoBERTa: 24 rows, the first two unused. Longformer: 26 rows, likewise, and it pads."""
    expected = {"roberta": 22, "llama": 131_072, "t5": None, "mpt": 30}
    loaded = load_model(save_checkpoint(tmp_path, kind))
    assert loaded.tokenizer.model_max_length > 1e29
    assert loaded.max_positions == expected.get(kind, 24)
    assert (loaded.n_layers, loaded.hidden_size) == (2, 8)
    if kind in ("llama", "t5"):
        return

    def run(length):
        return loaded.model(input_ids=torch.full((1, length), 5)).last_hidden_state

    assert run(loaded.max_positions).isfinite().all()
    with pytest.raises((RuntimeError, IndexError)):
        run(loaded.max_positions + 1)


def test_a_token_that_is_padding_does_not_mislead(tmp_path):
    """The first words of the vocabulary are special; RoBERTa gives padding no position."""
    tokenizer = make_tokenizer(additional_special_tokens=["the", "dog"])
    loaded = load_model(save_checkpoint(tmp_path, "roberta", tokenizer=tokenizer))
    assert loaded.max_positions == 22


def test_an_encoder_decoder_gives_its_encoder(tmp_path):
    folder = save_checkpoint(tmp_path, "t5")
    loaded = load_model(folder)
    assert loaded.model.config.is_decoder is False
    assert not any("decoder" in name for name, _ in loaded.model.named_parameters())
    whole = T5ForConditionalGeneration(loaded.whole_config).eval()
    as_object = load_model(whole, tokenizer=make_tokenizer())
    assert as_object.model is whole.encoder
    fresh = untrained(loaded, 1)
    assert type(fresh.model) is type(loaded.model)
    assert fresh.model(input_ids=IDS).last_hidden_state.shape == (1, 4, 8)


def test_a_head_is_left_off(bert):
    whole = AutoModelForMaskedLM.from_pretrained(bert).train()
    loaded = load_model(whole, tokenizer=make_tokenizer())
    assert loaded.model is whole.bert
    assert not loaded.model.training
    assert loaded.name == bert
    assert loaded.fingerprint != load_model(bert).fingerprint  # files against parameters
    assert load_model(make_model("bert"), tokenizer=make_tokenizer()).name == "BertModel"


def test_an_object_is_taken_as_it_is():
    model = make_model("gpt2").to(torch.bfloat16)
    with pytest.raises(EncoderError, match="is in bfloat16, asked for is float32; pass dtype='bf"):
        load_model(model, tokenizer=make_tokenizer())
    loaded = load_model(model, tokenizer=make_tokenizer(), dtype="bfloat16", device="cpu")
    assert loaded.model is model
    assert loaded.revision is None
    moved = make_model("gpt2").to("meta")
    with pytest.raises(EncoderError, match=r"is on meta, asked for is cpu; move it yourself"):
        load_model(moved, tokenizer=make_tokenizer(), device="cpu")


@pytest.mark.parametrize(
    ("model", "tokenizer", "message"),
    [
        (make_model("bert"), None, "needs its loaded tokenizer; pass tokenizer="),
        (make_model("bert"), "bert-base-cased", "needs its loaded tokenizer"),
        (torch.nn.Linear(2, 2), make_tokenizer(), "model is Linear, no transformers model"),
        (make_model("bert"), "a b".split, "builtin_function_or_method is no transformers tok"),
    ],
)
def test_objects_that_will_not_do(model, tokenizer, message):
    with pytest.raises(EncoderError, match=message):
        load_model(model, tokenizer=tokenizer)


def test_a_tokenizer_from_elsewhere(bert, tmp_path):
    other = make_tokenizer([*"cab", "dog"])
    other.save_pretrained(tmp_path / "other")
    by_path = load_model(bert, tokenizer=tmp_path / "other")
    by_object = load_model(bert, tokenizer=other)
    assert by_object.tokenizer is other
    assert by_path.tokenizer.get_vocab() == other.get_vocab()
    assert by_path.fingerprint == by_object.fingerprint != load_model(bert).fingerprint


def test_fingerprints_follow_weights_configuration_and_tokenizer(bert, tmp_path):
    first = load_model(bert).fingerprint
    moved = shutil.copytree(bert, tmp_path / "moved")
    assert load_model(moved).fingerprint == first
    seen = {first}
    weights = load_file(f"{moved}/model.safetensors")
    weights["encoder.layer.1.output.dense.bias"][3] += 1e-6
    save_file(weights, f"{moved}/model.safetensors", metadata={"format": "pt"})
    seen.add(load_model(moved).fingerprint)
    config = Path(moved, "config.json")
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"layer_norm_eps": 1e-3}))
    seen.add(load_model(moved).fingerprint)
    make_tokenizer(["the", "cat", "dog"]).save_pretrained(moved)
    seen.add(load_model(moved).fingerprint)
    assert len(seen) == 4


def test_fingerprints_of_objects(bert):
    def fingerprint(seed=0, dtype="float32", **changes):
        model = make_model("bert", seed, **changes).to(find_dtype(dtype))
        return load_model(model, tokenizer=make_tokenizer(), dtype=dtype).fingerprint

    assert fingerprint() == fingerprint()
    different = [fingerprint(), fingerprint(1), fingerprint(layer_norm_eps=1e-3)]
    different += [fingerprint(dtype="bfloat16"), fingerprint(max_position_embeddings=25)]
    assert len(set(different)) == 5


def test_fingerprints_of_tokenizers(tmp_path):
    def slow(*merges, **changes):
        """A tokenizer without a serialised backend: pairs merged in the order of a list."""
        (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "ab": 1, "<unk>": 2, "b": 3}))
        (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
        files = str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")
        return fingerprint_tokenizer(CTRLTokenizer(*files, **changes))

    assert slow("a b</w>") == slow("a b</w>")
    seen = {slow("a b</w>"), slow("b a</w>"), slow("a b</w>", unk_token="a")}
    seen |= {slow("a b</w>", model_max_length=5)}
    seen |= {fingerprint_tokenizer(ByT5Tokenizer(extra_ids=n)) for n in (0, 5)}
    fast = make_tokenizer()
    seen |= {fingerprint_tokenizer(fast), fingerprint_tokenizer(make_tokenizer(["the"]))}
    assert len(seen) == 8
    fast(["the", "the dog"], padding=True, truncation=True, max_length=3)
    assert fingerprint_tokenizer(fast) in seen  # what the last call set does not count
    fast.add_tokens(["bird"])
    assert fingerprint_tokenizer(fast) not in seen


def test_torch_weights_are_read_but_no_code_is_run(tmp_path):
    model = make_model("bert")
    model.config.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    loaded = load_model(tmp_path)
    assert torch.equal(loaded.model.pooler.dense.weight, model.pooler.dense.weight)

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "was here"),)

    torch.save({"x": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="cannot load model") as error:
        load_model(tmp_path)
    assert not (tmp_path / "was here").exists()
    assert "\n" not in str(error.value)


def test_missing_weights_are_refused_but_for_the_pooler(bert):
    path = f"{bert}/model.safetensors"
    weights = {name: w for name, w in load_file(path).items() if "pooler" not in name}
    save_file(weights, path, metadata={"format": "pt"})
    load_model(bert)
    for layer in (0, 1):
        del weights[f"encoder.layer.{layer}.output.dense.bias"]
    save_file(weights, path, metadata={"format": "pt"})
    message = r"lacks 2 weights of its BertModel, first 'encoder\.layer\.0\.output\.dense\.bias'"
    with pytest.raises(EncoderError, match=message):
        load_model(bert)


def test_a_decoder_that_is_missing_does_not_matter(tmp_path):
    folder = save_checkpoint(tmp_path, "t5")
    path = f"{folder}/model.safetensors"
    weights = {name: w for name, w in load_file(path).items() if not name.startswith("decoder")}
    save_file(weights, path, metadata={"format": "pt"})
    assert load_model(folder).n_layers == 2
    del weights["encoder.final_layer_norm.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks 1 weights.*encoder\.final_layer_norm"):
        load_model(folder)


def test_weights_of_another_shape(bert):
    config = Path(bert, "config.json")
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"intermediate_size": 10}))
    with pytest.raises(EncoderError, match="cannot load model") as error:
        load_model(bert)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ("model.safetensors", r"no weights in .*bert; model\.safetensors or pytorch_model\.bin"),
        ("config.json", r"no config\.json in .*bert, so it holds no model"),
        ("tokenizer*", r"tokenizer"),
    ],
)
def test_a_folder_that_lacks_something(bert, remove, message):
    for path in Path(bert).glob(remove):
        path.unlink()
    with pytest.raises(EncoderError, match=message) as error:
        load_model(bert)
    assert "\n" not in str(error.value)


def test_a_tokenizer_made_of_nothing(bert):
    for path in Path(bert).glob("tokenizer*"):
        path.unlink()
    Path(bert, "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    with pytest.raises(EncoderError, match=r"has no vocabulary|cannot load a tokenizer"):
        load_model(bert)


def test_damaged_files(bert):
    path = Path(bert, "model.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(EncoderError, match="cannot load model"):
        load_model(bert)
    Path(bert, "config.json").write_text("{")
    with pytest.raises(EncoderError, match="cannot load"):
        load_model(bert)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", ""])
def test_no_such_folder(name):
    with pytest.raises(EncoderError, match=r"no model folder .*give a hub id, a folder"):
        load_model(name)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EncoderError, match="no model folder"):
        load_model(tmp_path / "file")


def test_a_hub_id_that_is_not_there_offline():
    with pytest.raises(EncoderError) as error:
        load_model("no-such-group/no-such-model")
    assert str(error.value) == (
        "'no-such-group/no-such-model' is not, or not whole, in the local cache and the hub "
        "cannot be reached; check the name, or fetch it once with a connection: "
        "hf download no-such-group/no-such-model"
    )


def test_a_name_that_is_no_hub_id():
    with pytest.raises(EncoderError, match=r"cannot load .*'a b c'"):
        load_model("a b c")


def hub_cache(home: Path, kind: str = "bert") -> Path:
    """Lay out a cache as the hub's client does, with one model in it."""
    root = home / "hub" / "models--group--tiny"
    save_checkpoint(root / "snapshots" / COMMIT, kind)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    return root


def use_cache(monkeypatch, folder: Path) -> None:
    """Point the hub's client and transformers, before 5 too, to this cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("transformers.utils.hub.TRANSFORMERS_CACHE", str(folder), raising=False)


def test_gguf_files_of_one_commit_are_told_apart(tmp_path, monkeypatch):
    snapshot = hub_cache(tmp_path) / "snapshots" / COMMIT
    save_gguf(snapshot / "a.gguf")
    shutil.copy(snapshot / "a.gguf", snapshot / "b.gguf")
    use_cache(monkeypatch, tmp_path / "hub")
    one, other = load_model("group/tiny/a.gguf"), load_model("group/tiny", gguf_file="b.gguf")
    assert (one.name, other.name) == ("group/tiny/a.gguf", "group/tiny/b.gguf")
    assert one.revision == other.revision == COMMIT
    assert one.fingerprint.startswith(f"{COMMIT}/a.gguf-")
    assert other.fingerprint.startswith(f"{COMMIT}/b.gguf-")


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_hub_id_in_the_cache(tmp_path, monkeypatch, revision):
    hub_cache(tmp_path)
    use_cache(monkeypatch, tmp_path / "hub")
    loaded = load_model("group/tiny", revision=revision)
    assert loaded.revision == COMMIT
    assert loaded.fingerprint == f"{COMMIT}-{fingerprint_tokenizer(loaded.tokenizer)}"
    config = f"snapshots/{COMMIT}/config.json"
    (tmp_path / "hub" / "models--group--tiny" / config).unlink()
    assert loading._commit("group/tiny", revision, None) == COMMIT  # from the tokenizer's
    assert loading._commit("group/other", revision, "a.gguf") is None


def test_nothing_is_printed_while_loading(tmp_path):
    """A head that is not used, a pooler that is missing: transformers would print a table."""
    snapshot = hub_cache(tmp_path) / "snapshots" / COMMIT
    weights = load_file(snapshot / "model.safetensors")
    weights = {name: weight for name, weight in weights.items() if "pooler" not in name}
    weights["cls.predictions.bias"] = torch.zeros(3)
    save_file(weights, snapshot / "model.safetensors", metadata={"format": "pt"})
    file = save_gguf(tmp_path / "model.gguf")
    script = (
        "from structprobe.encoder.loading import load_model\n"
        f"print(load_model('group/tiny').revision, load_model({file!r}).n_layers)\n"
    )
    assert in_subprocess(script, HF_HOME=str(tmp_path)) == (f"{COMMIT} 2", "")


@pytest.mark.parametrize("bars", [True, False])
@pytest.mark.parametrize("hub_bars", [True, False])
def test_settings_are_as_before_after_the_quiet(bars, hub_bars):
    from transformers import modeling_gguf_pytorch_utils as gguf_reader

    logger, bar = logging.getLogger("transformers"), gguf_reader.tqdm
    before = logger.level, transformers_logging.is_progress_bar_enabled()
    try:
        logger.setLevel(logging.INFO)
        if bars:
            transformers_logging.enable_progress_bar()
        else:
            transformers_logging.disable_progress_bar()
        if hub_bars:
            enable_progress_bars()
        else:
            disable_progress_bars()
        with contextlib.suppress(KeyError), quiet_transformers():
            assert logger.level == logging.ERROR
            assert not transformers_logging.is_progress_bar_enabled()
            assert are_progress_bars_disabled() is not hub_bars
            warnings.warn("not to be seen", stacklevel=1)
            raise KeyError
        assert logger.level == logging.INFO
        assert transformers_logging.is_progress_bar_enabled() is bars
        assert are_progress_bars_disabled() is not hub_bars
        assert gguf_reader.tqdm is bar
    finally:
        logger.setLevel(before[0])
        enable_progress_bars()
        if before[1]:
            transformers_logging.enable_progress_bar()


def test_quiet_without_a_gguf_reader_of_this_kind(monkeypatch):
    from transformers import modeling_gguf_pytorch_utils as gguf_reader

    monkeypatch.delattr(gguf_reader, "tqdm")
    with quiet_transformers():
        assert not hasattr(gguf_reader, "tqdm")
    assert not hasattr(gguf_reader, "tqdm")


def test_a_gguf_file_by_path_and_by_name(tmp_path, monkeypatch):
    file = save_gguf(tmp_path / "model.gguf")
    by_path, by_name = load_model(file), load_model(tmp_path, gguf_file="model.gguf")
    assert by_path.name == by_name.name == file
    assert by_path.fingerprint == by_name.fingerprint
    assert (by_path.n_layers, by_path.hidden_size, by_path.max_positions) == (2, 8, 64)
    assert {weight.dtype for weight in by_path.model.parameters()} == {torch.float32}
    monkeypatch.chdir(tmp_path)
    assert load_model("model.gguf").fingerprint == by_path.fingerprint
    fresh = untrained(by_path, 3)
    assert fresh.model(input_ids=IDS).last_hidden_state.shape == (1, 4, 8)
    with pytest.raises(EncoderError, match=r"name its GGUF file with gguf_file="):
        load_model(tmp_path)
    with pytest.raises(EncoderError, match=r"no file 'other\.gguf' in .*; GGUF files: model\.gguf"):
        load_model(tmp_path, gguf_file="other.gguf")
    Path(file).write_bytes(b"not at all")
    with pytest.raises(EncoderError, match=r"cannot load .*GGUF"):
        load_model(file)


@pytest.mark.parametrize("package", ["gguf", "accelerate"])
def test_a_missing_package_is_named(tmp_path, package):
    file = save_gguf(tmp_path / "model.gguf")
    script = (
        "import sys, importlib.util as u, importlib.metadata as m\n"
        "find, version = u.find_spec, m.version\n"
        f"u.find_spec = lambda n, *a: None if n == {package!r} else find(n, *a)\n"
        f"sys.modules[{package!r}] = None\n"
        "from structprobe.encoder.loading import load_model\n"
        "from structprobe.errors import EncoderError\n"
        "try:\n"
        f"    load_model({file!r})\n"
        "except EncoderError as error:\n"
        "    print(error)\n"
    )
    out, _ = in_subprocess(script)
    assert out.endswith(f"package {package} is missing; pip install {package}")
    assert "\n" not in out


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("vit", "cannot read plain text"),
        ("funnel", r"layer 2 has shape \(1, 2, 8\) for 4 tokens; one vector of one width"),
    ],
)
def test_models_that_cannot_be_read(kind, message):
    with pytest.raises(EncoderError, match=message):
        load_model(make_model(kind), tokenizer=make_tokenizer())


def test_a_model_without_hidden_states(monkeypatch):
    model = make_model("bert")
    forward = type(model).forward

    def silent(self, *args, **kwargs):
        output = forward(self, *args, **kwargs)
        output.hidden_states = None
        return output

    monkeypatch.setattr(type(model), "forward", silent)
    with pytest.raises(EncoderError, match="gives no hidden states, so there are no layers"):
        load_model(model, tokenizer=make_tokenizer())


def test_code_from_elsewhere_is_not_run(bert):
    config = Path(bert, "config.json")
    remote = {"AutoConfig": "mine.MyConfig", "AutoModel": "mine.MyModel"}
    settings = json.loads(config.read_text()) | {"model_type": "mine", "auto_map": remote}
    config.write_text(json.dumps(settings))
    Path(bert, "mine.py").write_text(
        "from transformers import BertConfig, BertModel\n"
        "class MyConfig(BertConfig):\n    model_type = 'mine'\n"
        "class MyModel(BertModel):\n    config_class = MyConfig\n"
    )
    with pytest.raises(EncoderError, match="comes with code of its own; read it, then pass trust"):
        load_model(bert)
    loaded = load_model(bert, trust_remote_code=True)
    assert type(loaded.model).__name__ == "MyModel"
    with Path(bert, "mine.py").open("a") as code:
        code.write("# changed\n")
    assert load_model(bert, trust_remote_code=True).fingerprint != loaded.fingerprint


def test_untrained_is_seeded_and_disturbs_nothing(roberta):
    loaded = load_model(roberta)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (untrained(loaded, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    a, b, c, old = (weights_of(copy.model) for copy in (first, again, other, loaded))
    name = "encoder.layer.1.attention.self.query.weight"
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a[name], c[name])
    assert not torch.equal(a[name], old[name])
    assert {key: value.shape for key, value in a.items()} == {k: v.shape for k, v in old.items()}
    assert first.fingerprint == again.fingerprint
    assert len({first.fingerprint, other.fingerprint, loaded.fingerprint}) == 3
    assert "seed1" in first.fingerprint
    assert first.name.endswith("roberta (untrained, seed 1)")
    assert not first.model.training
    assert first.max_positions == 22
    assert first.tokenizer is loaded.tokenizer


def test_untrained_depends_on_the_seed_alone_not_on_the_trained_weights(tmp_path):
    one, other = (
        load_model(save_checkpoint(tmp_path / str(seed), "gpt2", seed)) for seed in (0, 1)
    )
    assert one.fingerprint != other.fingerprint
    assert untrained(one, 0).fingerprint == untrained(other, 0).fingerprint
    half = load_model(tmp_path / "0", dtype="bfloat16")
    a, b = weights_of(untrained(one, 0).model), weights_of(untrained(half, 0).model)
    assert all(torch.equal(a[key].to(torch.bfloat16), b[key]) for key in a)


@pytest.mark.parametrize("seed", [-1, 1.5, None, "a"])
def test_a_seed_that_is_none(roberta, seed):
    with pytest.raises(EncoderError, match="random_state must be a whole number from 0"):
        untrained(load_model(roberta), seed)


def test_devices(monkeypatch):
    assert find_device("cpu") == torch.device("cpu")
    assert find_device(torch.device("cpu")) == torch.device("cpu")
    empty, asked = torch.empty, []

    def recorded(*size, device):
        asked.append(str(device))
        return empty(*size)

    monkeypatch.setattr(torch, "empty", recorded)
    for cuda, mps in ((True, True), (False, True), (False, False)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        find_device("auto")
    assert asked == ["cuda", "mps", "cpu"]


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", 1.5])
def test_unknown_devices(name):
    with pytest.raises(EncoderError, match=r"unknown device .*choose from 'auto', 'cpu', 'cuda'"):
        find_device(name)


@pytest.mark.parametrize("name", ["cuda:99", "mps", "meta"])
def test_devices_that_are_not_there(bert, name):
    with pytest.raises(EncoderError, match=rf"device '{name}' is not there"):
        load_model(bert, device=name)


@pytest.mark.parametrize("name", ["float64", "auto", "bf16", None])
def test_unknown_types(name):
    with pytest.raises(EncoderError, match=r"unknown dtype .*choose from 'float32', 'bfloat16'"):
        find_dtype(name)


def test_what_is_missing_is_told_in_one_line(monkeypatch):
    explain = loading._explain
    needs = "you need protobuf or tiktoken installed"
    for package in ("protobuf", "tiktoken"):
        monkeypatch.setattr(loading, "_installed", lambda name, missing=package: name != missing)
        message = f"cannot x: package {package} is missing; pip install {package}"
        assert str(explain("cannot x", ".", ValueError(needs))) == message
    monkeypatch.setattr(loading, "_installed", lambda name: True)
    assert str(explain("cannot x", ".", ValueError(needs))) == f"cannot x: {needs}"
    assert str(explain("cannot x", ".", RuntimeError("a\n\n b" + "!" * 400))).count("\n") == 0
    assert str(explain("cannot x", ".", RuntimeError())) == "cannot x: RuntimeError"


def test_packages_are_found():
    assert loading._installed("torch")
    assert not loading._installed("no_such_package")
    assert not loading._installed("no_such_package.part")
