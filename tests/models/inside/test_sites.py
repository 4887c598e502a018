"""What attention, the MLP and the heads of each block give is found in models of many kinds."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support.models import TOKENIZERS, tiny_model, wordpiece

from structprobe import Encoder, ProbeRecoverer, StructuralProbe
from structprobe.errors import EncoderError
from structprobe.models.reading import reading, run_model

SENTENCES = [["the", "dog", "barks"], ["she", "saw", "him"] * 6, ["he", "ran", "away"]]
IDS = torch.tensor([[2, 7, 8, 9, 3, 11], [2, 9, 9, 6, 3, 12]])
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
# The modules by their names, which only this test knows: what attention and the MLP of block k add,
# and the module that mixes the heads it is given.
QUICK = ("BertModel", "LlamaModel", "GPTNeoXModel", "T5EncoderModel")
NAMES = {
    "BertModel": (
        "encoder.layer.{}.attention.output.dense",
        "encoder.layer.{}.output.dense",
        "encoder.layer.{}.attention.output.dense",
    ),
    "LlamaModel": ("layers.{}.self_attn", "layers.{}.mlp", "layers.{}.self_attn.o_proj"),
    "GPT2Model": ("h.{}.attn", "h.{}.mlp", "h.{}.attn.c_proj"),
    "GPTNeoXModel": ("layers.{}.attention", "layers.{}.mlp", "layers.{}.attention.dense"),
    "MixtralModel": ("layers.{}.self_attn", "layers.{}.mlp", "layers.{}.self_attn.o_proj"),
    "Gemma2Model": (
        "layers.{}.post_attention_layernorm",
        "layers.{}.post_feedforward_layernorm",
        "layers.{}.self_attn.o_proj",
    ),
    "T5EncoderModel": (
        "encoder.block.{}.layer.0.SelfAttention",
        "encoder.block.{}.layer.1.DenseReluDense",
        "encoder.block.{}.layer.0.SelfAttention.o",
    ),
}


@cache
def make(kind: str, **more: Any) -> Any:
    """Make a tiny model of an architecture of transformers, whose values all matter."""
    own: dict[str, Any] = {
        "MixtralModel": {"num_key_value_heads": 2, "num_local_experts": 4},
        "Gemma2Model": {"num_key_value_heads": 2, "head_dim": 16},
        "T5EncoderModel": {"d_model": 32, "d_kv": 16, "d_ff": 48, "num_layers": 2, "num_heads": 4},
        "MambaModel": {"state_size": 4},
    }
    model_class = getattr(transformers, kind)
    sizes = {**SIZES, **own.get(kind, {}), **more}
    if kind == "T5EncoderModel":
        sizes = own[kind]
    torch.manual_seed(0)
    model = model_class(model_class.config_class(vocab_size=len(wordpiece()), **sizes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def given_by(model: Any, names: list[str]) -> dict[str, torch.Tensor]:
    """Run a model, and give what three modules return or, the last of them, are given."""
    found: dict[str, torch.Tensor] = {}

    def keep(site: str, values: Any) -> None:
        found[site] = values[0] if isinstance(values, tuple) else values

    adds, mlp, mixer = map(model.get_submodule, names)
    with reading(model):  # which takes the hooks away
        adds.register_forward_hook(lambda *given: keep("attention", given[-1]))
        mlp.register_forward_hook(lambda *given: keep("mlp", given[-1]))
        mixer.register_forward_pre_hook(lambda _, given: keep("heads", given))
        run_model(model, IDS, torch.ones_like(IDS))
    return found


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in NAMES]
)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_sites_are_what_the_modules_give(kind: str, attention: str) -> None:
    model = make(kind)
    if not (attention == "eager" or model._supports_sdpa):
        pytest.skip(f"{kind} has only eager attention")
    model.set_attn_implementation(attention)
    encoders = {
        site: Encoder(model, tokenizer=wordpiece(), site=site)
        for site in ("attention", "mlp", "heads")
    }
    part = encoders["mlp"].loaded.model
    for k in range(2):
        wanted = given_by(part, [name.format(k) for name in NAMES[kind]])
        for site, encoder in encoders.items():
            assert encoder.layers == (1, 2)
            with reading(part):
                (got,) = encoder.loaded.run(IDS, torch.ones_like(IDS), [k + 1])
            assert torch.equal(got, wanted[site])
            assert encoder.hidden_size == got.shape[-1]
    assert encoders["heads"].n_heads == 4
    assert encoders["mlp"].n_heads is None


def test_heads_are_side_by_side() -> None:
    model = make("LlamaModel")
    encoder = Encoder(model, tokenizer=wordpiece(), site="heads")
    before = encoder.encode(SENTENCES, layers=1).layer(1).values
    size = encoder.hidden_size // (encoder.n_heads or 0)
    values = model.layers[0].self_attn.v_proj.weight
    with torch.no_grad():
        kept = values[size : 2 * size].clone()
        values[size : 2 * size] *= 2  # of head 1, counted from 0
        after = encoder.encode(SENTENCES, layers=1).layer(1).values
        values[size : 2 * size] = kept
    changed = np.abs(after - before).max(axis=0) > 0
    assert changed.tolist() == [1 <= column // size < 2 for column in range(encoder.hidden_size)]


@pytest.mark.parametrize(
    ("kind", "site", "has"),
    [
        ("MambaModel", "attention", "choose from residual"),
        ("FNetModel", "heads", "choose from residual"),
        ("OPTModel", "mlp", "choose from residual, heads"),
    ],
)
def test_a_site_that_is_not_there_is_refused(kind: str, site: str, has: str) -> None:
    more = {"ffn_dim": 48, "word_embed_proj_dim": 32} if kind == "OPTModel" else {}
    with pytest.raises(EncoderError, match=f"has no site '{site}' that shows") as caught:
        Encoder(make(kind, **more), tokenizer=wordpiece(), site=site)
    assert has in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mixers_beside_attention_are_no_mlp() -> None:
    config = transformers.JambaConfig(
        vocab_size=len(wordpiece()), **SIZES, num_key_value_heads=4, num_experts=2,
        use_mamba_kernels=False, attn_layer_period=2, attn_layer_offset=1, mamba_d_state=4,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.JambaModel(config).eval()
    for site in ("attention", "mlp", "heads"):
        encoder = Encoder(model, tokenizer=wordpiece(), site=site)
        assert encoder.layers == (2,)  # that of attention
        assert encoder.encode(SENTENCES).layers == (2,)
        with pytest.raises(EncoderError, match="layer 1 does not have this site") as caught:
            encoder.encode(SENTENCES, layers=1)
        assert "choose from 2" in str(caught.value)


def test_unknown_sites_and_layers() -> None:
    with pytest.raises(EncoderError, match="unknown site 'mpl'") as caught:
        Encoder(make("BertModel"), tokenizer=wordpiece(), site="mpl")
    assert "mlp" in str(caught.value)
    encoder = Encoder(make("BertModel"), tokenizer=wordpiece(), site="mlp")
    with pytest.raises(EncoderError, match="layer 0 does not have this site"):
        encoder.encode(SENTENCES, layers=(0, 1))


def test_each_site_has_its_own_origin_and_cache(tmp_path: Path) -> None:
    model, found = make("BertModel"), {}
    for site in ("residual", "attention", "mlp", "heads"):
        encoder = Encoder(model, tokenizer=wordpiece(), site=site)
        for _ in range(2):
            bank = encoder.encode(SENTENCES, layers=1, cache=tmp_path)
        assert bank.origin.get("site", "residual") == site
        found[site] = encoder.fingerprint, bank.layer(1).values.tobytes()
        fresh = encoder.untrained(0)
        assert fresh.layers == encoder.layers
        assert np.isfinite(fresh.encode(SENTENCES, layers=2).layer(2).values).all()
    assert len(set(found.values())) == 4
    assert found["attention"][0].split("-")[1] == "attention"
    assert found["residual"][0] == Encoder(model, tokenizer=wordpiece()).fingerprint


def test_a_saved_probe_reads_its_site(tmp_path: Path) -> None:
    from structprobe.treebank import Sentence

    cut = TOKENIZERS["wordpiece"]()
    model, folder = tiny_model("bert", cut), tmp_path / "model"
    model.save_pretrained(folder)
    cut.save_pretrained(folder)
    trees = [Sentence(tuple(words), np.arange(len(words))) for words in SENTENCES]
    encoder = Encoder(str(folder), site="mlp")
    vectors = encoder.encode(trees, layers=2).layer(2)
    probe = StructuralProbe(rank=4, max_steps=2).fit(vectors, trees, dev=(vectors, trees))
    probe.save_pretrained(tmp_path / "probe")
    loaded = ProbeRecoverer.from_pretrained(tmp_path / "probe")
    assert loaded.encoder.site == "mlp"
    again = loaded.encoder.encode(trees, layers=2).layer(2)
    assert np.array_equal(again.values, vectors.values)


def test_a_longer_text_without_the_site_is_an_error() -> None:
    encoder = Encoder(make("BertModel"), tokenizer=wordpiece(), site="mlp")
    layers = encoder.loaded.model.encoder.layer
    forward = layers[0].output.forward
    layers[0].output.forward = lambda *given: layers[0].output.LayerNorm(given[1])
    try:
        with pytest.raises(EncoderError, match="takes a different path through the model"):
            list(encoder.loaded.run(IDS, torch.ones_like(IDS), [1]))
    finally:
        layers[0].output.forward = forward
