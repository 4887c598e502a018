"""Subspaces are removed from the words of a layer, on any architecture, as a plain hook would."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from sklearn.linear_model import LinearRegression, LogisticRegression
from support.models import TOKENIZERS, tiny_model

from structprobe import Encoder, StructuralProbe
from structprobe.behaviour.control_subspaces import (
    control_subspaces,
    principal_subspace,
    random_subspace,
)
from structprobe.behaviour.interventions.coordinates import Coordinates
from structprobe.behaviour.interventions.remove import Remove
from structprobe.behaviour.interventions.subspaces import (
    concept_subspace,
    probe_subspace,
    row_space,
)
from structprobe.encoder.vectors import WordVectors
from structprobe.errors import EncoderError, ProbeError
from structprobe.models.inside.edits import editing

WORDS = "the a dog cat barks saw him she ran away from our house".split()  # noqa: SIM905
KINDS = {
    "bert": ("wordpiece", "encoder.layer.{}"),
    "gpt2": ("gpt2_bpe", "h.{}"),
    "llama": ("llama_bpe", "layers.{}"),
    "roberta": ("roberta_bpe", "encoder.layer.{}"),
}


def sentences(n: int, seed: int = 0, longest: int = 9) -> list[list[str]]:
    dice = np.random.default_rng(seed)
    lengths = dice.integers(2, longest + 1, n)
    return [[str(word) for word in dice.choice(WORDS, size)] for size in lengths]


@cache
def encoder(kind: str = "bert", **more: Any) -> Encoder:
    tokenizer = TOKENIZERS[KINDS[kind][0]]()
    return Encoder(tiny_model(kind, tokenizer), tokenizer=tokenizer, **more)


def coordinates_of(one: Encoder, layer: int, n: int = 80) -> Coordinates:
    return Coordinates.fit(one.encode(sentences(n), layers=layer).layer(layer))


def made(values: np.ndarray) -> WordVectors:
    return WordVectors(values.astype(np.float64), np.array([0, len(values)]), {"layer": 1})


def mixed(n: int, width: int, seed: int = 0) -> np.ndarray:
    dice = np.random.default_rng(seed)
    return dice.normal(size=(n, width)) @ dice.normal(size=(width, width)) + dice.normal(size=width)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [1, 2])
def test_words_are_changed_as_by_a_hook_on_one_sentence(kind: str, layer: int) -> None:
    own = encoder(kind)
    subspace = random_subspace(coordinates_of(own, layer), 4)
    texts = sentences(5, seed=3)
    with Remove(subspace, sinks=None).on(own):
        got = own.encode(texts, layers=(layer, 3))
    reads, writes, mean = (
        torch.tensor(one, dtype=torch.float32)
        for one in (subspace.reads, subspace.writes, subspace.coordinates.mean)
    )
    model = own.loaded.model
    for number, words in enumerate(texts):
        (pieces,) = own._reader.read(_spaced([words]))
        before, after = own.surroundings.before, own.surroundings.after
        ids = torch.tensor([[*before, *pieces.ids.tolist(), *after]])
        plain = torch.arange(len(before), len(before) + len(pieces.ids))

        def hook(module: Any, args: Any, output: Any, plain: Any = plain) -> Any:
            x = (output[0] if isinstance(output, tuple) else output).clone()
            x[0, plain] -= (x[0, plain] - mean) @ reads.T @ writes
            return (x, *output[1:]) if isinstance(output, tuple) else x

        block = model.get_submodule(KINDS[kind][1].format(layer - 1))
        handle = block.register_forward_hook(hook)
        with torch.no_grad():
            last = model(ids).last_hidden_state[0]
        handle.remove()
        wanted = [
            last[pieces.links[pieces.links[:, 1] == w, 0] + len(before)].numpy().mean(axis=0)
            for w in range(len(words))
        ]
        np.testing.assert_allclose(got.layer(3)[number], wanted, rtol=1e-4, atol=1e-4)
    assert np.abs(got.layer(3).values - own.encode(texts, layers=3).layer(3).values).max() > 0.01
    left = (got.layer(layer).values - subspace.coordinates.mean) @ subspace.reads.T
    np.testing.assert_allclose(left, 0, atol=1e-4)


def _spaced(texts: list[list[str]]) -> Any:
    from structprobe.encoder.subwords.sentences import space_sentences

    return space_sentences(texts, "words")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("AlbertModel", {"embedding_size": 16}),
        ("DebertaV2Model", {"position_biased_input": False, "relative_attention": True}),
        ("GPTNeoXModel", {}),
        ("Gemma2Model", {"num_key_value_heads": 2, "head_dim": 16}),
        ("MixtralModel", {"num_key_value_heads": 2, "num_local_experts": 4}),
        ("ModernBertModel", {"pad_token_id": 0}),
        ("T5EncoderModel", {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 3, "num_heads": 4}),
    ],
)
def test_all_architectures_with_places_are_changed(kind: str, more: dict[str, Any]) -> None:
    if not hasattr(transformers, kind):
        pytest.skip(f"transformers {transformers.__version__} has no {kind}")
    tokenizer = TOKENIZERS["wordpiece"]()
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 48,
    }
    cls = getattr(transformers, kind)
    torch.manual_seed(0)
    own = {**({} if kind.startswith("T5") else sizes), "vocab_size": len(tokenizer), **more}
    model = cls(cls.config_class(**own)).eval()
    one = Encoder(model, tokenizer=tokenizer)
    subspace = principal_subspace(coordinates_of(one, 2), 5)
    before = one.encode(sentences(4), layers=(1, 2, 3))
    removal = Remove(subspace)
    with removal.on(one):
        after = one.encode(sentences(4), layers=(1, 2, 3))
    np.testing.assert_array_equal(before.layer(1).values, after.layer(1).values)
    np.testing.assert_allclose(
        after.layer(2).values, subspace.remove(before.layer(2).values), rtol=1e-3, atol=1e-3
    )
    assert np.abs(before.layer(3).values - after.layer(3).values).max() > 1e-3
    assert removal.n_changed >= sum(map(len, sentences(4)))
    assert removal.n_sinks == 0
    np.testing.assert_array_equal(
        before.layer(3).values, one.encode(sentences(4), layers=3).layer(3).values
    )


def test_chosen_words_of_chosen_sentences() -> None:
    own, texts = encoder(), sentences(6)
    subspace = random_subspace(coordinates_of(own, 2), 4)
    words = [[0], [], [1, 0], [], [], [1]]
    with Remove(subspace, words=words).on(own):
        after = own.encode(texts, layers=2).layer(2)
    before = own.encode(texts, layers=2).layer(2)
    for number, chosen in enumerate(words):
        changed = np.abs(after[number] - before[number]).max(axis=1) > 0
        assert np.flatnonzero(changed).tolist() == sorted(chosen)
    with (
        pytest.raises(EncoderError, match="given for 6 sentences, but the call has more"),
        Remove(subspace, words=words).on(own),
    ):
        own.encode(sentences(8))


def test_all_windows_of_a_long_sentence_are_marked() -> None:
    tokenizer = TOKENIZERS["wordpiece"]()
    own = Encoder(tiny_model("bert", tokenizer, positions=16), tokenizer=tokenizer, batch_tokens=40)
    text = sentences(1, longest=9)[0] * 12
    subspace = random_subspace(coordinates_of(own, 1), 4)
    removal = Remove(subspace, sinks=None)
    with removal.on(own):
        after = own.encode([text, text[:3]], layers=(1, 3))
    left = (after.layer(1).values - subspace.coordinates.mean) @ subspace.reads.T
    np.testing.assert_allclose(left, 0, atol=1e-4)
    # More positions than subwords: those that are in several windows are changed in each.
    pieces = own._reader.read(_spaced([text]))[0]
    assert removal.n_changed > 1.5 * len(pieces.ids)


def test_vectors_under_an_edit_have_no_cache_and_another_origin(tmp_path: Path) -> None:
    own = encoder()
    first, second = (random_subspace(coordinates_of(own, 2), 4, seed) for seed in (0, 1))
    plain = own.fingerprint
    own.encode(sentences(2), cache=tmp_path)
    told = set()
    for subspace in (first, second, first):
        with Remove(subspace).on(own):
            with pytest.raises(EncoderError, match="under an intervention are not cached"):
                own.encode(sentences(2), cache=tmp_path)
            bank = own.encode(sentences(2))
            assert bank.origin["fingerprint"] == own.fingerprint != plain
            assert own.origin(1)["fingerprint"] == own.fingerprint
            told.add(own.fingerprint)
    assert len(told) == 2
    assert own.fingerprint == plain


def test_sinks_are_left_alone_and_counted() -> None:
    own, texts = encoder("gpt2"), sentences(20)
    norms: list[torch.Tensor] = []

    def note(values: torch.Tensor, marks: torch.Tensor) -> torch.Tensor:
        norms.append(values.norm(dim=-1)[marks[..., 1] >= 0])
        return values

    place = own.loaded.places[2]
    assert place is not None
    with editing(own.loaded.model, {place: note}):
        vectors = own.encode(texts, layers=2).layer(2)
    pieces = torch.cat(norms)  # (n_pieces,)
    bound = float(pieces.median())
    coordinates = Coordinates.fit(vectors, bound=bound)
    assert coordinates.n_sinks == (np.linalg.norm(vectors.values, axis=1) > bound).sum() > 0
    removal = Remove(random_subspace(coordinates, 3))
    with removal.on(own):
        after = own.encode(texts, layers=2).layer(2)
    assert removal.n_sinks == int((pieces > bound).sum()) > 0
    assert removal.n_changed == int((pieces <= bound).sum()) > 0
    changed = (after.values != vectors.values).any(axis=1)
    assert 0 < changed.sum() <= removal.n_changed
    everything = Remove(random_subspace(coordinates, 3), sinks=None)
    with everything.on(own):
        own.encode(texts, layers=2)
    assert (everything.n_changed, everything.n_sinks) == (len(pieces), 0)


def test_a_removal_follows_linear_maps_of_the_vectors() -> None:
    width, rank = 12, 3
    dice = np.random.default_rng(5)
    x = mixed(400, width)
    change, shift = dice.normal(size=(width, width)), dice.normal(size=width)
    matrix = dice.normal(size=(rank, width))
    y = x @ change.T + shift
    here = row_space(matrix, Coordinates.fit(made(x)))
    there = row_space(matrix @ np.linalg.inv(change), Coordinates.fit(made(y)))
    np.testing.assert_allclose(
        there.remove(y), here.remove(x) @ change.T + shift, rtol=1e-6, atol=1e-6
    )
    covariance = np.cov(x.T, bias=True)
    middle = covariance @ matrix.T @ np.linalg.inv(matrix @ covariance @ matrix.T) @ matrix
    np.testing.assert_allclose(here.remove(x), x - (x - x.mean(0)) @ middle.T, atol=1e-8)
    np.testing.assert_allclose(here.remove(x).mean(0), x.mean(0), atol=1e-9)


def test_an_erased_concept_is_not_told_by_anything_linear_at_the_least_change() -> None:
    dice = np.random.default_rng(1)
    labels = dice.choice(["nsubj", "obj", "det"], size=600, p=[0.5, 0.3, 0.2])
    x = mixed(600, 10)
    x[labels == "nsubj", :3] += 4
    x[labels == "obj"] += dice.normal(size=10)
    vectors, concept = made(x), [labels]
    subspace = concept_subspace(vectors, concept, Coordinates.fit(vectors))
    assert subspace.rank == 2
    erased = subspace.remove(x)
    onehot = (labels[:, None] == np.unique(labels)).astype(float)
    crossed = (erased - erased.mean(0)).T @ (onehot - onehot.mean(0)) / len(x)
    np.testing.assert_allclose(crossed, 0, atol=1e-9)
    assert LinearRegression().fit(erased, onehot).score(erased, onehot) < 1e-9
    most = max(np.mean(labels == one) for one in np.unique(labels))
    reader = LogisticRegression(max_iter=2000)
    assert reader.fit(x, labels).score(x, labels) > most + 0.1
    assert abs(reader.fit(erased, labels).score(erased, labels) - most) < 1e-9
    # Of the affine maps that erase it, the orthogonal one changes more.
    crossing = (x - x.mean(0)).T @ (onehot - onehot.mean(0))
    u, _, _ = np.linalg.svd(crossing, full_matrices=False)
    plain = x - (x - x.mean(0)) @ u[:, :2] @ u[:, :2].T
    assert np.square(erased - x).sum() < np.square(plain - x).sum()
    # Nor does any other: change + A (x - mean) erases too if A maps the erased words' own space.
    for seed in range(5):
        a = np.random.default_rng(seed).normal(size=(10, 10)) * 0.01
        other = erased + (erased - erased.mean(0)) @ a
        assert np.square(other - x).sum() > np.square(erased - x).sum()


def test_depth_is_erased_as_a_number() -> None:
    x = mixed(300, 8)
    depth = (x @ np.arange(8.0)).round()
    vectors = made(x)
    subspace = concept_subspace(vectors, [depth], Coordinates.fit(vectors))
    assert subspace.rank == 1
    erased = subspace.remove(x)
    assert abs(np.corrcoef(erased.T, depth)[-1, :-1]).max() < 1e-9


def test_random_subspaces_have_the_variance_that_is_asked_for() -> None:
    x = mixed(500, 20) * np.geomspace(0.01, 3, 20)
    coordinates = Coordinates.fit(made(x))
    probe = row_space(np.random.default_rng(0).normal(size=(4, 20)), coordinates)
    found = control_subspaces(probe)
    names = [one.name for one, _ in found]
    assert names.count("random") == 5
    bottom, top = (
        next(one.variance for one, _ in found if one.name == name)
        for name in ("bottom axes", "top axes")
    )
    for one, _ in found:
        assert one.rank == 4
        np.testing.assert_allclose(one.basis.T @ one.basis, np.eye(4), atol=1e-9)
        assert bottom - 1e-12 <= one.variance <= top + 1e-12
        whitened = (x - one.remove(x)) @ coordinates.whiten.T
        np.testing.assert_allclose(whitened.var(axis=0).sum(), 4, rtol=1e-6)
        removed = (x - one.remove(x)).var(axis=0).sum() / x.var(axis=0).sum()
        np.testing.assert_allclose(one.variance, removed, rtol=1e-6)
        if one.name == "random":
            np.testing.assert_allclose(one.variance, probe.variance, rtol=2e-3)
    first, second = (one.basis for one, _ in found[:2])
    assert np.linalg.svd(first.T @ second)[1].max() < 0.9999


def test_the_subspace_of_a_probe_blinds_the_probe() -> None:
    from support.planted_encoder import tree_steps

    from structprobe.recoverers.random_tree import random_heads

    dice = np.random.default_rng(0)
    heads = [random_heads(int(dice.integers(3, 9)), dice) for _ in range(60)]
    rows = [tree_steps(one, 9) + 0.01 * dice.normal(size=(len(one), 9)) for one in heads]
    rows = [np.concatenate([one, dice.normal(size=(len(one), 9))], axis=1) for one in rows]
    vectors = WordVectors(np.concatenate(rows), np.cumsum([0, *map(len, rows)]), {"layer": 1})
    probe = StructuralProbe(rank=6, max_steps=200, random_state=0).fit(vectors, heads)
    coordinates = Coordinates.fit(vectors)
    after = WordVectors(
        probe_subspace(probe, coordinates).remove(vectors.values), vectors.offsets, vectors.origin
    )
    spread = max(float(one.max()) for one in probe.distances(after))
    assert spread < 1e-3 * max(float(one.max()) for one in probe.distances(vectors))
    both = probe_subspace(probe, coordinates, part="both")
    assert 6 < both.rank <= 12
    with pytest.raises(ProbeError, match="unknown part 'tree'"):
        probe_subspace(probe, coordinates, part="tree")
    elsewhere = Coordinates.fit(WordVectors(vectors.values, vectors.offsets, {"layer": 2}))
    probe.origin_ = {"layer": 1}
    with pytest.raises(ProbeError, match="fitted on vectors with layer 1, but these have 2"):
        probe_subspace(probe, elsewhere)


def test_what_cannot_be_removed_is_refused() -> None:
    own = encoder()
    coordinates = coordinates_of(own, 2)
    subspace = random_subspace(coordinates, 2)
    n_axes = len(coordinates.variances)
    for rank in (0, n_axes, 99):
        with pytest.raises(ProbeError, match=f"rank {rank} of the {n_axes} dimensions"):
            random_subspace(coordinates, rank)
    with pytest.raises(ProbeError, match=f"rank {n_axes} leaves none"):
        row_space(np.eye(32), coordinates)
    with pytest.raises(ProbeError, match="4 random subspaces are too few"):
        control_subspaces(subspace, n_random=4)
    with pytest.raises(EncoderError, match="no layer 9 in"), Remove(subspace, 9).on(own):
        pass
    with pytest.raises(EncoderError, match="must be a whole number, got 1\\.5"):
        Remove(subspace, 1.5)  # type: ignore[arg-type]
    with pytest.raises(EncoderError, match="sinks must be a norm"):
        Remove(subspace, sinks="none")
    with (
        pytest.raises(EncoderError, match="acts on an Encoder or a LanguageModel, not str"),
        Remove(subspace).on("bert"),
    ):
        pass
    narrow = random_subspace(Coordinates.fit(made(mixed(90, 8))), 2)
    with (
        pytest.raises(EncoderError, match=r"of width 8, but those of .* have 32"),
        Remove(narrow).on(own),
    ):
        pass
    with pytest.raises(ProbeError, match="sentence 0 has 3 values for 90 words"):
        concept_subspace(made(mixed(90, 8)), [["a", "b", "a"]], Coordinates.fit(made(mixed(90, 8))))
    with pytest.raises(ProbeError, match="same value for all words"):
        concept_subspace(made(mixed(90, 8)), [["a"] * 90], Coordinates.fit(made(mixed(90, 8))))
    tokenizer = TOKENIZERS["wordpiece"]()
    averaged = Encoder(own.model, tokenizer=tokenizer, window=3)
    with pytest.raises(EncoderError, match="averages 3 layers"), Remove(subspace).on(averaged):
        pass


class BertThatRemembers(transformers.BertModel):
    """Adds the embeddings to what it gives, past all layers."""

    def forward(self, input_ids: Any = None, **more: Any) -> Any:
        output = super().forward(input_ids=input_ids, **more)
        first = self.embeddings(input_ids)
        output.last_hidden_state = output.last_hidden_state + first
        if more.get("output_hidden_states"):
            output.hidden_states = (*output.hidden_states[:-1], output.last_hidden_state)
        return output


def test_a_model_that_carries_its_input_past_a_layer_is_refused() -> None:
    tokenizer = TOKENIZERS["wordpiece"]()
    torch.manual_seed(0)
    config = tiny_model("bert", tokenizer).config
    one = Encoder(BertThatRemembers(config).eval(), tokenizer=tokenizer)
    subspace = random_subspace(coordinates_of(one, 1), 2)
    with (
        pytest.raises(EncoderError, match="does not depend on its vectors alone"),
        Remove(subspace).on(one),
    ):
        pass


def test_a_layer_without_a_place_is_refused() -> None:
    tokenizer = TOKENIZERS["wordpiece"]()
    config = transformers.XLNetConfig(
        vocab_size=len(tokenizer), d_model=32, n_layer=2, n_head=4, d_inner=48
    )
    one = Encoder(transformers.XLNetModel(config).eval(), tokenizer=tokenizer)
    assert None in one.loaded.places
    layer = one.loaded.places.index(None)
    subspace = random_subspace(coordinates_of(one, layer), 2)
    with (
        pytest.raises(EncoderError, match="not what one of its modules gives"),
        Remove(subspace).on(one),
    ):
        pass
