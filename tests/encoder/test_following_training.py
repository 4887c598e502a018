"""Following the training of a model in memory: nothing of another checkpoint is taken for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import tiny_model, wordpiece
from transformers import BertConfig, BertForMaskedLM

from structprobe import Encoder, WordAttentions
from structprobe.errors import EncoderError
from structprobe.masking.impacts import MaskedImpacts

SENTENCES = [["the", "dog", "barks"], ["a"], ["she", "saw", "him", "."]]


def make() -> tuple[Any, Encoder]:
    model = tiny_model("bert", wordpiece())
    return model, Encoder(model, tokenizer=wordpiece())


def train(model: Any) -> None:
    """One step of an optimiser, in place."""
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model(input_ids=torch.tensor([[2, 8, 9, 3]]))[0].pow(2).sum().backward()
    optimiser.step()
    optimiser.zero_grad()


def swap_rows(model: Any) -> None:
    """A change that leaves every sum of a matrix as it was, and that torch does not count."""
    weight = model.encoder.layer[1].output.dense.weight.data
    weight[[3, 5]] = weight[[5, 3]]


def flip_one(model: Any) -> None:
    model.embeddings.word_embeddings.weight.detach().numpy()[2, 3] *= -1  # of [CLS]


def change_norm(model: Any) -> None:
    model.config.layer_norm_eps = 1e-3
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-3


def multiplied(output: Any, by: float) -> Any:
    """Change what a layer returns: alone, or first of several in older versions."""
    return (by * output[0], *output[1:]) if isinstance(output, tuple) else by * output


def hook(model: Any) -> None:
    model.encoder.layer[0].register_forward_hook(lambda *_: multiplied(_[2], 2))


CHANGES = (train, swap_rows, flip_one, change_norm, hook)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_model_is_seen_wherever_it_is_used(
    change: Callable[[Any], None], tmp_path: Path
) -> None:
    model, encoder = make()
    untrained = encoder.untrained(0)
    first = encoder.encode(SENTENCES, cache=tmp_path)
    before, origin, its_own = encoder.fingerprint, encoder.origin(2), untrained.origin(2)
    assert first.layer(2).origin == origin
    values = first.layer(2).values.copy()
    assert encoder.encode(SENTENCES).layer(2).origin == origin  # reading changes nothing

    change(model)
    assert encoder.fingerprint != before
    assert encoder.origin(2) == {**origin, "fingerprint": encoder.fingerprint}
    for cache in (None, tmp_path):
        second = encoder.encode(SENTENCES, cache=cache)
        assert second.layer(2).origin == encoder.origin(2)
        assert not np.array_equal(second.layer(2).values, values)
        fresh = Encoder(model, tokenizer=wordpiece()).encode(SENTENCES).layer(2)
        assert np.array_equal(second.layer(2).values, fresh.values)
    if change is not hook:  # which no other process could know
        assert fresh.origin == encoder.origin(2)
    assert first.layer(2).origin == origin  # vectors keep what they are of
    assert np.array_equal(first.layer(2).values, values)
    assert untrained.origin(2) == its_own


def test_weights_that_are_put_back_find_their_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, encoder = make()
    saved = {name: weight.clone() for name, weight in model.state_dict().items()}
    first = encoder.encode(SENTENCES, cache=tmp_path)
    train(model)
    encoder.encode(SENTENCES, cache=tmp_path)
    model.load_state_dict(saved)
    assert encoder.origin(0) == first.layer(0).origin
    monkeypatch.setattr("structprobe.encoder.encoder.word_vectors", None)  # no more passes
    again = encoder.encode(SENTENCES, cache=tmp_path)
    assert np.array_equal(again.layer(3).values, first.layer(3).values)


def test_a_hook_that_is_taken_away_and_another_in_its_place() -> None:
    model, encoder = make()
    seen = {encoder.fingerprint}
    for strength in (2, 3):
        handle = model.encoder.layer[0].register_forward_hook(
            lambda *_, by=strength: multiplied(_[2], by)
        )
        assert encoder.fingerprint == encoder.fingerprint
        seen.add(encoder.fingerprint)
        handle.remove()
    assert len(seen) == 3
    assert encoder.fingerprint in seen


class Adapted(torch.nn.Module):
    """A layer with an adapter beside it, switched by a plain attribute as in PEFT."""

    def __init__(self, base: torch.nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.change = torch.nn.Linear(base.in_features, base.out_features)
        self._disable_adapters = False
        self.scaling = {"default": 1.0}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        base: torch.Tensor = self.base(x)
        return base if self._disable_adapters else base + self.scaling["default"] * self.change(x)


def test_adapters_that_are_switched_off_and_on() -> None:
    model, _ = make()
    adapted = model.encoder.layer[1].output.dense = Adapted(model.encoder.layer[1].output.dense)
    encoder = Encoder(model, tokenizer=wordpiece())
    on = encoder.encode(SENTENCES).layer(3)
    adapted._disable_adapters = True
    off = encoder.encode(SENTENCES).layer(3)
    adapted._disable_adapters, adapted.scaling = False, {"default": 0.5}
    half = encoder.encode(SENTENCES).layer(3)
    adapted.scaling = {"default": 1.0}
    model.train()
    again = encoder.encode(SENTENCES).layer(3)
    assert again.origin == on.origin
    assert np.array_equal(again.values, on.values)
    assert len({str(one.origin) for one in (on, off, half)}) == 3
    assert not np.array_equal(on.values, off.values)


def test_attention_follows_training(tmp_path: Path) -> None:
    model, encoder = make()
    attentions = WordAttentions(encoder, cache=tmp_path)

    def read() -> np.ndarray:
        return np.concatenate([one.weights.ravel() for one in attentions.read(SENTENCES)])

    first = read()
    train(model)
    second = read()
    assert not np.array_equal(first, second)
    assert np.array_equal(second, read())
    assert len(list(tmp_path.glob("attention-*"))) == 2


@pytest.mark.parametrize("measure", ["distance", "probability"])
def test_impacts_that_are_recalled_follow_training(measure: str) -> None:
    tokenizer = wordpiece()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BertConfig(vocab_size=len(tokenizer), intermediate_size=64, **sizes)
    model = BertForMaskedLM(config)
    reader = MaskedImpacts(Encoder(model, tokenizer=tokenizer), measure=measure)
    first = reader.recall(SENTENCES)
    assert reader.recall(SENTENCES) is first
    with torch.no_grad():  # of the head alone, which vectors know nothing of
        model.cls.predictions.bias.copy_(torch.arange(len(tokenizer)) % 7)
    second = reader.recall(SENTENCES)
    assert (second is first) == (measure == "distance")
    train(model.bert)
    third = reader.recall(SENTENCES)
    assert third is not second
    assert not np.array_equal(third[0], second[0])


def test_a_model_that_is_cast_or_moved_meanwhile_is_refused() -> None:
    model, encoder = make()
    model.to(torch.bfloat16)
    with pytest.raises(EncoderError, match="has dtype bfloat16, but float32 was requested"):
        encoder.encode(SENTENCES)
    fixed = Encoder(tiny_model("bert", wordpiece()), tokenizer=wordpiece(), device="cpu")
    fixed.model.to("meta")
    with pytest.raises(EncoderError, match="is on meta, but cpu was requested"):
        fixed.origin(0)


def test_a_model_that_lost_layers_meanwhile() -> None:
    model, encoder = make()
    whole = encoder.encode(SENTENCES)
    del model.encoder.layer[2:]
    with pytest.raises(EncoderError, match="no layer 3, only 0 to 2"):
        encoder.encode(SENTENCES, layers=3)
    assert encoder.n_layers == 2
    cut = encoder.encode(SENTENCES)
    assert cut.layers == (0, 1, 2)
    assert np.array_equal(cut.layer(2).values, whole.layer(2).values)
    assert cut.origin["fingerprint"] != whole.origin["fingerprint"]
