"""Make the default configuration of any architecture small, by the names of its fields.

One set of widths for all: every field that names a width of the residual stream becomes `WIDTH`, so
that towers and the projections between them fit together. `OVERRIDES` has what no rule reaches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

HEADS, HEAD = 4, 16
WIDTH, INNER = HEADS * HEAD, 96
VOCABULARY, POSITIONS = 400, 128

# Ids of the special tokens in `tokens.py`, by the stem of a field's name.
SPECIAL = {"pad": 0, "unk": 1, "bos": 2, "cls": 2, "eos": 3, "sep": 3, "mask": 4}
SPECIAL |= {"decoder_start": 2, "forced_bos": 2, "forced_eos": 3}
_TOKEN_ID = re.compile(r"(.*?)_?(token_id|token_index|token_ids|index|id)")
_LAYERS = re.compile(r"num_hidden_layers|n_layers?|num_layers|depth|(encoder|decoder)_layers")


def _key_value_heads(value: int, fields: dict[str, Any]) -> int:
    """Keep one head for all, a head each, or groups."""
    if not fields:
        return HEADS
    heads = {fields.get(name) for name in ("num_attention_heads", "n_head", "num_heads", "n_heads")}
    return HEADS if value in heads else min(value, 2)


def _heads(value: int, fields: dict[str, Any]) -> int:
    """Give the heads: twice as many for state space layers, which are twice as wide."""
    return 2 * HEADS if "expand" in fields else min(value, HEADS)


def _always(value: Any) -> Callable[[Any, dict[str, Any]], Any]:
    """Give a rule that replaces small values too."""
    return lambda old, fields: value


# The first rule whose pattern fits the whole name of a field decides. A number is an upper bound;
# a function gets the old value and all fields.
_Rule = int | Callable[[Any, dict[str, Any]], Any]
_RULES: list[tuple[str, _Rule]] = [
    (r"initializer_range|init_std|embed_init_std", _always(0.2)),
    (r"vocab_size", _always(VOCABULARY)),
    (r"n_tokens|.*vocab_size.*|.*_vocab", VOCABULARY),
    (r"codebook_size", 256),
    (
        r"max_position_embeddings|n_positions|n_ctx|max_seq_len|max_sequence_length",
        _always(POSITIONS),
    ),
    (r"max_.*position.*|max_(source|target|text)_.*|seq_length|context_length", POSITIONS),
    (r"mamba_(n|num)_heads|n_mamba_heads", _always(2 * HEADS)),
    (r"mamba_d_ssm", _always(2 * WIDTH)),
    (r"mamba_(d_head|head_dim|headdim)", _always(HEAD)),
    (r"qk_head_dim", _always(2 * HEAD)),
    (r"num_heads|n_heads", _heads),
    (r"(num|n)_expert_groups?", 1),
    (r"(.*_)?(num_|n_)?(key_value|kv)_?(heads?|groups)|.*(num_|n_)query_groups", _key_value_heads),
    (r"(.*_)?(num_|n_)?(.*_)?(attention_|attn_)?heads|(.*_)?n_?head|num_heads_.*", HEADS),
    (r"(.*_)?(num_|n_)?(hidden_|transformer_|encoder_|decoder_|text_)*(layers?|blocks)", 2),
    (r"(.*_)?(num_|n_)(.*_)?(hidden_)?layers?|depth|n_layer.*|num_.*_layers", 2),
    (r"index_topk", POSITIONS),  # above the length of the sentences, as in the real models
    (r"(num|n)_(shared|zero|null).*_experts?|(.*_)?shared_experts?", 1),
    (r"(.*_)?(num_|n_)(.*_)?experts?_?(per_tok.*|per_token)|.*top_?k(_experts?)?|moe_k", 2),
    (r"(.*_)?(num_|n_)?(.*_)?experts?", 4),
    (r"(num_|n_)groups?|n_group|topk_group|.*_ngroups|.*_n_groups", 1),
    (r"(.*_)?head_(dim|size)|(d_|dim_)?(kv|head)|.*_head_dim.*|d_kv|.*_d_head|rotary_dim", HEAD),
    (r"(.*_)?lora_rank|.*_rank|.*low_rank.*", HEAD),
    (r"(.*_)?(state_size|d_state|ssm_state_size)", HEAD),
    (r".*(intermediate|ffn|ff_dim|inner_dim|inner_size|feed_forward|mlp_dim|n_inner).*", INNER),
    (r"d_ff|dim_feedforward|mlp_size|.*_ff|ff_.*dim|.*hidden_dim|shared_.*_size", INNER),
    (r"(.*_)?(hidden_size|d_model|n_embd|embed(ding)?_(dim|size)|emb_dim|width|hidden)", WIDTH),
    (r"(.*_)?(output|out|projection|proj|input|embedding|text|model)_(dim|dims|size)", WIDTH),
    (r"cond(ition)?_dim|channels_in|adapter_in_dim", WIDTH),
    (r"dim|hidden_sizes?_.*|.*_hidden_size.*|.*d_model.*|.*bottleneck_size|.*_width", WIDTH),
    (r"image_size|input_size", 64),
    (r"num_filters", 2),
    (r"(.*_)?(window|window_size|sliding_window|chunk_size|chunk_length|block_size)", 16),
    (r"(.*_)?(offset)", 1),
    (r"(.*_)?(layer_period|interval|every_n_layers|layer_freq|step)", 2),
]
_COMPILED = [(re.compile(pattern), rule) for pattern, rule in _RULES]

_MROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]}
_QSA = {
    **{"indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": HEAD},
    **{"indexer_budget": 16, "indexer_compress_ratio": 4},
}
# Fields by architecture, with dots into its parts.
OVERRIDES: dict[str, dict[str, Any]] = {
    "lilt": {"hidden_size": 96},  # six coordinates share a vector
    "layoutlmv3": {"coordinate_size": 12, "shape_size": 8},
    "reformer": {"axial_pos_embds": False},
    "chameleon": {"vocabulary_map": {"<image>": 390, "IMGIMGBSZ": 391}},
    "emu3": {
        "vq_config.base_channels": 32,
        "vocabulary_map": {"<image>": 390, "<|extra_200|>": 391},
    },
    "cohere_compass_text": {"rope_parameters": {"full_attention": _MROPE}},
    "cohere_compass": {"text_config.rope_parameters": {"full_attention": _MROPE}},
    "paddleocr_vl": {"text_config.rope_parameters": _MROPE},
    "mistral4": {"head_dim": 2 * HEAD},
    "zamba": {
        **{"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2},
        **{"attention_hidden_size": 2 * WIDTH, "attention_head_dim": 2 * HEAD},
    },
    "zamba2": {
        **{"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2},
        **{"attention_hidden_size": 2 * WIDTH, "attention_head_dim": 2 * HEAD},
        **{"kv_channels": HEAD, "hybrid_layer_ids": [1, 3]},
    },
    "recurrent_gemma": {"num_hidden_layers": 3},
    "canine": {"max_position_embeddings": 512},  # it reads characters
    "blt": {"max_position_embeddings": 512},  # it reads bytes
    "hrm_text": {
        "num_layers_per_stack": 2,
        "num_hidden_layers": 16,
    },  # of two stacks, in all of its cycles
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention"]},
    "bamba": {"attn_layer_indices": [1]},
    "esm": {"vocab_size": VOCABULARY, "pad_token_id": 0, "mask_token_id": 4},
    "xmod": {"default_language": "en_XX"},
    "t5gemma2_encoder": {"text_config.dropout_rate": 0.0},
    "deepseek_ocr2": {"text_config.mlp_layer_types": ["dense", "sparse"]},
    "ernie4_5_vl_moe": {"text_config.rope_parameters": _MROPE | {"mrope_section": [3, 3, 2]}},
    "granite4_vision": {
        "deepstack_layer_map": [[0, 0]],
        "spatial_target_layers": [],
        "downsample_rate": "1/2",
    },
    "qwen4_exp_text": _QSA,
    "qwen4_exp": {f"text_config.{name}": value for name, value in _QSA.items()},
    # Towers for images and sound, which cannot be left out.
    "align": {"vision_config.depth_coefficient": 0.1, "vision_config.width_coefficient": 0.5},
    "florence2": {
        "vision_config.embed_dim": (16, 32, 64, 128),
        "vision_config.num_heads": (1, 2, 4, 8),
        "vision_config.num_groups": (1, 2, 4, 8),
        "vision_config.depths": (1, 1, 1, 1),
    },
    "muse_spark": {"audio_config.hidden_sizes": (16, 32, 64, 128)},
    "vibevoice_asr": {"acoustic_tokenizer_chunk_size": 3200},
    "csm": {"codec_config.upsample_groups": WIDTH},
    "janus": {"vq_config.base_channels": 32},
    "tvp": {"visual_prompt_size": 16, "max_img_size": 64},
    "xlstm": {"qk_dim_factor": 1.0},
    "markuplm": {"tag_pad_id": 216, "subs_pad_id": 1001},
    "dbrx": {"attn_config.rope_theta": 1e4, "attn_config.clip_qkv": 8.0},
    "qwen2_5_omni_thinker": {"vision_start_token_id": 390},
    "qwen3_omni_moe_thinker": {"vision_start_token_id": 390},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
}


def shrink(config: Any, fill: bool = False) -> Any:
    """Make a configuration small in place, with all of its parts, and give it back.

    With `fill`, fields that are None by default get a value too.
    """
    _shrink(config, fill, {}, iter(range(VOCABULARY - 1, 0, -1)))
    for name, value in OVERRIDES.get(config.model_type, {}).items():
        *parts, last = name.split(".")
        owner = config
        for part in parts:
            owner = getattr(owner, part)
        vars(owner)[last] = value
    return config


def _shrink(config: Any, fill: bool, ids: dict[str, int], free: Iterator[int]) -> None:
    """Shrink one configuration, its parts first."""
    if getattr(config, "is_heterogeneous", False):
        config.per_layer_config = None  # settings of layers that will not be there
    # Fields are set past the checks of their types: some defaults break their own.
    fields = dict(vars(config))
    n_layers = next((v for k, v in fields.items() if _LAYERS.fullmatch(k) and type(v) is int), None)
    kept = _keep_layers(fields, n_layers)
    mrope = "mrope_section" in getattr(config, "ignore_keys_at_rope_validation", ())
    for name, value in fields.items():
        if hasattr(value, "model_type") and hasattr(value, "to_dict"):
            _shrink(value, fill, ids, free)
        elif name.startswith("_") or isinstance(value, bool | str):
            continue
        elif value is None:
            if fill:
                vars(config)[name] = _filled(name)
        elif _TOKEN_ID.fullmatch(name) and isinstance(value, int | list):
            vars(config)[name] = _token_id(name, value, ids, free)
        elif isinstance(value, list | tuple) and n_layers and len(value) == n_layers:
            vars(config)[name] = type(value)(value[i] for i in kept)
        elif name == "depths" and isinstance(value, list | tuple):
            vars(config)[name] = type(value)(1 for _ in value)
        elif _LAYERS.fullmatch(name) and type(value) is int:
            vars(config)[name] = min(value, len(kept))
        elif isinstance(value, int | float):
            vars(config)[name] = _new_value(name, value, fields)
        elif isinstance(value, dict) and "label" not in name:
            vars(config)[name] = _new_dict(value, mrope)


def _keep_layers(fields: dict[str, Any], n_layers: int | None) -> list[int]:
    """Choose the layers to keep: the first of each kind, and at least two."""
    if not n_layers:
        return [0, 1]
    lists = [v for v in fields.values() if isinstance(v, list | tuple) and len(v) == n_layers]
    seen: dict[str, int] = {}
    for i in range(n_layers):
        seen.setdefault(repr([one[i] for one in lists]), i)
    kinds = sorted(seen.values())[:6]
    return kinds if len(kinds) > 1 else list(range(min(2, n_layers)))


def _token_id(name: str, value: Any, ids: dict[str, int], free: Iterator[int]) -> Any:
    """Give a special token a row of the small table, the same in all parts."""
    if isinstance(value, list):
        return [_token_id(f"{name}{i}", one, ids, free) for i, one in enumerate(value)]
    stem = re.sub(r"_?(token)?_?(id|index|ids)\d*$", "", name)
    if not isinstance(value, int) or value < 0:
        return value
    if stem in SPECIAL:
        return SPECIAL[stem]
    if name not in ids:
        ids[name] = next(free)
    return ids[name]


def _new_value(name: str, value: Any, fields: dict[str, Any]) -> Any:
    """Give a number its new value."""
    for pattern, rule in _COMPILED:
        if pattern.fullmatch(name):
            if callable(rule):
                return rule(value, fields)
            return min(value, rule) if value > 0 else value
    return value


def _filled(name: str) -> int | None:
    """Give a value to a field that has none, if a rule knows its name."""
    for pattern, rule in _COMPILED:
        if pattern.fullmatch(name):
            return rule(10**6, {}) if callable(rule) else rule
    return None


def _new_dict(value: dict[Any, Any], mrope: bool) -> dict[Any, Any]:
    """Shrink what stands in a dict, such as the settings of rotary positions."""
    new = {k: _new_dict(v, mrope) if isinstance(v, dict) else v for k, v in value.items()}
    if "mrope_section" in new or (mrope and "rope_theta" in new):
        half = int(HEAD * (new.get("partial_rotary_factor") or 1)) // 2
        rest = half // 3
        sections = [half - 2 * rest, rest, rest]  # of time, height and width
        old = new.get("mrope_section") or [2, 1, 1]
        new["mrope_section"] = sections[::-1] if old[0] == old[1] else sections
    if "original_max_position_embeddings" in new:
        new["original_max_position_embeddings"] = POSITIONS
    return new
