"""Loading: whatever the architecture, in the type asked for, known by its content."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from support.tiny_checkpoints import (
    make_model,
    make_tokenizer,
    read_weights,
    save_checkpoint,
    write_weights,
)
from transformers import (
    AutoModelForMaskedLM,
    ByT5Tokenizer,
    CTRLTokenizer,
    T5ForConditionalGeneration,
)

from structprobe.errors import EncoderError
from structprobe.models.fingerprints import fingerprint_tokenizer
from structprobe.models.limits import pick_layers
from structprobe.models.loading import find_dtype, layers_from_config, load_model, untrained

IDS = torch.tensor([[0, 4, 5, 2]])


@pytest.fixture
def bert(tmp_path):
    return save_checkpoint(tmp_path / "bert", "bert")


@pytest.fixture
def roberta(tmp_path):
    return save_checkpoint(tmp_path / "roberta", "roberta")


def weights_of(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_a_folder(bert):
    loaded = load_model(Path(bert))
    assert loaded.name == bert
    assert loaded.revision is None
    assert loaded.device == torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert loaded.dtype == torch.float32
    assert (loaded.n_layers, loaded.hidden_size, loaded.max_positions) == (2, 8, 24)
    assert not loaded.model.training
    assert type(loaded.model).__name__ == "BertModel"
    saved = read_weights(bert)
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
    assert all(module.training for module in whole.modules())  # left as it was found
    assert loaded.name == bert
    assert loaded.fingerprint != load_model(bert).fingerprint  # files against parameters
    assert load_model(make_model("bert"), tokenizer=make_tokenizer()).name == "BertModel"


def test_an_object_is_taken_as_it_is():
    model = make_model("gpt2").to(torch.bfloat16)
    with pytest.raises(EncoderError, match="but float32 was requested; pass dtype='bfloat16'"):
        load_model(model, tokenizer=make_tokenizer())
    loaded = load_model(model, tokenizer=make_tokenizer(), dtype="bfloat16", device="cpu")
    assert loaded.model is model
    assert loaded.revision is None
    moved = make_model("gpt2").to("meta")
    with pytest.raises(EncoderError, match=r"is on meta, but cpu was requested; move it with"):
        load_model(moved, tokenizer=make_tokenizer(), device="cpu")


def test_a_tokenizer_from_elsewhere(bert, tmp_path):
    other = make_tokenizer([*"cab", "dog"])
    other.save_pretrained(tmp_path / "other")
    by_path = load_model(bert, tokenizer=tmp_path / "other")
    by_object = load_model(bert, tokenizer=other)
    assert by_object.tokenizer is other
    assert by_path.tokenizer.get_vocab() == other.get_vocab()
    assert by_path.fingerprint == by_object.fingerprint != load_model(bert).fingerprint


@pytest.mark.fault_class("stale")
def test_fingerprints_follow_weights_configuration_and_tokenizer(bert, tmp_path):
    first = load_model(bert).fingerprint
    moved = shutil.copytree(bert, tmp_path / "moved")
    assert load_model(moved).fingerprint == first
    seen = {first}
    weights = read_weights(moved)
    weights["encoder.layer.1.output.dense.bias"][3] += 1e-6
    write_weights(moved, weights)
    seen.add(load_model(moved).fingerprint)
    config = Path(moved, "config.json")
    settings = json.loads(config.read_text())
    config.write_text(json.dumps(settings | {"layer_norm_eps": 1e-3}))
    seen.add(load_model(moved).fingerprint)
    make_tokenizer(["the", "cat", "dog"]).save_pretrained(moved)
    seen.add(load_model(moved).fingerprint)
    assert len(seen) == 4


@pytest.mark.fault_class("stale")
def test_fingerprints_of_objects(bert):
    def fingerprint(seed=0, dtype="float32", **changes):
        model = make_model("bert", seed, **changes).to(find_dtype(dtype))
        return load_model(model, tokenizer=make_tokenizer(), dtype=dtype).fingerprint

    assert fingerprint() == fingerprint()
    different = [fingerprint(), fingerprint(1), fingerprint(layer_norm_eps=1e-3)]
    different += [fingerprint(dtype="bfloat16"), fingerprint(max_position_embeddings=25)]
    assert len(set(different)) == 5


@pytest.mark.fault_class("stale")
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


@pytest.mark.fault_class("strangers")
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


@pytest.mark.fault_class("strangers")
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
    with pytest.raises(EncoderError, match="needs custom code; read the code, then pass trust"):
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
    with pytest.raises(EncoderError, match="random_state must be a non-negative integer"):
        untrained(load_model(roberta), seed)


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "llama", "longformer", "t5", "mpt"])
def test_layers_are_known_before_weights_are_read(tmp_path, kind):
    folder = save_checkpoint(tmp_path, kind)
    expected = load_model(folder).n_layers
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"no weights")
    assert layers_from_config(folder) == expected == 2


def test_layers_that_a_configuration_does_not_tell(bert, tmp_path):
    config = Path(bert, "config.json")
    for changed in ('{"model_type": "unheard-of"}', "no JSON"):
        config.write_text(changed)
        assert layers_from_config(bert) is None
    with pytest.raises(EncoderError, match="no model folder"):
        layers_from_config(tmp_path / "not" / "there")


@pytest.mark.parametrize("layer", ["encoder.layer.3", "3", 1.5, b"1"])
@pytest.mark.parametrize("several", [False, True])
def test_what_is_not_the_number_of_a_layer(layer, several):
    with pytest.raises(EncoderError, match="is not a layer number") as caught:
        pick_layers([0, layer] if several else layer, 12)
    assert str(caught.value) == (
        f"{layer!r} is not a layer number; layers are numbered from 0, the embedding output, to 12"
    )
