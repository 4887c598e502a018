"""Tiny random models with language modelling heads, and slow loops that score texts with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BloomConfig,
    BloomForCausalLM,
    CohereConfig,
    CohereForCausalLM,
    ConvBertConfig,
    ConvBertForMaskedLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
_FEW: dict[str, Any] = {"head_dim": 8, "num_key_value_heads": 2, "sliding_window": 4}
_GPT2: dict[str, Any] = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}


class _Wide(GPT2Model):
    """Reads how wide a batch is, as models that ignore their mask do."""

    def forward(self, input_ids: Any = None, **given: Any) -> Any:
        given["inputs_embeds"] = self.wte(input_ids) + 0.3 * input_ids.shape[1]
        return super().forward(**given)


class WideGPT2(GPT2LMHeadModel):
    """Texts must be read in batches of equal length."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.transformer = _Wide(config)


CAUSAL: dict[str, Callable[[int], Any]] = {
    "gpt2": lambda n: GPT2LMHeadModel(GPT2Config(vocab_size=n, **_GPT2)),
    "llama": lambda n: LlamaForCausalLM(LlamaConfig(vocab_size=n, **SIZES)),
    "gemma2": lambda n: Gemma2ForCausalLM(  # soft caps, and windows shorter than the texts
        Gemma2Config(vocab_size=n, final_logit_softcapping=3.0, **_FEW, **SIZES)
    ),
    "gemma3": lambda n: Gemma3ForCausalLM(Gemma3TextConfig(vocab_size=n, **_FEW, **SIZES)),
    "bloom": lambda n: BloomForCausalLM(
        BloomConfig(vocab_size=n, hidden_size=32, n_layer=3, n_head=4)
    ),
    "opt": lambda n: OPTForCausalLM(  # its head is given what a decoder within a model gives
        OPTConfig(
            vocab_size=n,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            ffn_dim=64,
            word_embed_proj_dim=32,
            max_position_embeddings=64,
        )
    ),
    "cohere": lambda n: CohereForCausalLM(CohereConfig(vocab_size=n, **SIZES)),  # a scale
    "mamba": lambda n: MambaForCausalLM(  # no keys and values
        MambaConfig(vocab_size=n, hidden_size=32, num_hidden_layers=3, state_size=8)
    ),
    "wide": lambda n: WideGPT2(GPT2Config(vocab_size=n, **_GPT2)),
}
MASKED: dict[str, Callable[[int], Any]] = {
    "bert": lambda n: BertForMaskedLM(
        BertConfig(vocab_size=n, max_position_embeddings=40, **SIZES)
    ),
    "convbert": lambda n: ConvBertForMaskedLM(  # ignores its mask
        ConvBertConfig(vocab_size=n, embedding_size=32, max_position_embeddings=40, **SIZES)
    ),
}


def headed(make: Callable[[int], Any], tokenizer: Any, seed: int = 0) -> Any:
    """A random model with weights large enough to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make(len(tokenizer))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(std=0.3)
    return model.eval()


def cut(tokenizer: Any, text: str) -> tuple[list[int], list[int]]:
    """The tokens of a text without special ones, and the word in which each begins."""
    plain = {"add_special_tokens": False, "padding": False, "truncation": False}
    encoded = tokenizer(text, return_offsets_mapping=True, **plain)
    words = []
    for start, end in encoded["offset_mapping"]:
        first = next((i for i in range(start, end) if not text[i].isspace()), end)
        words.append(len(text[:first].split()) - (first > 0 and not text[first - 1].isspace()))
    return encoded["input_ids"], words


def slow_causal(model: Any, before: list[int], ids: list[int], *, whole: bool = False) -> Any:
    """The log-probability of each token, from a pass over those before it; NaN without any."""
    scores = []
    for place in range(len(ids)):
        given = [*before, *ids] if whole else [*before, *ids[:place]]
        if not before and not place:
            scores.append(np.nan)
            continue
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([given])).logits[0]
        at = logits[len(before) + place - 1].double()
        scores.append(float(torch.log_softmax(at, dim=-1)[ids[place]]))
    return np.array(scores)


def slow_masked(model: Any, around: tuple[int, int, int], ids: list[int], words: list[int]) -> Any:
    """The log-probability of each token, masked with the later ones of its word."""
    before, after, mask = around
    scores = []
    for place, token in enumerate(ids):
        hidden = [
            mask if i >= place and words[i] == words[place] else one for i, one in enumerate(ids)
        ]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[before, *hidden, after]])).logits[0]
        scores.append(float(torch.log_softmax(logits[1 + place].double(), dim=-1)[token]))
    return np.array(scores)
