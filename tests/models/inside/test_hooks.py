"""Passes run up to the last layer asked for, with the bits of a whole pass, and hold no others."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support.models import TOKENIZERS, tiny_model, wordpiece

from structprobe import Encoder
from structprobe.errors import EncoderError
from structprobe.models.inside.hooks import Place, leaving
from structprobe.models.reading import layers_of_pass, reading, run_model

SENTENCES = [["the", "dog", "barks"], ["a"], ["she", "saw", "him"] * 6, ["he", "ran", "away"]]
LONG = [["a"] * n for n in (3, 80, 4)]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}
IDS = torch.tensor([[2, 7, 8, 9, 3], [2, 9, 9, 6, 3]])


class BertThatAddsInPlace(transformers.BertModel):
    """Changes what its first layer returned after the layer is done, as fused code does."""

    def forward(self, *given: Any, **more: Any) -> Any:
        kept: list[torch.Tensor] = []

        def change(tensor: torch.Tensor) -> None:
            tensor += 1.0

        hooks = [
            self.encoder.layer[0].register_forward_hook(lambda _, __, out: kept.append(out)),
            self.encoder.layer[1].register_forward_hook(lambda *_: change(kept[0])),
        ]
        output = super().forward(*given, **more)
        for hook in hooks:
            hook.remove()
        return output


class BertThatPads(transformers.BertModel):
    """Pads what has more than 60 tokens, as models with windows do."""

    def forward(self, input_ids: Any = None, attention_mask: Any = None, **more: Any) -> Any:
        n = input_ids.shape[1]
        given = [input_ids, attention_mask]
        if n > 60:
            given = [torch.nn.functional.pad(one, (0, 3)) for one in given]
        output = super().forward(*given, **more)
        output.last_hidden_state = output.last_hidden_state[:, :n]
        if more.get("output_hidden_states"):
            output.hidden_states = tuple(one[:, :n] for one in output.hidden_states)
        return output


@cache
def make(kind: str) -> Any:
    """Make a tiny model of an architecture of transformers, whose values all matter."""
    more: dict[str, Any] = {
        "AlbertModel": {"embedding_size": 16},
        "MixtralModel": {"num_key_value_heads": 2, "num_local_experts": 4},
        "Gemma2Model": {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 4},
        "MambaModel": {"state_size": 4},
        "GPTNeoXModel": {},
        "DistilBertModel": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
        "XLNetModel": {"d_inner": 48, "d_head": 8},
        "LongformerModel": {"attention_window": 64},
    }
    model_class = globals().get(kind) or getattr(transformers, kind)
    torch.manual_seed(0)
    sizes = SIZES | more.get(kind, {})
    if kind == "XLNetModel":  # has no limit, and says so
        del sizes["max_position_embeddings"]
    config = model_class.config_class(vocab_size=len(wordpiece()), pad_token_id=0, **sizes)
    model = model_class(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def whole(encoder: Encoder, sentences: list[list[str]] = SENTENCES) -> list[np.ndarray]:
    """Give the vectors of all layers from passes that return all hidden states."""
    plain = replace(encoder.loaded, places=(), glance=None)
    loaded, encoder.loaded = encoder.loaded, plain
    bank = encoder.encode(sentences)
    encoder.loaded = loaded
    return [bank.layer(layer).values for layer in bank.layers]


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("BertModel", True),
        ("AlbertModel", True),  # one module is all layers
        ("DistilBertModel", True),
        ("GPTNeoXModel", True),  # attention beside the MLP
        ("Gemma2Model", True),
        ("MixtralModel", True),
        ("MambaModel", True),
        ("XLNetModel", False),  # its modules have positions first
        ("LongformerModel", False),  # its modules see more positions than there are
    ],
)
def test_any_layers_have_the_bits_of_a_whole_pass(kind: str, known: bool) -> None:
    encoder = Encoder(make(kind), tokenizer=wordpiece(), batch_tokens=40)
    n = encoder.n_layers
    assert [place is not None for place in encoder.loaded.places] == [known] * n + [True]
    wanted = whole(encoder)
    for layers in (*range(n + 1), (0, 2), range(n + 1)):
        bank = encoder.encode(SENTENCES, layers=layers)
        for layer in bank.layers:
            assert np.array_equal(bank.layer(layer).values, wanted[layer])


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2", "llama", "t5"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_later_layers_are_not_run(kind: str, dtype: str) -> None:
    cut = wordpiece()
    encoder = Encoder(tiny_model(kind, cut).to(getattr(torch, dtype)), tokenizer=cut, dtype=dtype)
    wanted, ran = whole(encoder), list[str]()
    for name, module in encoder.loaded.model.named_modules():
        module.register_forward_pre_hook(lambda *_, name=name: ran.append(name))
    assert encoder.fingerprint  # a model object with new hooks is tried again
    for layer in range(encoder.n_layers):
        ran.clear()
        bank = encoder.encode(SENTENCES, layers=layer)
        assert np.array_equal(bank.layer(layer).values, wanted[layer])
        # The blocks are named by their numbers: `layers.0` and its parts.
        begun = {int(step) for name in ran for step in name.split(".")[:3] if step.isdecimal()}
        assert begun == set(range(layer))


def test_layers_not_asked_for_are_not_held() -> None:
    encoder = Encoder(make("BertModel"), tokenizer=wordpiece())
    model, alive = encoder.loaded.model, list[weakref.ref[torch.Tensor]]()
    n_alive: list[int] = []

    def look(*given: Any) -> None:
        alive.append(weakref.ref(given[-1]))
        n_alive.append(sum(one() is not None for one in alive))

    for layer in model.encoder.layer:
        layer.register_forward_hook(look)
    gc.disable()  # nothing may wait for it
    try:
        with reading(model):
            how = encoder.loaded.batching, encoder.loaded.places
            mask = torch.ones_like(IDS)
            assert len([*layers_of_pass(model, IDS, mask, [0], *how)]) == 1
            assert not alive
            (second,) = layers_of_pass(model, IDS, mask, [2], *how)
            assert [one() is not None for one in alive] == [False, True]
            assert second is alive[1]()
            alive.clear()
            assert len([*layers_of_pass(model, IDS, mask, [3], *how)]) == 1
            assert n_alive == [1, 2, 1, 2, 2]  # a layer, and its input
    finally:
        gc.enable()
        for layer in model.encoder.layer:
            layer._forward_hooks.clear()


def test_layers_of_the_same_values_are_read_from_a_whole_pass() -> None:
    model = tiny_model("llama", wordpiece())
    for name in ("o_proj", "down_proj"):
        torch.nn.init.zeros_(
            next(one for path, one in model.layers[1].named_modules() if path.endswith(name)).weight
        )
    encoder = Encoder(model, tokenizer=wordpiece())
    assert [place is not None for place in encoder.loaded.places] == [True, False, False, True]
    bank, wanted = encoder.encode(SENTENCES), whole(encoder)
    assert all(np.array_equal(bank.layer(k).values, wanted[k]) for k in bank.layers)


def test_a_layer_that_is_changed_later_is_read_from_a_whole_pass() -> None:
    encoder = Encoder(make("BertThatAddsInPlace"), tokenizer=wordpiece())
    assert [place is not None for place in encoder.loaded.places] == [True, False, True, True]
    for layer, wanted in enumerate(whole(encoder)):
        assert np.array_equal(encoder.encode(SENTENCES, layers=layer).layer(layer).values, wanted)


def test_longer_texts_may_take_another_way() -> None:
    encoder = Encoder(make("BertThatPads"), tokenizer=wordpiece())
    assert None not in encoder.loaded.places
    for layer, wanted in enumerate(whole(encoder, LONG)):
        assert np.array_equal(encoder.encode(LONG, layers=layer).layer(layer).values, wanted)


def test_random_weights_have_their_own_places() -> None:
    encoder = Encoder(make("BertModel"), tokenizer=wordpiece()).untrained(3)
    assert None not in encoder.loaded.places
    wanted = whole(encoder)
    assert np.array_equal(encoder.encode(SENTENCES, layers=1).layer(1).values, wanted[1])


@pytest.fixture
def bert() -> Iterator[Any]:
    """A model that has no hooks, before and after."""
    model = make("BertModel")
    yield model
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_an_error_within_a_pass_leaves_no_hooks(bert: Any) -> None:
    with (
        pytest.raises(IndexError),
        reading(bert),
        leaving(bert, [Place("encoder.layer.1", 0, None)]),
    ):
        run_model(bert, IDS + 10_000, torch.ones_like(IDS))


def test_a_place_that_does_not_come_up_is_left_out(bert: Any) -> None:
    nowhere = [Place("encoder.layer.9", 0, None), Place("encoder.layer.0", 1, None)]
    with reading(bert), leaving(bert, [*nowhere, Place("pooler", 0, None)]) as found:
        output = run_model(bert, IDS, torch.ones_like(IDS))
    assert [*found] == [Place("pooler", 0, None)]
    assert found[Place("pooler", 0, None)] is output.pooler_output


def test_threads_read_layers_of_their_own(bert: Any) -> None:
    encoder = Encoder(bert, tokenizer=wordpiece())
    wanted, wrong = whole(encoder), list[int]()

    def encode(layer: int) -> None:
        for _ in range(5):
            got = encoder.encode(SENTENCES, layers=layer).layer(layer).values
            if not np.array_equal(got, wanted[layer]):
                wrong.append(layer)

    threads = [threading.Thread(target=encode, args=(layer,)) for layer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_offloaded_weights_go_back() -> None:
    accelerate = pytest.importorskip("accelerate")
    model = tiny_model("llama", TOKENIZERS["llama_bpe"]())
    wanted = whole(Encoder(model, tokenizer=TOKENIZERS["llama_bpe"]()))
    places = Encoder(model, tokenizer=TOKENIZERS["llama_bpe"]()).loaded.places
    accelerate.cpu_offload(model, execution_device="cpu")
    for layer in range(3):
        ids = torch.tensor([[1, 270, 280, 290]])
        with reading(model):
            whole_pass = run_model(model, ids, torch.ones_like(ids)).hidden_states[layer]
            (got,) = layers_of_pass(model, ids, torch.ones_like(ids), [layer], "padded", places)
        assert torch.equal(got, whole_pass)
        assert {one.device.type for one in model.parameters()} == {"meta"}
    assert len(wanted) == 4


def test_a_layer_above_the_last_is_refused() -> None:
    encoder = Encoder(make("BertModel"), tokenizer=wordpiece())
    with pytest.raises(EncoderError, match="there is no layer 4, only 0 to 3"):
        encoder.encode(SENTENCES, layers=4)
