"""Tiny random checkpoints of several architectures, written as `save_pretrained` writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedTokenizerFast,
)

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = ["the", "dog", "cat", "ran", "saw", "a"]
SHAPE = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 24,
}
ARCHITECTURES = {
    "bert": SHAPE,
    "roberta": SHAPE,
    "llama": SHAPE | {"max_position_embeddings": 131_072},
    "gpt2": {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 24},
    "longformer": SHAPE | {"attention_window": 8, "max_position_embeddings": 26},
    "t5": {"d_model": 8, "d_kv": 4, "d_ff": 12, "num_layers": 2, "num_heads": 2},
    "bart": {"max_position_embeddings": 24},
    "mpt": {"d_model": 8, "n_layers": 2, "n_heads": 2, "max_seq_len": 30},
    "vit": {k: v for k, v in SHAPE.items() if k != "max_position_embeddings"},
    "funnel": {"d_model": 8, "block_sizes": [1, 1], "n_head": 2, "d_head": 4, "d_inner": 8},
}


def make_tokenizer(words=WORDS, **changes) -> PreTrainedTokenizerFast:
    """A word-level tokenizer that claims to take texts of any length."""
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **(names | changes))


def make_model(kind: str, seed: int = 0, **changes):
    """A bare random model of this architecture."""
    settings = ARCHITECTURES[kind] | changes
    if kind != "vit":
        settings |= {"vocab_size": len(SPECIAL + WORDS), "pad_token_id": 1}
        settings |= {"bos_token_id": 0, "eos_token_id": 2}
    if kind == "funnel":
        settings["architectures"] = ["FunnelModel"]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModel.from_config(AutoConfig.for_model(kind, **settings)).eval()


def save_checkpoint(folder: Path, kind: str, seed: int = 0, tokenizer=None, **changes) -> str:
    """Write model and tokenizer into a folder."""
    make_model(kind, seed, **changes).save_pretrained(folder)
    (tokenizer or make_tokenizer()).save_pretrained(folder)
    return str(folder)


def save_head(folder: Path, kind: str) -> str:
    """Write a tiny model with its language modelling head."""
    head = AutoModelForCausalLM if kind == "gpt2" else AutoModelForMaskedLM
    told = {"vocab_size": len(SPECIAL + WORDS) + 1, "pad_token_id": 1, "bos_token_id": 0}
    config = AutoConfig.for_model(kind, **ARCHITECTURES[kind], **told, eos_token_id=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head.from_config(config).save_pretrained(folder)
    make_tokenizer([*WORDS, "<mask>"], mask_token="<mask>").save_pretrained(folder)
    return str(folder)


def read_weights(folder: str | Path) -> dict[str, torch.Tensor]:
    """Read a checkpoint's weights into memory: the file can then be written over."""
    return load(Path(folder, "model.safetensors").read_bytes())


def write_weights(folder: str | Path, weights: dict[str, torch.Tensor]) -> None:
    """Write other weights into a checkpoint."""
    save_file(weights, Path(folder, "model.safetensors"), metadata={"format": "pt"})


def save_gguf(path: Path) -> str:
    """Write a tiny Llama with a byte-level tokenizer as one GGUF file."""
    import gguf

    width, heads, inner = 8, 2, 12
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<unk>", "<s>", "</s>", *letters, "th", "the"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(2)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_merges(["t h", "th e"])
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    rng = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(scale=0.1, size=shape).astype(np.float32))

    add("token_embd.weight", len(tokens), width)
    add("output_norm.weight", width)
    for block in ("blk.0", "blk.1"):
        add(f"{block}.attn_norm.weight", width)
        add(f"{block}.ffn_norm.weight", width)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"{block}.{part}.weight", width, width)
        add(f"{block}.ffn_gate.weight", inner, width)
        add(f"{block}.ffn_up.weight", inner, width)
        add(f"{block}.ffn_down.weight", width, inner)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(path)
