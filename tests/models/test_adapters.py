"""Adapters: objects that PEFT wraps and folders that it writes, read as PEFT itself runs them."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save_file
from support.models import tiny_model, wordpiece
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from structprobe import Encoder
from structprobe.errors import EncoderError
from structprobe.masking.impacts import MaskedImpacts
from structprobe.models.loading import layers_from_config
from structprobe.models.weights import BACKENDS

peft = pytest.importorskip("peft", reason="peft is not installed (extra peft)")
# Of transformers, where PEFT asks it for the name that it had before.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")

SENTENCES = [["the", "dog", "ran"], ["a", "man", "saw", "the", "woman", "."]]
SIZES: Any = {"vocab_size": 150, "hidden_size": 16, "num_hidden_layers": 2,
              "num_attention_heads": 2, "intermediate_size": 24,
              "max_position_embeddings": 40}  # fmt: skip
TARGETS = ["query", "q_proj", "q"]


def bert_with_head() -> Any:
    return BertForMaskedLM(BertConfig(**SIZES))


def llama_with_head() -> Any:
    return LlamaForCausalLM(LlamaConfig(**SIZES))


def bare_bert() -> Any:
    return BertModel(BertConfig(**SIZES))


def t5_with_head() -> Any:
    sizes: Any = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2}
    return T5ForConditionalGeneration(T5Config(vocab_size=150, **sizes))


BASES = [bert_with_head, llama_with_head, bare_bert, t5_with_head]


def make(base: Callable[[], Any], config: Any = None, seed: int = 0, **options: Any) -> Any:
    """Wrap a random model with an adapter whose weights matter."""
    torch.manual_seed(seed)
    config = config or peft.LoraConfig(r=2, target_modules=TARGETS, **options)
    model = peft.get_peft_model(base(), config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name or "vera_lambda" in name:
                weight.normal_(std=0.5)
    return model.eval()


def encode(model: Any, **options: Any) -> np.ndarray:
    encoder = Encoder(model, tokenizer=wordpiece(), **options)
    return encoder.encode(SENTENCES).layer(2).values


def last_layer(model: Any) -> np.ndarray:
    """The last layer as PEFT's own wrapper runs the model, words pooled by their mean."""
    plain = Encoder(tiny_model("bert", wordpiece()), tokenizer=wordpiece())
    found = {}
    for batch in plain.batches(SENTENCES):
        for number, pieces in zip(batch.numbers, batch.pieces, strict=True):
            ids = torch.tensor([[2, *pieces.ids.tolist(), 3]])
            more = {"decoder_input_ids": ids} if model.config.is_encoder_decoder else {}
            with torch.no_grad():
                output = model(input_ids=ids, output_hidden_states=True, **more)
            states = output["encoder_hidden_states" if more else "hidden_states"][-1][0]
            for word in range(pieces.n_words):
                own = pieces.links[pieces.links[:, 1] == word, 0] + 1
                found[int(number), word] = states[own].mean(dim=0).numpy()
    return np.stack([found[key] for key in sorted(found)])


@pytest.mark.parametrize("base", BASES)
def test_a_wrapped_model_is_read_with_its_adapter(base: Any) -> None:
    model = make(base)
    vectors = encode(model)
    assert np.allclose(vectors, last_layer(model), atol=1e-4)
    with model.disable_adapter():
        plain = encode(model)
        assert np.allclose(plain, last_layer(model), atol=1e-4)
    assert not np.allclose(vectors, plain, atol=1e-3)


@pytest.mark.parametrize("base", BASES)
def test_a_wrapped_model_is_used_as_any_other(base: Any) -> None:
    model = make(base)
    encoder = Encoder(model, tokenizer=wordpiece())
    before = encoder.fingerprint
    assert "(with adapters)" in encoder.loaded.name
    fresh = encoder.untrained(0)
    assert np.isfinite(fresh.encode(SENTENCES).layer(2).values).all()
    assert not any("lora" in name for name, _ in fresh.loaded.model.named_parameters())
    vectors = encoder.encode(SENTENCES).layer(2)
    for again in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder)):
        assert again.fingerprint == before
        assert np.array_equal(again.encode(SENTENCES).layer(2).values, vectors.values)
    assert encoder.fingerprint == before


@pytest.mark.fault_class("stale")
def test_all_that_decides_the_vectors_is_in_the_fingerprint() -> None:
    model = make(bert_with_head)
    model.add_adapter("other", peft.LoraConfig(r=4, target_modules=TARGETS))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B.other" in name:
                weight.normal_(std=0.5)
    encoder = Encoder(model, tokenizer=wordpiece())

    def state() -> tuple[str, bytes]:
        vectors = encoder.encode(SENTENCES).layer(2)
        assert vectors.origin["fingerprint"] == encoder.fingerprint
        return encoder.fingerprint, vectors.values.round(3).tobytes()

    states = [state()]
    layers = [m for m in model.modules() if isinstance(getattr(m, "scaling", None), dict)]
    for change in (
        lambda: model.set_adapter("other"),
        lambda: model.base_model.disable_adapter_layers(),
        lambda: model.base_model.enable_adapter_layers() or model.set_adapter("default"),
        lambda: [layer.scaling.update(default=3.0) for layer in layers],
        lambda: layers[0].lora_A["default"].weight.data.mul_(5),
        lambda: layers[0].get_base_layer().weight.data.mul_(50),
    ):
        change()
        states.append(state())
    assert states[3] == states[0]
    del states[3]
    assert len({fingerprint for fingerprint, _ in states}) == len(states)
    assert len({vectors for _, vectors in states}) == len(states)
    unmerged = encoder.encode(SENTENCES).layer(2).values
    model.merge_adapter()
    assert encoder.fingerprint != states[-1][0]
    assert np.allclose(encoder.encode(SENTENCES).layer(2).values, unmerged, atol=1e-4)


@pytest.mark.fault_class("stale")
def test_matrices_that_are_not_saved_are_in_the_fingerprint() -> None:
    prints = set()
    for key in (0, 1):
        config = peft.VeraConfig(r=2, target_modules=TARGETS, projection_prng_key=key)
        model = make(bare_bert, config)
        for module in model.modules():
            if hasattr(module, "vera_lambda_b"):
                module.vera_lambda_b["default"].data.fill_(0.5)
                module.vera_lambda_d["default"].data.fill_(0.5)
        for weights in (module for module in model.modules() if hasattr(module, "vera_A")):
            assert weights.vera_A is not None
        prints.add(Encoder(model, tokenizer=wordpiece()).fingerprint)
    assert len(prints) == 2


@pytest.mark.parametrize(
    "config",
    [
        lambda: peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
        lambda: peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    ],
)
def test_trained_prompts_are_refused(config: Any, tmp_path: Path) -> None:
    model = peft.get_peft_model(llama_with_head(), config())
    with pytest.raises(EncoderError, match=r"\((PROMPT|PREFIX)_TUNING\) puts trained vectors"):
        Encoder(model, tokenizer=wordpiece())
    _, folder = save(model, tmp_path)
    with pytest.raises(EncoderError, match=r"\((PROMPT|PREFIX)_TUNING\) puts trained vectors"):
        Encoder(folder)


def test_adapters_that_act_in_the_wrapper_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(bare_bert)
    forward = type(model).forward

    def louder(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = forward(self, *args, **kwargs)
        return type(output)(**{**output, "last_hidden_state": 2 * output[0]})

    monkeypatch.setattr(type(model), "forward", louder)
    with pytest.raises(EncoderError, match="act outside of its layers, in PeftModel"):
        Encoder(model, tokenizer=wordpiece())


def save(model: Any, folder: Path) -> tuple[Path, Path]:
    """Write base model and adapter as one does, each into its folder."""
    base, own = folder / "base", folder / "adapter"
    whole, other = copy.deepcopy(model), copy.deepcopy(model)
    for config in whole.peft_config.values():
        config.base_model_name_or_path = str(base)
    bare = other.get_base_model() if config.is_prompt_learning else other.unload()
    bare.save_pretrained(base)
    whole.save_pretrained(own)
    wordpiece().save_pretrained(base)
    return base, own


@pytest.mark.parametrize("base", BASES)
def test_a_folder_is_read_with_its_base_model(base: Any, tmp_path: Path) -> None:
    model = make(base)
    where, folder = save(model, tmp_path)
    encoder = Encoder(folder)  # the tokenizer is that of the base model
    vectors = encoder.encode(SENTENCES).layer(2).values
    assert np.allclose(vectors, encode(model), atol=1e-4)
    assert not np.allclose(vectors, encode(where), atol=1e-3)
    assert encoder.loaded.name == str(folder)
    assert np.isfinite(encoder.untrained(0).encode(SENTENCES).layer(2).values).all()
    assert layers_from_config(folder) is None
    half = Encoder(folder, dtype="bfloat16")
    assert {weight.dtype for weight in half.loaded.model.parameters()} == {torch.bfloat16}


def test_weights_of_heads_are_left_out(tmp_path: Path) -> None:
    torch.manual_seed(0)
    base = BertForSequenceClassification(BertConfig(num_labels=5, **SIZES))
    options: Any = {"task_type": "SEQ_CLS", "modules_to_save": ["embeddings.LayerNorm"]}
    model = make(lambda: base, **options)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "modules_to_save" in name:
                weight.normal_()
    _, folder = save(model, tmp_path)
    assert np.allclose(Encoder(folder).encode(SENTENCES).layer(2).values, encode(model), atol=1e-4)


@pytest.mark.fault_class("stale")
def test_the_fingerprint_of_a_folder_covers_both(tmp_path: Path) -> None:
    base, folder = save(make(bert_with_head), tmp_path)
    first = Encoder(folder).fingerprint
    assert first != Encoder(base).fingerprint
    moved = tmp_path / "moved"
    shutil.copytree(base, moved)
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(moved)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert Encoder(folder).fingerprint == first  # where it is decides nothing
    prints = {first}
    for weights in (moved / "model.safetensors", folder / "adapter_model.safetensors"):
        tensors = load(weights.read_bytes())
        name = next(n for n in sorted(tensors) if "query" in n and n.endswith("weight"))
        save_file({**tensors, name: 2 * tensors[name]}, weights, metadata={"format": "pt"})
        prints.add(Encoder(folder).fingerprint)
    (folder / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 99}))
    prints.add(Encoder(folder).fingerprint)
    assert len(prints) == 4


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    _, folder = save(make(bert_with_head), tmp_path)
    torch.manual_seed(0)
    deeper = BertModel(BertConfig(**{**SIZES, "num_hidden_layers": 3}))
    deeper.save_pretrained(tmp_path / "base")
    with pytest.raises(EncoderError, match=r"lacks 2 weights, such as .*layer\.2.*trained on"):
        Encoder(folder)
    weights = folder / "adapter_model.safetensors"
    tensors = load(weights.read_bytes())
    bare_bert().save_pretrained(tmp_path / "base")
    lost = {name.replace("layer.1", "layer.7"): tensor.clone() for name, tensor in tensors.items()}
    save_file({**tensors, **lost}, weights, metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"2 weights of it found no place in BertModel, such as"):
        Encoder(folder)
    bare = {name.replace("model.bert.", "model."): one.clone() for name, one in tensors.items()}
    save_file({**tensors, **bare}, weights, metadata={"format": "pt"})
    with pytest.raises(EncoderError, match="its weights are of two models, such as"):
        Encoder(folder)


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, folder = save(make(bert_with_head), tmp_path)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "peft", None)
        with pytest.raises(EncoderError, match=r"holds an adapter.*pip install 'structprobe\[pe"):
            Encoder(folder)
    shutil.move(base, tmp_path / "gone")
    with pytest.raises(EncoderError, match=r"base model of the adapter.*base_model_name_or_path"):
        Encoder(folder)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(EncoderError, match="does not name its base model"):
        Encoder(folder)
    (folder / "adapter_config.json").write_text("[")
    with pytest.raises(EncoderError, match=r"not a valid adapter_config\.json"):
        Encoder(folder)


def test_an_adapter_without_weights_or_on_another_adapter(tmp_path: Path) -> None:
    _, folder = save(make(bert_with_head), tmp_path)
    above = tmp_path / "above"
    shutil.copytree(folder, above)
    config = json.loads((above / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(folder)
    (above / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match="is itself an adapter"):
        Encoder(above)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"no weights in .*expected adapter_model\.safetensors"):
        Encoder(folder)


def test_heads_of_all_kinds_are_left_off_objects(tmp_path: Path) -> None:
    bare_bert().save_pretrained(tmp_path)
    bare = AutoModel.from_pretrained(tmp_path).eval()
    head = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    assert np.array_equal(encode(head), encode(bare))


def test_a_masked_language_model_with_adapters_keeps_its_head(tmp_path: Path) -> None:
    model = make(bert_with_head)
    merged = copy.deepcopy(model).merge_and_unload()
    mine, theirs = (
        dict(MaskedImpacts(Encoder(one, tokenizer=wordpiece()), measure="probability").read(words))
        for one, words in ((model, SENTENCES), (merged, SENTENCES))
    )
    for number in range(len(SENTENCES)):
        assert np.allclose(mine[number], theirs[number], atol=1e-4)
    _, folder = save(model, tmp_path)
    with pytest.raises(EncoderError, match="no head for masked language modelling"):
        MaskedImpacts(Encoder(folder), measure="probability")


@pytest.mark.parametrize("base", BASES)
def test_an_adapter_of_a_model_that_is_cut_over_memory_and_disk(base: Any, tmp_path: Path) -> None:
    _, folder = save(make(base), tmp_path)
    whole = Encoder(folder, device="cpu")
    wanted = whole.encode(SENTENCES).layer(2).values
    for how in ({"device_map": {"": "disk"}}, {"device_map": "auto", "max_memory": {"cpu": 9000}}):
        cut = Encoder(folder, **how)
        assert any(weight.is_meta for weight in cut.loaded.model.parameters())
        assert np.array_equal(cut.encode(SENTENCES).layer(2).values, wanted)
        assert cut.fingerprint == whole.fingerprint


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("quantize", ["8bit-bitsandbytes", "4bit-bitsandbytes", "8bit-quanto"])
def test_an_adapter_of_a_quantised_model(base: Any, quantize: str, tmp_path: Path) -> None:
    package = BACKENDS[quantize.partition("-")[2]]
    pytest.importorskip(package, reason=f"{package} is not installed")
    where, folder = save(make(base), tmp_path)
    found = [
        Encoder(one, device="cpu", quantize=how)
        for how in (quantize, None)
        for one in (folder, where)
    ]
    vectors, without, exact, plain = (one.encode(SENTENCES).layer(2).values for one in found)
    effect, wanted = vectors - without, exact - plain
    assert np.sum(effect * wanted) > 0.8 * np.linalg.norm(effect) * np.linalg.norm(wanted) > 0
    assert not np.array_equal(vectors, exact)
    assert len({one.fingerprint for one in found}) == 4
