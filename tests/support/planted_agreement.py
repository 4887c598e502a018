"""Two language models with the same vectors, of which one reads agreement where the tree is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from support.tiny_checkpoints import make_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from structprobe import Encoder, Sentence
from structprobe.stimuli.suites.pairs import MinimalPair

N_NOUNS = 30
WIDTH = 40
# Axes: the tree has those of the subject (written twice, with both signs, so that layer norm moves
# nothing), of the object and of their determiners; one outside of it has another feature of nouns.
SUBJECT, OBJECT, DET, OBJECT_DET, OTHER = (0, 1), 2, 3, 4, (5, 6)
BIAS = 7  # what each layer adds to, so that layers can be told apart
# What a noun is preferred with anyway, less strongly: it decides where agreement is not known.
HABIT = (8, 9)
NOISE = slice(10, WIDTH)


def planted_model(reads: str) -> Encoder:
    """A GPT-2 whose next verb agrees with the sign of the subject's axis, or of the other axis.

    ``reads`` is ``"tree"`` or ``"elsewhere"``. The vectors are the same in both.
    """
    dice = np.random.default_rng(0)
    scales = np.geomspace(0.02, 3.0, WIDTH - 10)
    vectors: dict[str, np.ndarray] = {}
    for a in "ab":
        side = 1.0 if a == "a" else -1.0
        for b in "cd":
            for number in range(N_NOUNS):
                noun = _vector(side, 0, 1.0 if b == "c" else -1.0)
                noun[[*HABIT]] = np.array([0.35, -0.35]) * dice.choice([-1, 1])
                vectors[f"n{a}{b}{number}"] = noun
        vectors[f"the{a}"] = _vector(side, 0, 0)
        vectors[f"the{a}"][DET] = 1
    for number in range(N_NOUNS):
        vectors[f"o{number}"] = _vector(0, 1, 0)
    vectors["an"] = _vector(0, 1, 0)
    vectors["an"][OBJECT_DET] = 1
    for word in [*vectors]:
        vectors[word][NOISE] = dice.normal(size=WIDTH - 10) * scales
    verb = _vector(0, 0, 0)
    verb[NOISE] = dice.normal(size=WIDTH - 10) * scales
    vectors["sings"] = vectors["sing"] = verb
    tokenizer = make_tokenizer([*vectors])
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=16, n_embd=WIDTH, n_layer=2, n_head=2, n_inner=4,
        tie_word_embeddings=False, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model: Any = GPT2LMHeadModel(config).eval()
    plus, minus = SUBJECT if reads == "tree" else OTHER
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".ln_" not in name or not name.endswith("weight"):
                parameter.zero_()
        for word, vector in vectors.items():
            row = tokenizer.convert_tokens_to_ids(word)
            model.transformer.wte.weight[row] = torch.tensor(vector)
        for block in model.transformer.h:
            block.mlp.c_proj.bias[BIAS] = 0.25
        for word, sign in (("sings", 1.0), ("sing", -1.0)):
            row = tokenizer.convert_tokens_to_ids(word)
            model.lm_head.weight[row, plus] = sign
            model.lm_head.weight[row, minus] = -sign
            model.lm_head.weight[row, HABIT[0]] = sign
            model.lm_head.weight[row, HABIT[1]] = -sign
    return Encoder(model, tokenizer=tokenizer)


def _vector(subject: float, obj: float, other: float) -> np.ndarray:
    """Place a word in the tree, and off it."""
    found = np.zeros(WIDTH)
    found[[*SUBJECT]] = np.array([1, -1]) * subject / np.sqrt(2)
    found[OBJECT] = obj
    found[[*OTHER]] = np.array([1, -1]) * other / np.sqrt(2)
    return found


def planted_sentences(n: int, seed: int = 0) -> list[Sentence]:
    """Sentences of five words, whose trees are in the vectors: the noun verb an object."""
    dice = np.random.default_rng(seed)
    found = []
    for number in range(n):
        a, b = dice.choice(["a", "b"]), dice.choice(["c", "d"])
        noun, obj = (int(dice.integers(N_NOUNS)) for _ in range(2))
        words = (f"the{a}", f"n{a}{b}{noun}", "sings", "an", f"o{obj}")
        deprels = ("det", "nsubj", "root", "det", "obj")
        heads = np.array([2, 3, 0, 5, 3], dtype=np.int32)
        found.append(Sentence(words, heads, deprels=deprels, sent_id=f"s{number}"))
    return found


def planted_pairs(n: int, reads: str, seed: int = 1) -> list[MinimalPair]:
    """Pairs that differ in their verb, which agrees with the feature that a model reads."""
    dice = np.random.default_rng(seed)
    found = []
    for number in range(n):
        a, b = "ab"[number % 2], "cd"[number // 2 % 2]
        noun = f"the{a} n{a}{b}{int(dice.integers(N_NOUNS))}"
        plural = (a if reads == "tree" else b) in "bd"
        verbs = ("sing", "sings") if plural else ("sings", "sing")
        good, bad = (f"{noun} {verb}" for verb in verbs)
        name = f"agreement{number % 2}"
        found.append(MinimalPair(good, bad, "planted", name, "agreement", number, f"pair {number}"))
    return found


def write_planted(folder: Path, n_pairs: int, parts: Mapping[str, int]) -> None:
    """Write pairs.tsv and treebanks of some sizes, as the planted models read them."""
    for seed, (name, n) in enumerate(parts.items()):
        lines = []
        for sentence in planted_sentences(n, seed):
            assert sentence.heads is not None
            assert sentence.deprels is not None
            rows = zip(sentence.words, sentence.heads, sentence.deprels, strict=True)
            lines += [
                f"{i}\t{word}\t_\tX\t_\t_\t{head}\t{deprel}\t_\t_"
                for i, (word, head, deprel) in enumerate(rows, 1)
            ] + [""]
        (folder / f"{name}.conllu").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pairs = "\n".join(f"{one.good}\t{one.bad}" for one in planted_pairs(n_pairs, "tree"))
    (folder / "pairs.tsv").write_text(f"{pairs}\n", encoding="utf-8")
