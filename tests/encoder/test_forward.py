from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.models import MODELS, TOKENIZERS, tiny_model

from structprobe.encoder.subwords.batching import Layout, lay_out, make_batches
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.special_tokens import Surroundings
from structprobe.models.reading import layers_of_pass, reads_right


def readable(name: str, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    model = tiny_model(name, TOKENIZERS["wordpiece"]()).to(dtype)
    return model.get_encoder() if model.config.is_encoder_decoder else model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_reads_is_found_by_looking(name: str, dtype: torch.dtype) -> None:
    assert reads_right(readable(name, dtype), (2,), (7, 8)) == (name not in ("gpt2", "llama"))


def test_a_causal_model_under_another_name() -> None:
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=20, intermediate_size=16, is_decoder=True, **sizes)
    assert not reads_right(BertModel(config).eval(), (2,), (7, 8))


@pytest.mark.parametrize("name", MODELS)
def test_the_last_layer_is_what_the_model_returns(name: str) -> None:
    model = readable(name)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        output = model(input_ids=ids, output_hidden_states=True)
        first, last = layers_of_pass(model, ids, torch.ones_like(ids), (0, 3))
    assert torch.allclose(last, output.last_hidden_state, atol=1e-6)
    assert torch.allclose(first, output.hidden_states[0], atol=1e-6)


def layout(**changes: Any) -> Layout:
    settings: dict[str, Any] = {
        "surroundings": Surroundings((101,), (102,)),
        "size": None,
        "reads_right": True,
        "pooling": "mean",
        "pad": 9,
        "batch_tokens": 100,
    }
    return Layout(**(settings | changes))


def pieces(ids: list[int], links: list[list[int]]) -> Pieces:
    return Pieces(np.array(ids, np.int32), np.array(links), 1 + links[-1][1])


SHORT = pieces([1], [[0, 0]])
LONG = pieces([2, 3, 4], [[0, 0], [1, 0], [1, 1], [2, 1]])  # piece 3 counts for both words


def test_rows_by_hand() -> None:
    (rows,) = lay_out([LONG, SHORT], layout())
    assert rows.ids.tolist() == [[101, 2, 3, 4, 102], [101, 1, 102, 9, 9]]
    assert rows.mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert rows.positions.tolist() == [1, 2, 2, 3, 6]
    assert rows.starts.tolist() == [0, 2, 4]
    assert rows.weights.tolist() == [0.5, 0.5, 0.5, 0.5, 1]


def test_rows_over_the_budget_go_through_in_parts() -> None:
    parts = list(lay_out([LONG, SHORT], layout(batch_tokens=4, size=2, pooling="last")))
    # Windows 2 3 and 3 4 of the long sentence, then the short one; 4 positions at a time.
    assert [part.ids.tolist() for part in parts] == [
        [[101, 2, 3, 102]],
        [[101, 3, 4, 102]],
        [[101, 1, 102]],
    ]
    assert [part.positions.tolist() for part in parts] == [[2], [2], [1]]
    assert [part.starts.tolist() for part in parts] == [[0, 1, 1], [0, 0, 1], [0, 0, 0]]


def test_width_of_a_sentence() -> None:
    assert layout().width(7) == 9
    assert layout(size=5).width(7) == 7


@given(widths=st.lists(st.integers(1, 30), max_size=40), budget=st.integers(1, 60))
def test_batches_keep_to_the_budget_and_lose_nobody(widths: list[int], budget: int) -> None:
    batches = make_batches(widths, budget)
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(len(widths)))
    order = [widths[i] for batch in batches for i in batch]
    assert order == sorted(widths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(widths[i] for i in batch) <= budget


@pytest.mark.parametrize("name", MODELS)
def test_attention_is_that_of_torch_where_the_model_has_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = readable(name)
    if not getattr(model, "_supports_sdpa", False):
        pytest.skip(f"{type(model).__name__} of this transformers has none")
    n_calls, attention = 0, torch.nn.functional.scaled_dot_product_attention

    def count(*args: Any, **kwargs: Any) -> torch.Tensor:
        nonlocal n_calls
        n_calls += 1
        return attention(*args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", count)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        list(layers_of_pass(model, ids, torch.ones_like(ids), (0, 3)))
    assert n_calls == 3  # once a layer
