"""Models are tried when they are loaded: a text keeps its own vectors, or the model is refused."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support.models import tiny_model, wordpiece
from support.since import since_five

from structprobe import Encoder, WordAttentions
from structprobe.errors import EncoderError
from structprobe.masking.impacts import MaskedImpacts
from structprobe.models.loading import load_model
from structprobe.models.reading import ALONE, EQUAL, PADDED
from structprobe.models.trial import make_texts

SENTENCES = [
    ["the", "dog"],
    ["a", "small", "green", "house", "stood", "near", "the", "river"],
    [
        "the",
        "dog",
        "that",
        "chased",
        "the",
        "cat",
        "ran",
        "away",
        "quickly",
        "do",
        "not",
        "do",
        "it",
        ",",
        "he",
        "said",
        "!",
    ],
    ["barks"],
    ["she", "saw", "the", "old", "man", "near", "our", "house"],
]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}


class BertWithoutMask(transformers.BertModel):
    """Reads padding as if it were text."""

    def forward(self, input_ids: Any = None, attention_mask: Any = None, **more: Any) -> Any:
        return super().forward(input_ids=input_ids, attention_mask=None, **more)


class BertOfTheBatch(transformers.BertModel):
    """Lets the texts of a batch see one another."""

    def forward(self, input_ids: Any = None, **more: Any) -> Any:
        output = super().forward(input_ids=input_ids, **more)
        for layer in (output.last_hidden_state, *output.hidden_states):
            layer += layer.mean(dim=0, keepdim=True)
        return output


class BertOfChance(transformers.BertModel):
    """Adds noise."""

    def forward(self, *given: Any, **more: Any) -> Any:
        output = super().forward(*given, **more)
        output.last_hidden_state += torch.randn_like(output.last_hidden_state)
        return output


class BertOfNumPy(transformers.BertModel):
    """Draws random numbers, and uses none of them."""

    def forward(self, *given: Any, **more: Any) -> Any:
        torch.rand(3), np.random.rand(3), random.random()
        return super().forward(*given, **more)


class BertThatSwitches(transformers.BertModel):
    """Exchanges a part and a setting of its own when it reads, for good."""

    def forward(self, *given: Any, **more: Any) -> Any:
        if self.config.hidden_act == "gelu":
            self.config.hidden_act = self.encoder.state = "switched"
            self.encoder.layer[0].output.dense = torch.nn.Linear(48, 32, bias=False)
            torch.nn.init.eye_(self.encoder.layer[0].output.dense.weight)
        return super().forward(*given, **more)


def make(kind: type, **more: Any) -> Any:
    torch.manual_seed(0)
    tokenizer = wordpiece()
    return kind(kind.config_class(vocab_size=len(tokenizer), **(SIZES | more))).eval()


def gap(encoder: Encoder) -> float:
    """Give the largest change of a sentence's vectors from alone to in company, either order."""
    worst = 0.0
    for bank in (SENTENCES, SENTENCES[::-1]):
        together = encoder.encode(bank)
        for i, sentence in enumerate(bank):
            alone = encoder.encode([sentence])
            for layer in range(encoder.n_layers + 1):
                x, y = (np.asarray(one.layer(layer)[k]) for one, k in ((together, i), (alone, 0)))
                worst = max(worst, float(np.abs(x - y).max() / np.abs(y).max()))
    return worst


@pytest.mark.parametrize(
    ("kind", "batching"),
    [
        (transformers.BertModel, PADDED),
        (BertWithoutMask, EQUAL),
        pytest.param(
            *(transformers.FNetModel, EQUAL),
            marks=since_five("older versions take no mask"),
        ),
        (BertOfTheBatch, ALONE),
    ],
)
def test_a_sentence_has_the_vectors_that_it_has_alone(
    kind: type, batching: str, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = Encoder(make(kind), tokenizer=wordpiece())
    assert encoder.loaded.batching == batching
    told = [one.message for one in caplog.records if "depend on padding" in one.message]
    assert len(told) == (batching != PADDED)
    assert gap(encoder) <= 1e-3
    for batch_tokens in (7, 40):
        small = Encoder(make(kind), tokenizer=wordpiece(), batch_tokens=batch_tokens)
        assert gap(small) <= 1e-3


def test_convolutions_do_not_see_padding() -> None:
    model = make(transformers.ConvBertModel, embedding_size=16)
    encoder = Encoder(model, tokenizer=wordpiece())
    assert encoder.loaded.batching == EQUAL
    assert gap(encoder) <= 1e-3


def test_attention_and_masking_follow_the_batching() -> None:
    model = make(BertWithoutMask, _attn_implementation="eager")
    encoder = Encoder(model, tokenizer=wordpiece())
    together = {
        n: batch.weights[k, ..., : batch.lengths[k], : batch.lengths[k]]
        for batch in WordAttentions(encoder).read(SENTENCES)
        for k, n in enumerate(batch.sentences)
    }
    impacts = dict(MaskedImpacts(encoder).read(SENTENCES[:2]))
    for n, sentence in enumerate(SENTENCES):
        (batch,) = WordAttentions(encoder).read([sentence])
        np.testing.assert_allclose(together[n], batch.weights[0], atol=1e-5)
    for n, sentence in enumerate(SENTENCES[:2]):
        ((_, alone),) = MaskedImpacts(encoder).read([sentence])
        np.testing.assert_allclose(impacts[n], alone, atol=1e-4)


def test_chance_is_refused() -> None:
    with pytest.raises(EncoderError, match="other vectors each time it reads the same text"):
        Encoder(make(BertOfChance), tokenizer=wordpiece())


def test_random_states_are_left_as_they_were() -> None:
    model, cut = make(BertOfNumPy), wordpiece()
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    Encoder(model, tokenizer=cut)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]


def test_what_a_model_exchanges_is_put_back() -> None:
    model = make(BertThatSwitches)
    dense, names = model.encoder.layer[0].output.dense, set(vars(model.encoder))
    Encoder(model, tokenizer=wordpiece()).encode(SENTENCES)
    assert model.encoder.layer[0].output.dense is dense
    assert model.config.hidden_act == "gelu"
    assert set(vars(model.encoder)) == names


@pytest.mark.parametrize("pad", [-1, 10_000])
def test_any_number_may_be_the_padding_of_a_configuration(pad: int) -> None:
    model = make(transformers.LlamaModel, num_key_value_heads=4, pad_token_id=None)
    model.config.pad_token_id = pad
    encoder = Encoder(model, tokenizer=wordpiece())
    assert encoder.loaded.pad == 0
    assert gap(encoder) <= 1e-3


def test_a_token_that_the_model_does_not_have_is_named() -> None:
    cut = wordpiece()
    dog = cut("dog", add_special_tokens=False)["input_ids"][0]
    model = make(transformers.LlamaModel, num_key_value_heads=4, pad_token_id=None)
    model.resize_token_embeddings(dog)
    encoder = Encoder(model, tokenizer=cut)
    with pytest.raises(
        EncoderError, match=rf"\(number \d+\), but .* has only tokens 0 to {dog - 1}"
    ):
        encoder.encode([["the", "dog"]])


@since_five("older versions refuse text alone")
def test_the_text_tower_of_a_model_that_sees() -> None:
    cut = wordpiece()
    sizes = {k: SIZES[k] for k in ("hidden_size", "num_hidden_layers", "num_attention_heads")}
    text = {**SIZES, "vocab_size": len(cut), "eos_token_id": 3, "projection_dim": 16}
    see = {**sizes, "intermediate_size": 48, "image_size": 8, "patch_size": 4, "projection_dim": 16}
    torch.manual_seed(0)
    model = transformers.CLIPModel(
        transformers.CLIPConfig(text_config=text, vision_config=see, projection_dim=16)
    ).eval()
    encoder = Encoder(model, tokenizer=cut)
    assert encoder.loaded.part == "text_model"
    ids = torch.tensor([cut("the dog")["input_ids"]])
    with torch.no_grad():
        wanted = model.text_model(ids, output_hidden_states=True).last_hidden_state[0, 1:3]
    np.testing.assert_allclose(encoder.encode([["the", "dog"]]).layer(2)[0], wanted, atol=1e-5)
    assert gap(encoder) <= 1e-3
    assert encoder.untrained(1).loaded.part == "text_model"


def test_reversible_layers_are_refused_when_the_model_is_loaded() -> None:
    settings = {
        "vocab_size": 400,
        "hidden_size": 32,
        "attn_layers": ["local", "local"],
        "num_attention_heads": 2,
        "attention_head_size": 16,
        "feed_forward_size": 48,
        "axial_pos_embds": False,
        "is_decoder": False,
        "local_attn_chunk_length": 8,
        "max_position_embeddings": 128,
    }
    model = transformers.ReformerModel(transformers.ReformerConfig(**settings)).eval()
    with pytest.raises(EncoderError, match=r"layer 2 has shape \(1, 4, 64\) for 4 tokens"):
        Encoder(model, tokenizer=wordpiece())


@pytest.mark.fault_class("stale")
def test_batching_decides_the_fingerprint_where_padding_was_wrong() -> None:
    plain, blind = (
        load_model(make(kind), tokenizer=wordpiece())
        for kind in (transformers.BertModel, BertWithoutMask)
    )
    assert plain.fingerprint != blind.fingerprint
    assert "of-equal-length" in blind.fingerprint
    assert plain.fingerprint.count("-") == 1


def test_texts_fit_the_model() -> None:
    cut = wordpiece()
    texts = make_texts(cut, 20, 5)
    assert texts
    assert all(len(text) <= 5 and max(text) < 20 for text in texts)
    assert len(make_texts(cut, None, None)) >= 6
    assert tiny_model("bert", cut).config.vocab_size == len(cut)
