"""Tiny random models, and tokenizers of all kinds trained on a few lines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers import models as algorithms
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5Model,
)

CORPUS = [
    "the dog that chased the cat ran away .",
    "a man saw the woman with the telescope , and she did n't see him .",
    "I don't know what they've done to Anna's house : it was 7 or 20 000 .",
    "whoever reads unbelievable newspapers understands everything nowadays",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z ' - < > / [ ] | _ !",
    "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z 0 1 2 3 4 5 6 7 8 9",
] * 20


@cache  # training is not reproducible: ties fall by chance
def wordpiece() -> PreTrainedTokenizerFast:
    """Cut as BERT does: [CLS] and [SEP] around the text, control characters dropped."""
    tokenizer = Tokenizer(algorithms.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(6)  # as some checkpoints have it: must not cut anything
    tokenizer.enable_padding(length=10, pad_token="[PAD]")
    names = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    return _wrap(tokenizer, names)


@cache
def paired_wordpiece() -> PreTrainedTokenizerFast:
    """Cut as `wordpiece` does, and write two segments as BERT does."""
    tokenizer = Tokenizer.from_str(wordpiece().backend_tokenizer.to_str())
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return _wrap(tokenizer, names, model_input_names=inputs)


def _byte_level(special: list[str], add_prefix_space: bool) -> Tokenizer:
    tokenizer = Tokenizer(algorithms.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


@cache
def roberta_bpe() -> PreTrainedTokenizerFast:
    """Cut bytes as RoBERTa does: <s> and </s> around the text."""
    tokenizer = _byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"], add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    names = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "mask": "<mask>"}
    return _wrap(tokenizer, names | {"cls": "<s>", "sep": "</s>"})


@cache
def gpt2_bpe() -> PreTrainedTokenizerFast:
    """Cut bytes as GPT-2 does: nothing around the text, one special token for all ends."""
    tokenizer = _byte_level(["<|endoftext|>"], add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    end = "<|endoftext|>"
    return _wrap(tokenizer, {"bos": end, "eos": end, "unk": end}, padding_side="left")


@cache
def bare_bpe() -> PreTrainedTokenizerFast:
    """Cut bytes, a space put in front, no special token at all."""
    tokenizer = _byte_level([], add_prefix_space=True)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return _wrap(tokenizer, {})


@cache
def unigram() -> PreTrainedTokenizerFast:
    """Cut as T5 does: </s> behind the text, special tokens among the model's own pieces."""
    tokenizer = Tokenizer(algorithms.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return _wrap(tokenizer, {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"})


@cache
def llama_bpe() -> PreTrainedTokenizerFast:
    """Cut as Llama does: <s> in front, a space put in front, bytes for unknown characters."""
    tokenizer = Tokenizer(algorithms.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    # Trained on single words: without a pre-tokenizer whole lines would become pieces.
    words = [f" {word}" for line in CORPUS for word in line.split()]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(words, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return _wrap(tokenizer, {"bos": "<s>", "eos": "</s>", "unk": "<unk>"}, padding_side="left")


def _wrap(tokenizer: Tokenizer, names: dict[str, str], **options: Any) -> PreTrainedTokenizerFast:
    tokens = {f"{role}_token": token for role, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **tokens, **options)


class _SlowTokenizer(PreTrainedTokenizer):
    """What the slow tokenizers share: a fixed vocabulary."""

    def __init__(self, pieces: list[str], **options: Any) -> None:
        self._numbers = {piece: number for number, piece in enumerate(pieces)}
        self._pieces = pieces
        super().__init__(**options)

    @property
    def vocab_size(self) -> int:
        return len(self._pieces)

    def get_vocab(self) -> dict[str, int]:
        return {**self._numbers, **self.added_tokens_encoder}

    def _convert_token_to_id(self, token: str) -> int | None:
        unknown = None if self.unk_token is None else self._numbers[self.unk_token]
        return self._numbers.get(token, unknown)

    def _convert_id_to_token(self, index: int) -> str:
        return self._pieces[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens).replace("▁", " ").strip()


class SlowWords(_SlowTokenizer):
    """Whitespace words in lower case, letters behind the first written ``##``; <cls> in front."""

    def __init__(self) -> None:
        letters = [chr(code) for code in range(33, 127)]
        pieces = ["<pad>", "<unk>", "<cls>", *letters, *(f"##{letter}" for letter in letters)]
        super().__init__(pieces, pad_token="<pad>", unk_token="<unk>", cls_token="<cls>")

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        words = "".join(char for char in text if char.isspace() or char.isprintable()).split()
        whole = self.all_special_tokens  # a trap: found in any text
        return [
            piece
            for word in words
            for piece in ([word] if word in whole else [word[0], *(f"##{c}" for c in word[1:])])
        ]

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        return [2, *token_ids_0]


class SlowMarks(_SlowTokenizer):
    """Characters, with spaces written ▁ and one put in front, as slow sentencepiece ones do.

    It has no unknown token and passes over what it does not know.
    """

    def __init__(self) -> None:
        known = [chr(code) for code in range(33, 127)]
        pieces = ["<pad>", "▁", "\ufffd", *known, *(f"▁{char}" for char in known if char.isalpha())]
        super().__init__(pieces, pad_token="<pad>")

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        marked = "▁" + text.strip().replace(" ", "▁")
        pieces: list[str] = []
        for char in (char for char in marked if char in self._numbers):
            if pieces and pieces[-1] == "▁" and char != "▁" and f"▁{char}" in self._numbers:
                pieces[-1] += char
            else:
                pieces.append(char)
        return pieces


FAST: dict[str, Callable[[], Any]] = {
    "wordpiece": wordpiece,
    "roberta_bpe": roberta_bpe,
    "gpt2_bpe": gpt2_bpe,
    "bare_bpe": bare_bpe,
    "unigram": unigram,
    "llama_bpe": llama_bpe,
}
SLOW: dict[str, Callable[[], Any]] = {"slow_words": SlowWords, "slow_marks": SlowMarks}
TOKENIZERS = {**FAST, **SLOW}


def _bert(vocab_size: int, positions: int) -> Any:
    return BertModel(BertConfig(vocab_size=vocab_size, max_position_embeddings=positions, **_SIZES))


def _roberta(vocab_size: int, positions: int) -> Any:
    config = RobertaConfig(vocab_size=vocab_size, max_position_embeddings=positions + 2, **_SIZES)
    return RobertaModel(config)


def _gpt2(vocab_size: int, positions: int) -> Any:
    config = GPT2Config(
        vocab_size=vocab_size, n_positions=positions, n_embd=32, n_layer=3, n_head=4
    )
    return GPT2Model(config)


def _llama(vocab_size: int, positions: int) -> Any:
    config = LlamaConfig(vocab_size=vocab_size, max_position_embeddings=positions, **_SIZES)
    return LlamaModel(config)


def _t5(vocab_size: int, positions: int) -> Any:
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 3, "num_heads": 4}
    return T5Model(T5Config(vocab_size=vocab_size, **sizes))


_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}
_MODELS = {"bert": _bert, "roberta": _roberta, "gpt2": _gpt2, "llama": _llama, "t5": _t5}
MODELS = tuple(_MODELS)


def tiny_model(name: str, tokenizer: Any, *, positions: int = 64, seed: int = 0) -> Any:
    """Make a random model of three layers, 32 wide, with weights large enough to matter."""
    torch.manual_seed(seed)
    model = _MODELS[name](len(tokenizer), positions)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
    return model.eval()
