"""Attention probes: planted heads, the weights against slow sums, and what is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from support.models import gpt2_bpe, tiny_model, wordpiece
from support.planted import planted

from structprobe.attention.word_attentions import AttentionBatch, WordAttentions
from structprobe.encoder import Encoder
from structprobe.errors import ProbeError, TreeError
from structprobe.recoverers.attention_probe import AttentionProbe
from structprobe.recoverers.base import MethodContext
from structprobe.scores import score
from structprobe.treebank import Sentence, Treebank
from structprobe.trees import arborescence

WORDS = ("the", "dog", "cat", "ran", "saw", "woman", "man", "house")


def bank(n_sentences: int, seed: int) -> list[Sentence]:
    """Random trees over random words."""
    generator = np.random.default_rng(seed)
    _, trees = planted(n_sentences, seed=seed, longest=7)
    return [
        Sentence(tuple(generator.choice(WORDS, size=len(heads)).tolist()), heads=heads)
        for heads in trees
    ]


NAMES = ("attention-probe", "attention-probe-words")
TRAIN, DEV, TEST = bank(120, 0), bank(30, 1), bank(30, 2)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    cutter = wordpiece()
    return Encoder(tiny_model("bert", cutter), tokenizer=cutter)


def made(encoder: Encoder, name: str, seed: int = 0, **more: Any) -> AttentionProbe:
    context = MethodContext(encoder, seed=seed, device="cpu", progress=False)
    return AttentionProbe.for_model(context, **AttentionProbe.variants[name], **more)


def copying(n: int, heads: Any, swapped: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Attention (12, n, n) and to special tokens (12, n): head 5 copies the gold, 3 a false head.

    Of a word that is `swapped`, it is the other way round.
    """
    generator = np.random.default_rng(n)
    weights = generator.dirichlet(np.ones(n + 1), size=(12, n))  # column 0 is the special tokens
    false = (np.asarray(heads) + 1 + generator.integers(n, size=n)) % (n + 1)
    for i in range(n):
        weights[[5, 3], i] = 0
        for layer_head, head in zip((3, 5) if swapped[i] else (5, 3), (heads, false), strict=True):
            weights[layer_head, i, head[i]] = 1
    return weights[..., 1:], weights[..., 0]


def plant(monkeypatch: pytest.MonkeyPatch, swapped: frozenset[str] = frozenset()) -> None:
    """Let the model attend to gold heads."""

    def read(self: Any, sentences: Any, progress: Any = None) -> Iterator[AttentionBatch]:
        del self, progress
        for number, sentence in enumerate(sentences):
            n = len(sentence)
            turned = [word in swapped for word in sentence.words]
            weights, special = copying(n, sentence.heads, turned)
            special = special.reshape(1, 3, 4, n).astype(np.float32)
            yield AttentionBatch(
                np.array([number]),
                np.array([n]),
                weights.reshape(1, 3, 4, n, n).astype(np.float32),
                special,
                special,
                special_kept=True,
            )

    monkeypatch.setattr(WordAttentions, "read", read)


def test_a_head_that_copies_the_gold_scores_100(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    probe = made(encoder, "attention-probe", max_steps=300).fit(TRAIN, DEV)
    scores = score(TEST, probe.predict(TEST))
    assert (scores.uas, scores.uuas, scores.root_acc) == (1, 1, 1)
    assert probe.weights_.shape == (3, 4, 2)
    strongest = np.unravel_index(np.abs(probe.weights_).argmax(), probe.weights_.shape)
    assert strongest == (1, 1, 0)  # head 5 of 12, from the word to its head
    assert probe.weights_[strongest] > 0
    assert probe.history_[-1]["dev_loss"] < 0.2
    assert probe.chosen_["choice"].endswith(" of 300")


@pytest.mark.slow
def test_only_words_tell_which_head_to_trust(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, frozenset(WORDS[::2]))  # half of the words have the two heads swapped
    train = bank(500, 0)
    alone, words = (made(encoder, name, max_steps=600).fit(train, DEV) for name in NAMES)
    assert words.weights_ is None
    assert score(TEST, words.predict(TEST)).uas == 1
    assert score(TEST, alone.predict(TEST)).uas < 0.9


def test_words_that_no_training_sentence_has(encoder: Encoder) -> None:
    probe = made(encoder, "attention-probe-words", max_steps=20).fit(TRAIN, DEV)
    for words in (("telescope",), ("the", "telescope", "understands", "newspapers")):
        (found,) = probe.predict([Sentence(words)])
        assert np.isfinite(found.arc_scores[:, 0]).all()
        assert (found.heads == 0).sum() == 1


def test_predictions_are_the_sums_of_weights_and_attention(encoder: Encoder) -> None:
    probe = made(encoder, "attention-probe", max_steps=30).fit(TRAIN, DEV)
    to_root = probe.scorer_.weights()[0].detach().numpy()
    weights, constant = probe.weights_.reshape(12, 2), probe.scorer_.constant.item()
    assert np.abs(weights).min() > 0
    predictions = probe.predict(TEST)
    for batch in WordAttentions(encoder).read(TEST, progress=False):
        for row, (number, n) in enumerate(zip(batch.sentences, batch.lengths, strict=True)):
            a = batch.weights[row].reshape(12, *batch.weights.shape[-2:])
            special = batch.special[row].reshape(12, -1)
            scores = np.full((n, n + 1), -np.inf)
            for i in range(n):
                scores[i, 0] = constant + sum(to_root * special[:, i])
                for j in range(n):
                    if i != j:
                        scores[i, j + 1] = sum(weights[:, 0] * a[:, i, j])
                        scores[i, j + 1] += sum(weights[:, 1] * a[:, j, i])
                scores[i] -= np.log(np.exp(scores[i]).sum())
            found = predictions[number]
            np.testing.assert_allclose(found.arc_scores, scores, rtol=1e-3, atol=1e-4)
            np.testing.assert_array_equal(found.heads, arborescence(found.arc_scores))


@pytest.mark.parametrize("name", NAMES)
def test_the_gold_of_test_is_not_looked_at(encoder: Encoder, name: str) -> None:
    probe = made(encoder, name, max_steps=20).fit(TRAIN, DEV)
    assert (probe.name, probe.uses_gold) == (name, False)
    bare = list(Treebank.from_words([one.words for one in TEST]))
    other = [replace(one, heads=np.arange(len(one))) for one in TEST]
    wanted = probe.predict(TEST)
    for changed in (bare, other):
        for mine, theirs in zip(probe.predict(changed), wanted, strict=True):
            np.testing.assert_array_equal(mine.arc_scores, theirs.arc_scores)
            np.testing.assert_array_equal(mine.heads, theirs.heads)
    assert probe.predict([]) == []


def test_training_follows_the_seed(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    # Blocks so small that there are many, whose order is drawn.
    monkeypatch.setattr("structprobe.probe.readers.head_candidates.BLOCK_CELLS", 60)
    one, again, other = (
        made(encoder, "attention-probe", seed=seed, max_steps=20).fit(TRAIN, DEV).weights_
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_a_causal_model_has_a_probe_too(name: str) -> None:
    cutter = gpt2_bpe()
    probe = made(Encoder(tiny_model("gpt2", cutter), tokenizer=cutter), name)
    probe.max_steps = 20
    predictions = probe.fit(TRAIN, DEV).predict(TEST)
    for one, sentence in zip(predictions, TEST, strict=True):
        assert (one.heads == 0).sum() == 1
        assert len(one) == len(sentence)


@pytest.mark.parametrize("name", NAMES)
def test_faults(encoder: Encoder, name: str) -> None:
    probe = made(encoder, name, max_steps=5)
    with pytest.raises(NotFittedError, match=f"'{name}' is not fitted"):
        probe.predict(TEST)
    with pytest.raises(ProbeError, match="early stopping needs a dev set; pass one to fit"):
        probe.fit(TRAIN)
    with pytest.raises(ProbeError, match="a training sentence has no heads"):
        probe.fit([Sentence(("dog",))], DEV)
    with pytest.raises(TreeError, match="no word is the root"):
        probe.fit([Sentence(("the", "dog"), heads=[2, 1])], DEV)
    with pytest.raises(ProbeError, match="max_steps must be a positive integer, got 0"):
        made(encoder, name, max_steps=0)
    with pytest.raises(ProbeError, match="unknown device 'gpu'"):
        AttentionProbe(encoder, device="gpu")
