"""Whatever reads a model leaves it as it was found, module by module."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import TOKENIZERS, tiny_model, wordpiece
from transformers import BertConfig, BertForMaskedLM, BertModel

from structprobe import Encoder, WordAttentions
from structprobe.errors import EncoderError
from structprobe.masking.impacts import MaskedImpacts
from structprobe.models.reading import reading

SENTENCES = [["the", "dog", "barks"], ["a"], ["she", "saw", "him"] * 6]
KINDS = {
    "bert": "wordpiece",
    "roberta": "roberta_bpe",
    "gpt2": "gpt2_bpe",
    "llama": "llama_bpe",
    "t5": "unigram",
}


def half_trained(model: Any) -> Any:
    """Some modules in training and some not, as where a part of a model is frozen; a hook."""
    for number, module in enumerate(model.modules()):
        module.training = number % 3 > 0
    list(model.modules())[5].register_forward_hook(lambda *_: None)
    return model


def state_of(model: Any) -> dict[str, Any]:
    """All that looking at a model might change."""
    state: dict[str, Any] = {"rng": torch.random.get_rng_state().tolist()}
    for name, module in model.named_modules():
        state[name] = {
            "training": module.training,
            "names": set(vars(module)),
            "hooks": [*module._forward_hooks, *module._forward_pre_hooks],
            "weights": [parameter.requires_grad for parameter in module.parameters()],
        }
        if hasattr(module, "config"):
            state[name]["config"] = copy.deepcopy(vars(module.config))
            state[name]["attention"] = module.config._attn_implementation
    return state


def encode(encoder: Encoder) -> None:
    encoder.encode(SENTENCES)
    encoder.origin(1)


def encode_to_disk(encoder: Encoder, folder: Path) -> None:
    encoder.encode(SENTENCES, layers=1, cache=folder)


def attend(encoder: Encoder) -> None:
    batches = WordAttentions(encoder).read(SENTENCES)
    next(batches)  # and not to the end


@pytest.mark.parametrize("look", [lambda _: None, encode, attend])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_left_as_it_was_found(kind: str, look: Callable[[Encoder], None]) -> None:
    tokenizer = TOKENIZERS[KINDS[kind]]()
    model = half_trained(tiny_model(kind, tokenizer, positions=16))  # read in windows
    before = state_of(model)
    encoder = Encoder(model, tokenizer=tokenizer, batch_tokens=40)
    look(encoder)
    assert state_of(model) == before


def make_masked() -> tuple[Any, Any]:
    tokenizer = wordpiece()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return BertForMaskedLM(
        BertConfig(vocab_size=len(tokenizer), intermediate_size=64, **sizes)
    ), tokenizer


@pytest.mark.parametrize("measure", ["distance", "probability"])
def test_masking_leaves_a_model_as_it_was_found(measure: str) -> None:
    model, tokenizer = make_masked()
    before = state_of(half_trained(model))
    reader = MaskedImpacts(Encoder(model, tokenizer=tokenizer), measure=measure)
    first = dict(reader.read(SENTENCES))
    assert state_of(model) == before
    again = dict(reader.read(SENTENCES))  # no dropout
    assert all(np.array_equal(first[number], again[number]) for number in first)


@pytest.mark.parametrize("look", [encode, attend])
def test_a_model_is_left_as_it_was_found_after_an_error(look: Callable[[Encoder], None]) -> None:
    tokenizer = wordpiece()
    model = half_trained(tiny_model("bert", tokenizer))
    encoder = Encoder(model, tokenizer=tokenizer)
    before = state_of(model)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.fill_(torch.nan)
    with pytest.raises(EncoderError, match="is not finite"):
        look(encoder)
    assert state_of(model) == before
    model.encoder.layer[1].forward = None  # fails in the midst of a pass, switches switched
    before = state_of(model)
    with pytest.raises((EncoderError, TypeError)):
        look(encoder)
    assert state_of(model) == before


def test_a_trial_that_fails_leaves_a_model_as_it_was_found() -> None:
    model = half_trained(tiny_model("bert", wordpiece()))
    model.encoder.layer[1].forward = None
    before = state_of(model)
    with pytest.raises(EncoderError, match="cannot read plain text"):
        Encoder(model, tokenizer=wordpiece())
    assert state_of(model) == before


def test_a_model_that_is_read_is_in_evaluation_mode_until_the_last_reader_leaves() -> None:
    model = tiny_model("bert", wordpiece()).train()
    entered, leave = threading.Event(), threading.Event()

    def read_for_long() -> None:
        with reading(model):
            entered.set()
            leave.wait(20)

    thread = threading.Thread(target=read_for_long)
    with reading(model.encoder):
        thread.start()
        entered.wait(20)
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert not any(module.training for module in model.encoder.modules())  # the other reads on
    leave.set()
    thread.join(20)
    assert all(module.training for module in model.modules())


def test_vectors_of_a_model_in_training_have_no_dropout() -> None:
    model = tiny_model("bert", wordpiece())
    encoder = Encoder(model, tokenizer=wordpiece())
    calm = encoder.encode(SENTENCES).layer(3).values
    model.train()
    assert np.array_equal(encoder.encode(SENTENCES).layer(3).values, calm)
    assert model.training


class Caching(BertModel):
    """Keeps a table that it makes in its first pass, as models with code of their own do."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.kept: list[torch.Tensor] = []

    def forward(self, *args: Any, **options: Any) -> Any:
        output = super().forward(*args, **options)
        if not self.kept:
            self.kept.append(torch.arange(1.0, 33))
        output["last_hidden_state"] = output.last_hidden_state * self.kept[0]
        return output


def test_what_a_model_caches_while_it_is_read_serves_its_training() -> None:
    tokenizer = wordpiece()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = Caching(BertConfig(vocab_size=len(tokenizer), intermediate_size=64, **sizes)).train()
    Encoder(model, tokenizer=tokenizer).encode(SENTENCES)
    assert model.kept
    model(torch.tensor([[2, 8, 9, 3]])).last_hidden_state.sum().backward()
    assert model.encoder.layer[0].attention.self.query.weight.grad.abs().sum() > 0


def test_a_model_that_was_read_can_still_be_pickled() -> None:
    encoder = Encoder(tiny_model("bert", wordpiece()), tokenizer=wordpiece())
    bank = encoder.encode(SENTENCES)
    WordAttentions(encoder)
    for copied in (pickle.loads(pickle.dumps(encoder)), copy.deepcopy(encoder)):
        assert copied.fingerprint == encoder.fingerprint
        assert np.array_equal(copied.encode(SENTENCES).layer(2).values, bank.layer(2).values)
