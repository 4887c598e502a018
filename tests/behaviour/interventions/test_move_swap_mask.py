"""Words are moved towards other trees, get the vectors of other words, and heads are masked."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from support.models import TOKENIZERS, tiny_model
from transformers import GPT2LMHeadModel

from structprobe import Encoder, LanguageModel, StructuralProbe
from structprobe.behaviour.control_subspaces import random_subspace
from structprobe.behaviour.interventions.coordinates import Coordinates
from structprobe.behaviour.interventions.mask_heads import MaskHeads
from structprobe.behaviour.interventions.move import Move
from structprobe.behaviour.interventions.remove import Remove
from structprobe.behaviour.interventions.subspaces import probe_subspace
from structprobe.behaviour.interventions.swap import Swap
from structprobe.encoder.subwords.sentences import space_sentences
from structprobe.encoder.vectors import WordVectors
from structprobe.errors import EncoderError, ProbeError
from structprobe.recoverers.random_tree import random_heads
from structprobe.trees import tree_depths, tree_distances

WORDS = ["the", "a", "dog", "cat", "barks", "saw", "him", "she", "ran", "away", "our", "house"]


def sentences(n: int, seed: int = 0, longest: int = 8) -> list[list[str]]:
    dice = np.random.default_rng(seed)
    return [
        [str(word) for word in dice.choice(WORDS, size)]
        for size in dice.integers(2, longest + 1, n)
    ]


@cache
def encoder(kind: str = "bert", tokenizer: str = "wordpiece") -> Encoder:
    own = TOKENIZERS[tokenizer]()
    return Encoder(tiny_model(kind, own), tokenizer=own)


def links_of(own: Encoder, words: list[str]) -> np.ndarray:
    return own._reader.read(space_sentences([words], "words"))[0].links


def n_subwords(own: Encoder, words: list[str]) -> list[int]:
    return np.bincount(links_of(own, words)[:, 1], minlength=len(words)).tolist()


@cache
def probed() -> tuple[StructuralProbe, Coordinates]:
    own, dice = encoder(), np.random.default_rng(0)
    texts = sentences(120)
    heads = [random_heads(len(one), dice) for one in texts]
    vectors = own.encode(texts, layers=2).layer(2)
    probe = StructuralProbe(rank=10, max_steps=60, random_state=0, recipe="whitened")
    return probe.fit(vectors, heads), Coordinates.fit(vectors)


@pytest.mark.parametrize("part", ["distance", "depth", "both"])
def test_words_move_until_the_probe_sees_the_other_tree(part: str) -> None:
    own, (probe, coordinates) = encoder(), probed()
    texts = sentences(6, seed=4, longest=6)
    dice = np.random.default_rng(1)
    trees: list[Any] = [random_heads(len(one), dice) for one in texts]
    trees[2] = None
    move = Move(probe, coordinates, trees, part=part, bound=0.2, n_steps=3000, step=0.1)
    with move.on(own):
        after = own.encode(texts, layers=2).layer(2)
    before = own.encode(texts, layers=2).layer(2)
    assert sorted(move.losses_) == [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(after[2], before[2])
    plain = [WordVectors(one.values, one.offsets) for one in (before, after)]
    distances, depths = (
        [probe_of(one) for one in plain] for probe_of in (probe.distances, probe.depths)
    )
    for number, heads in enumerate(trees):
        if heads is None:
            continue
        losses = []
        for k in (0, 1):  # before and after
            n = len(heads)
            told = {
                "distance": np.abs(distances[k][number] - tree_distances(heads)).sum() / n**2,
                "depth": np.abs(depths[k][number] - tree_depths(heads)).mean(),
            }
            losses.append(sum(told[one] for one in told if part in (one, "both")))
        first, last, steps = move.losses_[number]
        np.testing.assert_allclose(losses, [first, last], rtol=1e-3, atol=1e-3)
        assert last < first or steps == 0
        assert (number in move.unreached_) == (last > 0.2)
        assert steps <= 3000
    assert len(move.unreached_) < 3
    # The change lies in the subspace of the probe, in whitened coordinates.
    subspace = probe_subspace(probe, coordinates, part=part)
    change = (after.values - before.values) @ coordinates.whiten.T
    outside = change - change @ subspace.basis @ subspace.basis.T
    np.testing.assert_allclose(outside, 0, atol=1e-3 * np.abs(change).max())


def test_what_is_not_reached_is_told() -> None:
    own, (probe, coordinates) = encoder(), probed()
    text = ["the", "dog", "saw", "him"]
    move = Move(probe, coordinates, [[2, 0, 2, 3]], bound=1e-6, n_steps=3)
    with move.on(own):
        own.encode([text], layers=3)
    assert move.unreached_ == [0]
    ((before, after, steps),) = move.losses_.values()
    assert steps == 3
    assert after < before


def test_a_tree_of_other_words_and_bad_choices_are_refused() -> None:
    own, (probe, coordinates) = encoder(), probed()
    with (
        Move(probe, coordinates, [[2, 0]]).on(own),
        pytest.raises(EncoderError, match="sentence 0 has a tree of 2 words, but 3 are read"),
    ):
        own.encode([["the", "dog", "ran"]])
    with pytest.raises(ProbeError, match="unknown part"):
        Move(probe, coordinates, [], part="x")
    with pytest.raises(ProbeError, match="must be above 0"):
        Move(probe, coordinates, [], n_steps=0)


@pytest.mark.parametrize("kind", [("bert", "wordpiece"), ("gpt2", "gpt2_bpe")])
def test_a_sentence_with_all_vectors_of_another_becomes_the_other(kind: tuple[str, str]) -> None:
    own = encoder(*kind)
    pool = [one for one in sentences(400, longest=3) if len(one) == 3]
    first = pool[0]
    wanted_links = links_of(own, first).tolist()
    second = next(
        one for one in pool if one != first and links_of(own, one).tolist() == wanted_links
    )
    swap = Swap(2, [second], [{0: 0, 1: 1, 2: 2}])
    with swap.on(own):
        got = own.encode([first], layers=(1, 2, 3))
    wanted = own.encode([second], layers=(1, 2, 3))
    np.testing.assert_allclose(got.layer(2).values, wanted.layer(2).values, atol=1e-6)
    if kind[0] == "gpt2":  # the special tokens of BERT stay those of the first
        np.testing.assert_allclose(got.layer(3).values, wanted.layer(3).values, atol=1e-5)
    assert np.abs(got.layer(1).values - wanted.layer(1).values).max() > 1e-3
    assert swap.n_pooled == 0


def test_other_numbers_of_subwords_get_the_mean() -> None:
    own = encoder()
    by_number = {n_subwords(own, [word])[0]: word for word in WORDS}
    assert len(by_number) > 1
    short, long = by_number[min(by_number)], by_number[max(by_number)]
    texts, donors = [["the", short], [long, "a"]], [[long], ["a", short, short]]
    swap = Swap(1, donors, [{1: 0}, {0: 1}])
    with swap.on(own):
        got = own.encode(texts, layers=1).layer(1)
    given, before = own.encode(donors, layers=1).layer(1), own.encode(texts, layers=1).layer(1)
    np.testing.assert_allclose(got[0][1], given[0][0], atol=1e-6)
    np.testing.assert_allclose(got[1][0], given[1][1], atol=1e-6)
    np.testing.assert_array_equal([got[0][0], got[1][1]], [before[0][0], before[1][1]])
    assert swap.n_pooled == 2


def test_donors_may_be_read_under_an_intervention() -> None:
    own, texts = encoder(), [["the", "dog"], ["a", "cat"]]
    removal = Remove(random_subspace(probed()[1], 8), sinks=None)
    swap = Swap(2, texts[::-1], [{0: 0}, {1: 1}])
    with removal.on(own):
        edited = own.encode(texts[::-1], layers=2).layer(2)
        swap.read(own)
    with swap.on(own):
        got = own.encode(texts, layers=2).layer(2)
    np.testing.assert_allclose([got[0][0], got[1][1]], [edited[0][0], edited[1][1]], atol=1e-5)
    plain = Swap(2, texts[::-1], [{0: 0}, {1: 1}])
    with removal.on(own), plain.on(own):  # donors are those of the model itself
        got = own.encode(texts, layers=2).layer(2)
    given = own.encode(texts[::-1], layers=2).layer(2)
    np.testing.assert_allclose([got[0][0], got[1][1]], [given[0][0], given[1][1]], atol=1e-5)
    assert swap.name != plain.name


def test_swaps_that_do_not_fit_are_refused() -> None:
    own = encoder()
    with pytest.raises(EncoderError, match="2 donors, but words of 1 sentences"):
        Swap(1, [["a"], ["a"]], [{0: 0}])
    with (
        pytest.raises(EncoderError, match="donor 0 has no word 5, from 0"),
        Swap(1, [["a"]], [{0: 5}]).on(own),
    ):
        pass


@pytest.mark.parametrize("kind", [("bert", "wordpiece"), ("llama", "llama_bpe")])
def test_masked_heads_are_those_whose_columns_are_0_in_the_mixing_map(
    kind: tuple[str, str],
) -> None:
    own, texts = encoder(*kind), sentences(5)
    path = {
        "bert": "encoder.layer.{}.attention.output.dense",
        "llama": "layers.{}.self_attn.o_proj",
    }[kind[0]]
    mask = MaskHeads([(1, 2), (3, 1), (3, 4)])
    with mask.on(own):
        got = own.encode(texts)
    other = copy.deepcopy(own.model)
    size = own.hidden_size // 4
    with torch.no_grad():
        for layer, head in ((1, 2), (3, 1), (3, 4)):
            columns = slice((head - 1) * size, head * size)
            other.get_submodule(path.format(layer - 1)).weight[:, columns] = 0
    wanted = Encoder(other, tokenizer=own.tokenizer).encode(texts)
    for layer in own.layers:
        np.testing.assert_allclose(got.layer(layer).values, wanted.layer(layer).values, atol=1e-5)
    assert np.abs(got.layer(3).values - own.encode(texts, layers=3).layer(3).values).max() > 1e-3
    assert mask.n_changed > 0
    heads = Encoder(own.model, tokenizer=own.tokenizer, site="heads")
    with MaskHeads([(2, 3)], words=[[0], [], [1], [], []]).on(heads):
        values = heads.encode(texts, layers=2).layer(2)
    zero = [
        np.flatnonzero((one[:, 2 * size : 3 * size] == 0).all(axis=1)).tolist() for one in values
    ]
    assert zero == [[0], [], [1], [], []]


def test_heads_that_do_not_show_or_are_not_there_are_refused() -> None:
    own = encoder()
    for heads, told in (
        ([(4, 1)], "no layer 4 with heads"),
        ([(1, 5)], "no head 5 in layer 1"),
        ([(0, 1)], "no layer 0 with heads"),
    ):
        with pytest.raises(EncoderError, match=told), MaskHeads(heads).on(own):
            pass
    with pytest.raises(EncoderError, match="no heads to mask"):
        MaskHeads([])
    from transformers import MambaConfig, MambaModel

    tokenizer = TOKENIZERS["wordpiece"]()
    config = MambaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, state_size=4
    )
    mamba = Encoder(MambaModel(config).eval(), tokenizer=tokenizer)
    with pytest.raises(EncoderError, match="has no site 'heads'"), MaskHeads([(1, 1)]).on(mamba):
        pass


def test_a_language_model_is_changed_with_its_encoder() -> None:
    tokenizer = TOKENIZERS["gpt2_bpe"]()
    torch.manual_seed(0)
    whole = GPT2LMHeadModel(tiny_model("gpt2", tokenizer).config).eval()
    with torch.no_grad():
        for parameter in whole.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
    model = LanguageModel(Encoder(whole, tokenizer=tokenizer))
    texts = sentences(6)
    vectors = model.encoder.encode(sentences(60), layers=2).layer(2)
    removal = Remove(random_subspace(Coordinates.fit(vectors), 10), sinks=None)
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    before = model.log_probs(texts)
    with removal.on(model):
        after = model.log_probs(texts)
        both = [model.pair_log_probs(pairs, share=share) for share in (True, False)]
    assert np.abs(after - before).min() > 1e-3
    for one in both:
        np.testing.assert_allclose(one.ravel(), after, rtol=1e-5)
    np.testing.assert_array_equal(model.log_probs(texts), before)
    # By hand: a hook on the block, over one text.
    hook_on = whole.transformer.h[1]
    maps = [
        torch.tensor(one).float()
        for one in (
            removal.subspace.reads,
            removal.subspace.writes,
            removal.subspace.coordinates.mean,
        )
    ]
    for words, wanted in zip(texts, after, strict=True):
        pieces = model.encoder._reader.read(space_sentences([words], "words"))[0]
        before_tokens = list(model._around.before)
        ids = torch.tensor([[*before_tokens, *pieces.ids.tolist()]])

        def hook(module: Any, args: Any, output: Any, n: int = len(before_tokens)) -> Any:
            x = (output[0] if isinstance(output, tuple) else output).clone()
            x[0, n:] -= (x[0, n:] - maps[2]) @ maps[0].T @ maps[1]
            return (x, *output[1:]) if isinstance(output, tuple) else x

        handle = hook_on.register_forward_hook(hook)
        with torch.no_grad():
            logits = whole(ids).logits[0].log_softmax(-1)
        handle.remove()
        first = max(1, len(before_tokens))
        told = sum(float(logits[i - 1, ids[0, i]]) for i in range(first, ids.shape[1]))
        np.testing.assert_allclose(told, wanted, rtol=1e-4)
