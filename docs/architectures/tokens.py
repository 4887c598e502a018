"""The tokenizers and the sentences of the trial; what the tokenizers know is trained here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

_TEXT = [
    "the ferry that left the harbour at noon turned back because of the fog",
    "two old sailors mended a torn sail on the quay and said nothing",
    "who would believe that the lighthouse keeper never learned to swim",
    "her letters came late , but they came , and he kept them all",
]
# Two of one length, one of a single word, and one that is much longer than the others.
SENTENCES = [
    text.split()
    for text in (
        "sailors swim",
        "fog",
        "two letters came late",
        "the keeper never said nothing",
        "the old ferry turned back",
        f"{_TEXT[0]} , and {_TEXT[1]} , but {_TEXT[3]}",
        f"{_TEXT[2]} because of the fog",
    )
]
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # their ids are 0 to 4


def make_tokenizer(architecture: str) -> Any:
    """Give the tokenizer of an architecture: WordPiece, but for those that read characters."""
    import transformers

    name = {
        "canine": "CanineTokenizer",
        "perceiver": "PerceiverTokenizer",
        "blt": "ByT5Tokenizer",
    }.get(architecture)
    return getattr(transformers, name)() if name else _word_pieces()


def _word_pieces() -> Any:
    """Train a WordPiece tokenizer on our own words; it is the same each time."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=150, special_tokens=_SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(_TEXT * 20, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **dict(zip(names, _SPECIAL, strict=True))
    )


def read(tokenizer: Any, words: list[str]) -> tuple[list[int], NDArray[np.float64]]:
    """Give the ids of a sentence, and the share of each position in the mean of each word."""
    # -> (n_positions,), (n_words, n_positions)
    if tokenizer.is_fast:
        text = tokenizer(" ".join(words), return_offsets_mapping=True)
        spans = text["offset_mapping"]
    else:  # each character, which is one byte in these sentences, is one subword
        text = tokenizer(" ".join(words))
        bare = tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
        n_before = next(
            i for i in range(len(text["input_ids"])) if text["input_ids"][i : i + len(bare)] == bare
        )
        spans = [(i - n_before, i - n_before + 1) for i in range(len(text["input_ids"]))]
    shares = np.zeros((len(words), len(spans)))
    start = 0
    for i, word in enumerate(words):
        stop = start + len(word)
        for place, (left, right) in enumerate(spans):
            if left < right and max(left, start) < min(right, stop):
                shares[i, place] = 1
        start = stop + 1
    return list(text["input_ids"]), shares / shares.sum(1, keepdims=True)
