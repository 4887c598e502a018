"""What a model returns as attention is tried: it is that of its vectors, or it is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support.models import wordpiece
from support.since import since_five
from support.tiny_trees import tiny_bank
from transformers import AutoConfig, AutoModel

from structprobe import Encoder, HeadsConfig, WordAttentions, analyse_heads
from structprobe.attention.forward import eager_attention
from structprobe.errors import EncoderError
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.recoverers.attention_probe import AttentionProbe
from structprobe.show.head_tables import format_heads
from structprobe.show.pictures.heat_map import save_heat_maps

SENTENCES = [["the", "dog", "barks"], ["whoever", "reads", "newspapers", ",", "understands"], ["a"]]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}
LINEAR, FULL = "linear_attention", "full_attention"
# Models some of whose layers have attention, and which.
HYBRIDS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "jamba": (
        {
            **{"num_hidden_layers": 5, "attn_layer_period": 2, "attn_layer_offset": 1},
            **{"mamba_d_state": 8, "mamba_dt_rank": 4, "num_key_value_heads": 2, "num_experts": 2},
            "use_mamba_kernels": False,
        },
        (2, 4),
    ),
    "recurrent_gemma": (
        {"num_hidden_layers": 4, "lru_width": 32, "attention_window_size": 64, "head_dim": 8},
        (3,),
    ),
    # Its other layers return what they remember, as if it were attention.
    "minimax": (
        {
            **{"num_hidden_layers": 4, "layer_types": [FULL, LINEAR, LINEAR, FULL]},
            **{"num_key_value_heads": 2, "num_local_experts": 2, "head_dim": 8},
        },
        (1, 4),
    ),
}


needs_five = since_five("older versions give attention of these in other ways")


def make_hybrid(kind: str) -> Any:
    settings = SIZES | {"vocab_size": 150, "pad_token_id": 0} | HYBRIDS[kind][0]
    torch.manual_seed(0)
    return AutoModel.from_config(AutoConfig.for_model(kind, **settings)).eval()


@needs_five
@pytest.mark.parametrize("kind", HYBRIDS)
def test_hybrids_give_the_layers_that_have_attention(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    model, (_, layers) = make_hybrid(kind), HYBRIDS[kind]
    encoder = Encoder(model, tokenizer=wordpiece())
    attentions = WordAttentions(encoder)
    WordAttentions(encoder)
    (told,) = (one.getMessage() for one in caplog.records if "left out" in one.getMessage())
    others = [n for n in range(1, encoder.n_layers + 1) if n not in layers]
    assert f"layers that have it ({', '.join(map(str, layers))})" in told
    assert f"left out: {', '.join(map(str, others))}" in told
    assert (attentions.layers, attentions.n_layers, attentions.causal) == (
        layers,
        len(layers),
        True,
    )
    together = {
        int(number): batch.weights[row, ..., :n, :n]
        for batch in attentions.read(SENTENCES)
        for row, (number, n) in enumerate(zip(batch.sentences, batch.lengths, strict=True))
    }
    for number, sentence in enumerate(SENTENCES):
        (batch,) = attentions.read([sentence])
        np.testing.assert_allclose(batch.weights[0], together[number], atol=1e-5)
    # "the dog" is two tokens between two special ones: a plain pass gives the same.
    ids = torch.tensor([wordpiece()("the dog")["input_ids"][:4]])
    with torch.no_grad(), eager_attention(model):
        plain = model(input_ids=ids, output_attentions=True, use_cache=False).attentions
    square = [one for one in plain if one is not None and one.shape[-2:] == ids.shape[1:] * 2]
    (batch,) = attentions.read([["the", "dog"]])
    assert len(square) == len(layers)
    for weights, one in zip(batch.weights[0], square, strict=True):
        np.testing.assert_allclose(weights, one[0, :, 1:3, 1:3], atol=1e-5)


@needs_five
def test_the_layers_of_a_hybrid_keep_their_numbers(tmp_path: Any) -> None:
    bank, encoder = (
        tiny_bank(6),
        Encoder(make_hybrid("jamba"), tokenizer=wordpiece(), max_unknown=1),
    )
    with pytest.raises(EncoderError, match=r"layer 3 has no attention weights; .* layers 2, 4"):
        AttentionMST(encoder, layer=3)
    for layer in (None, 4):
        method = AttentionMST(encoder, layer=layer).fit(bank, bank)
        assert method.chosen_["layer"] in ((2, 4) if layer is None else (4,))
        assert method.dev_uuas_.shape == (2, 4)
        assert len(method.predict(bank)) == 6
    again = AttentionMST(encoder, **method.chosen_)
    for one, other in zip(again.predict(bank), method.predict(bank), strict=True):
        assert one.heads.tolist() == other.heads.tolist()
    probe = AttentionProbe(encoder, max_steps=2).fit(bank, bank)
    assert probe.weights_ is not None
    assert probe.weights_.shape == (2, 4, 2)
    analysis = analyse_heads(encoder, bank, bank, bank, folder=tmp_path, config=HeadsConfig())
    for rows in (analysis.head_rows(), analysis.trees):
        assert {row["layer"] for row in rows} == {2, 4}
    assert {row["layer"] for row in analysis.relations} <= {2, 4, None}
    tables = re.findall(r"^ *layer .*\n((?: *\d.*\n)+)", format_heads(analysis), re.MULTILINE)
    assert len(tables) == 4
    for table in tables:
        assert [line.split()[0] for line in table.splitlines()] == ["2", "4"]
    save_heat_maps(analysis, tmp_path)
    assert (tmp_path / "targets.svg").is_file()


def meddling(kind: Any, change: Callable[[Any], Any]) -> Any:
    """Make a model that changes its attention before it returns it."""

    class Changed(kind):
        def forward(self, *given: Any, **more: Any) -> Any:
            output = super().forward(*given, **more)
            if output.attentions:
                output.attentions = tuple(map(change, output.attentions))
            return output

    torch.manual_seed(0)
    more = {"num_key_value_heads": 4} if kind is transformers.LlamaModel else {}
    sizes = SIZES | {"vocab_size": len(wordpiece()), "num_hidden_layers": 2} | more
    return Changed(kind.config_class(**sizes)).eval()


def later(one: torch.Tensor) -> torch.Tensor:
    """Let the first token look at the second."""
    one[..., 0, :2] = one[..., 0, :2].flip(-1)
    return one


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        (transformers.BertModel, torch.log, "layer 1 returns no shares as attention: weights from"),
        (transformers.BertModel, lambda one: one.mT, "rows that sum to .* instead of 1"),
        (
            transformers.BertModel,
            lambda one: one / 2,
            r"rows that sum to 0\.5 to 0\.5 instead of 1",
        ),
        (transformers.BertModel, lambda one: 2 * one, "rows that sum to 2 to 2 instead of 1"),
        (transformers.LlamaModel, later, "layer 1 returns a weight of .* on a later token"),
        (
            transformers.BertModel,
            lambda one: one[..., 1:],
            r"layer 1 has shape \(\d+, 4, \d+, \d+\)",
        ),
        (transformers.BertModel, lambda one: one.mean(1), r"layer 1 has shape \(\d+, \d+, \d+\)"),
    ],
)
def test_what_is_not_the_attention_of_the_model_is_refused(
    kind: Any, change: Callable[[Any], Any], fault: str
) -> None:
    encoder = Encoder(meddling(kind, change), tokenizer=wordpiece())
    for make in (WordAttentions, AttentionMST, AttentionProbe):
        with pytest.raises(EncoderError, match=fault) as caught:
            make(encoder)
        assert str(caught.value).isprintable()


def test_attention_that_changes_nothing_is_read() -> None:
    plain = meddling(transformers.LlamaModel, lambda one: one)
    assert WordAttentions(Encoder(plain, tokenizer=wordpiece())).causal


def test_other_vectors_with_eager_attention_are_refused() -> None:
    model = meddling(transformers.BertModel, lambda one: one)
    normal = model.forward

    def forward(**more: Any) -> Any:
        output = normal(**more)
        if model.config._attn_implementation == "eager":
            output.last_hidden_state *= 1.01
        return output

    model.forward = forward
    encoder = Encoder(model, tokenizer=wordpiece())
    with pytest.raises(EncoderError, match=r"other vectors with eager attention.* 1\.0e-02 of"):
        WordAttentions(encoder)


def test_a_sink_may_take_a_share() -> None:
    more = {"num_hidden_layers": 2, "num_key_value_heads": 2, "head_dim": 8, "num_local_experts": 2}
    sizes = SIZES | more | {"vocab_size": len(wordpiece()), "num_experts_per_tok": 1}
    torch.manual_seed(0)
    model = transformers.GptOssModel(transformers.GptOssConfig(**sizes)).eval()
    (batch,) = WordAttentions(Encoder(model, tokenizer=wordpiece())).read(SENTENCES[:1])
    assert (batch.weights.sum(axis=-1) + batch.special < 0.999).any()
