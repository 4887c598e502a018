"""Numbers: float32 beside float64, exact ties, and one result for one seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.flat_settings import sweep
from support.models import tiny_model, wordpiece
from support.planted import planted
from support.scorecard import Tally
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, LayerSweep, StructuralProbe
from structprobe.experiments.runs.backends import Backend
from structprobe.probe.data import ragged_vectors
from structprobe.probe.losses.geometry import squared_depths, squared_distances
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.trees import decode_rooted
from structprobe.trees.arborescences import arborescence, arborescences

pytestmark = pytest.mark.fault_class("numbers")

BOUND = 2e-6  # of what `bound` measures, as `StructuralProbe` states it


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Put the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def probe_of(distance: np.ndarray, depth: np.ndarray) -> StructuralProbe:
    """A fitted probe with these matrices, (rank, hidden_size)."""
    rank, hidden_size = distance.shape
    probe = StructuralProbe(rank=rank, device="cpu")
    probe.n_features_in_, probe.origin_ = hidden_size, None
    probe.distance_components_ = distance.astype(np.float32)
    probe.depth_components_ = depth.astype(np.float32)
    return probe


def slow_tree(distances: np.ndarray, depths: np.ndarray) -> tuple[list[int], float]:
    """The minimum spanning tree by Kruskal, and by how much its edges beat all others."""
    n = len(distances)
    parts, edges, margin = list(range(n)), [], np.inf
    for i, j in sorted(zip(*np.triu_indices(n, 1), strict=True), key=lambda e: distances[e]):
        if parts[i] != parts[j]:
            edges.append((i, j))
            parts = [parts[i] if part == parts[j] else part for part in parts]
        else:  # its rivals are the edges between its ends
            path = longest_between(edges, n, i, j, distances)
            margin = min(margin, distances[i, j] - path)
    heads = [-1] * n
    heads[int(np.argmin(depths))] = 0
    while -1 in heads:
        for i, j in edges:
            for head, word in ((i, j), (j, i)):
                if heads[head] >= 0 and heads[word] < 0:
                    heads[word] = int(head) + 1
    return heads, float(margin)


def longest_between(edges: list[Any], n: int, start: int, end: int, distances: np.ndarray) -> float:
    """The longest edge on the way between two words of a forest."""
    longest, todo = {start: 0.0}, [start]
    for word in todo:
        for i, j in edges:
            other = j if i == word else i if j == word else None
            if other is not None and other not in longest:
                longest[other] = max(longest[word], distances[i, j])
                todo.append(other)
    return longest[end]


# What outlier dimensions do: nothing, one offset for all words, other scales, another first word
# (as the first token of large models), signs that change from word to word, a far origin.
OUTLIERS = {
    "none": lambda x, dims, rng: None,
    "offset": lambda x, dims, rng: x.__setitem__(np.s_[:, dims], x[:, dims] + 1e4),
    "scale": lambda x, dims, rng: x.__setitem__(np.s_[:, dims], x[:, dims] * 1e4),
    "first": lambda x, dims, rng: x.__setitem__((0, dims), x[0, dims] + 1e4),
    "signs": lambda x, dims, rng: x.__setitem__(
        np.s_[:, dims], x[:, dims] + 1e4 * rng.choice([-1, 1], (len(x), 1))
    ),
    "far": lambda x, dims, rng: x.__iadd__(1e4),
}


def bound(values: np.ndarray, x: np.ndarray, matrix: np.ndarray) -> float:
    """How far distances or depths may be from those of float64: what rounding leaves of terms
    that cancel, such as large coordinates of both signs."""
    # x (n, hidden_size), matrix (rank, hidden_size)
    terms = np.linalg.norm(np.abs(x) @ np.abs(matrix).T, axis=1).max()
    return BOUND * (values.max() + np.sqrt(values.max()) * terms)


@pytest.mark.parametrize("outliers", OUTLIERS)
@pytest.mark.parametrize("hidden_size", [24, 768, 8192])
def test_trees_from_float32_are_those_from_float64(
    outliers: str, hidden_size: int, tally: Tally, whole: bool
) -> None:
    rng = np.random.default_rng(hidden_size)
    decided = []

    def look(rank: int, whitened: bool) -> None:
        dims = rng.choice(hidden_size, 4, replace=False)
        matrices = rng.normal(size=(2, rank, hidden_size)).astype(np.float32)
        if whitened:
            matrices[..., dims] /= 1e4
        probe = probe_of(*matrices)
        x = rng.normal(size=(int(rng.integers(2, 16)), hidden_size))
        x[-1] = x[0] + 0.05 * (x[-1] - x[0])  # two words that are close
        OUTLIERS[outliers](x, dims, rng)
        x = x.astype(np.float32)
        (found,), (depth,) = probe.distances([x]), probe.depths([x])
        exact = x.astype(np.float64)
        centred = exact - exact.mean(0)
        seen = centred @ matrices[0].T.astype(np.float64)
        distances = ((seen[:, None] - seen) ** 2).sum(-1)
        depths = ((exact @ matrices[1].T.astype(np.float64)) ** 2).sum(-1)
        most, most_deep = bound(distances, centred, matrices[0]), bound(depths, exact, matrices[1])
        assert np.abs(found - distances).max() <= most
        assert np.abs(depth - depths).max() <= most_deep
        heads, margin = slow_tree(distances, depths)
        two = np.sort(depths)[:2]
        sure_root = two[1] - two[0] > 2 * most_deep
        decided.append(margin > 2 * most)
        got = probe.predict([x])[0].tolist()
        assert not sure_root or got.index(0) == heads.index(0)
        if decided[-1]:
            edges = [
                {frozenset((i, h)) for i, h in enumerate(tree, 1) if h} for tree in (got, heads)
            ]
            assert edges[0] == edges[1]
            assert not sure_root or got == heads

    ranks = (1, 16, min(256, hidden_size))
    n = 20 if whole else 2
    tally.each(look, [(rank, w) for rank in ranks for w in (False, True) for _ in range(n)])
    assert np.mean(decided) > 0.3


def tied(rng: np.random.Generator, n: int) -> np.ndarray:
    """Distances of which many are equal."""
    half = np.triu(rng.integers(0, 3, size=(n, n)), 1)
    return (half + half.T).astype(np.float64)


def in_parts(sizes: list[int], n: int) -> list[list[int]]:
    """The numbers up to `n` in parts of these sizes, one after the other."""
    found, start = [], 0
    while start < n:
        size = sizes[len(found) % len(sizes)]
        found.append(list(range(start, min(start + size, n))))
        start += size
    return found


def test_exact_ties_are_decoded_alike_in_every_batch(tally: Tally, whole: bool) -> None:
    """Spanning trees and arborescences; alone, in batches, in any order."""

    def rooted(some: list[np.ndarray]) -> list[list[int]]:
        return [one.tolist() for one in decode_rooted(some, [one[0] for one in some])]

    def directed(some: list[np.ndarray]) -> list[list[int]]:
        lengths = np.array([len(one) for one in some])
        scores = np.zeros((len(some), lengths.max(), lengths.max() + 1))
        for row, one in zip(scores, some, strict=True):
            row[: len(one), : len(one) + 1] = np.concatenate([one[:, :1], -one], axis=1)
        trees = arborescences(scores, lengths)
        return [tree[:n].tolist() for tree, n in zip(trees, lengths, strict=True)]

    def look(seed: int) -> None:
        rng = np.random.default_rng(seed)
        bank = [tied(rng, int(rng.integers(1, 14))) for _ in range(40)]
        for decode in (rooted, directed):
            alone = [decode([one])[0] for one in bank]
            assert decode(bank) == alone
            if decode is directed:
                arcs = [np.concatenate([one[:, :1], -one], axis=1) for one in bank]
                assert [arborescence(one).tolist() for one in arcs] == alone
            for sizes in ([7], [1, 2, 30], [39]):
                order = rng.permutation(len(bank)).tolist()
                for part in in_parts(sizes, len(bank)):
                    some = [order[i] for i in part]
                    assert decode([bank[i] for i in some]) == [alone[i] for i in some]
            for dtype in (np.float32, np.int64):
                assert decode([one.astype(dtype) for one in bank]) == alone

    tally.each(look, [(seed,) for seed in range(60 if whole else 4)])


@pytest.mark.parametrize(("hidden_size", "rank"), [(24, 24), (50, 33), (384, 64), (768, 768)])
def test_ties_of_equal_vectors_fall_alike_in_every_batch(
    hidden_size: int, rank: int, tally: Tally, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words that repeat have one vector at layer 0: one by one, shuffled, in chunks, in threads."""
    rng = np.random.default_rng(rank)
    probe = probe_of(*rng.normal(size=(2, rank, hidden_size)))

    def look(n_forms: int, n_sentences: int) -> None:
        forms = rng.normal(size=(n_forms, hidden_size)).astype(np.float32)
        bank = [forms[rng.integers(n_forms, size=rng.integers(1, 30))] for _ in range(n_sentences)]

        def heads(some: list[np.ndarray]) -> list[list[int]]:
            return [tree.tolist() for tree in probe.predict(some)]

        torch.set_num_threads(1)
        wanted, distances = heads(bank), probe.distances(bank)
        for x, found in zip(bank, distances, strict=True):  # ties stay ties
            again = (x[:, None] == x).all(-1)
            assert not found[again].any()
            for i, j in np.argwhere(np.triu(again, 1)):
                others = ~np.isin(np.arange(len(x)), (i, j))
                assert np.array_equal(found[i, others], found[j, others])
        assert [heads([one])[0] for one in bank] == wanted
        order = rng.permutation(len(bank)).tolist()
        assert heads([bank[i] for i in order]) == [wanted[i] for i in order]
        with monkeypatch.context() as patch:
            patch.setattr(ragged_vectors, "CHUNK_SIZE", 40 * hidden_size)
            assert heads(bank) == wanted
        torch.set_num_threads(2)
        assert heads(bank) == wanted

    cases = [(1, 12), (2, 30), (4, 100)]
    tally.each(look, cases * 10 if whole else cases)


def test_ties_of_equal_words_fall_alike_for_readers_of_heads(tally: Tally, whole: bool) -> None:
    """As for distances, for the arc scores of `BiaffineProbe`."""
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(6, 384)).astype(np.float32) for _ in range(20)]
    heads = [np.array([0, 1, 1, 2, 2, 3])] * len(x)
    probe = BiaffineProbe(rank=64, max_steps=3, random_state=0, device="cpu")
    probe.fit(x, heads, dev=(x, heads))

    def look(n_forms: int) -> None:
        forms = rng.normal(size=(n_forms, 384)).astype(np.float32)
        bank = [forms[rng.integers(n_forms, size=rng.integers(1, 30))] for _ in range(60)]
        wanted = [tree.tolist() for tree in probe.predict(bank)]
        assert [probe.predict([one])[0].tolist() for one in bank] == wanted
        order = rng.permutation(len(bank)).tolist()
        found = probe.predict([bank[i] for i in order])
        assert [tree.tolist() for tree in found] == [wanted[i] for i in order]
        for one, told in zip(bank, probe.predictions(bank), strict=True):
            scores = told.arc_scores
            assert np.array_equal(np.isneginf(scores[:, 1:]), np.eye(len(one), dtype=bool))
            assert np.allclose(np.exp(scores).sum(-1), 1, atol=1e-5)

    tally.each(look, [(1 + n % 4,) for n in range(24 if whole else 4)])


def test_torch_and_numpy_agree_on_ties(tally: Tally) -> None:
    """Whole numbers are exact in both."""

    def look(seed: int) -> None:
        rng = np.random.default_rng(seed)
        x = rng.integers(-2, 3, size=(16, 5)).astype(np.float32)
        x[8:] = -x[:8]  # their mean is exact
        seen = torch.from_numpy(x)
        distances, depths = squared_distances(seen).numpy(), squared_depths(seen).numpy()
        plain = ((x[:, None] - x) ** 2).sum(-1)
        assert np.array_equal(distances, plain)
        assert np.array_equal(depths, (x**2).sum(-1))
        heads = decode_rooted([plain.astype(int)], [(x**2).sum(-1)])[0].tolist()
        assert decode_rooted([distances], [depths])[0].tolist() == heads
        probe = probe_of(np.eye(5), np.eye(5))
        assert probe.predict([x])[0].tolist() == heads

    tally.each(look, [(seed,) for seed in range(25)])


LOSS, SCORE = 1e-4, 0.005  # as `StructuralProbe` states them


def assert_one_result(one: Any, other: Any, x: Any, heads: Any) -> None:
    """Hold two fits with one seed to the stated tolerance."""
    for kind in ("distance", "depth"):
        losses = [probe.history_[kind]["best_dev_loss"] for probe in (one, other)]
        assert losses[0] == pytest.approx(losses[1], abs=LOSS)
    assert one.score(x, heads) == pytest.approx(other.score(x, heads), abs=SCORE)


@pytest.mark.parametrize(
    "recipe",
    [{"max_steps": 60}, {"recipe": "published", "max_steps": 30, "learning_rate": 0.02}],
    ids=["whitened", "published"],
)
def test_one_seed_gives_one_result(recipe: dict[str, Any], tally: Tally, whole: bool) -> None:
    """Whatever the threads and the memory, and in a sweep of layers as alone."""
    hidden_size = 256 if whole else 48
    x, heads = planted(120, seed=0, noise=0.3, hidden_size=hidden_size)
    dev_x, dev_heads = planted(40, seed=1, noise=0.3, hidden_size=hidden_size)
    dev = (dev_x, dev_heads)
    same = {"random_state": 7, "device": "cpu", **recipe}
    torch.set_num_threads(1)
    alone = StructuralProbe(**same).fit(x, heads, dev=dev)

    def again(n_threads: int, memory_gb: float, layers: int) -> None:
        torch.set_num_threads(n_threads)
        if not layers:
            found = [StructuralProbe(memory_gb=memory_gb, **same).fit(x, heads, dev=dev)]
        else:
            given, held = (dict.fromkeys(range(layers), one) for one in (x, dev_x))
            jointly = LayerSweep(memory_gb=memory_gb, **same)
            found = [*jointly.fit(given, heads, dev=(held, dev_heads)).probes_.values()]
        for probe in found:
            assert_one_result(probe, alone, dev_x, dev_heads)
            if n_threads == 1 and memory_gb == 4:
                assert np.array_equal(probe.distance_components_, alone.distance_components_)
                assert np.array_equal(probe.depth_components_, alone.depth_components_)

    some = sum(map(len, x)) * hidden_size * 4 / 1e9
    cases = [(t, gb, n) for t in (1, 2) for gb in (4.0, 1.5 * some) for n in (0, 3)]
    tally.each(again, cases if whole else [(1, 4.0, 2), (2, 1.5 * some, 0)])


@pytest.mark.parametrize("batch_tokens", [16, 100, 4000])
def test_the_batch_of_the_encoder_changes_no_result(batch_tokens: int) -> None:
    bank, cut = tiny_bank(40, longest=9), wordpiece()
    heads = [one.heads for one in bank]
    fitted = []
    for tokens in (None, batch_tokens):
        encoder = Encoder(
            tiny_model("bert", cut), tokenizer=cut, batch_tokens=tokens, max_unknown=1
        )
        vectors = encoder.encode(bank).layer(3)
        probe = StructuralProbe(max_steps=60, random_state=0, device="cpu")
        fitted.append(probe.fit(vectors[:30], heads[:30], dev=(vectors[30:], heads[30:])))
    assert_one_result(*fitted, vectors[30:], heads[30:])


@pytest.mark.slow
def test_jobs_and_threads_give_the_same_rows(tmp_path: Any, tally: Tally) -> None:
    encoder = Encoder(save_checkpoint(tmp_path / "model", "bert"), device="cpu")
    banks = tiny_bank(), tiny_bank(seed=1), tiny_bank(seed=2)
    grid = {"layers": "0,2", "ranks": (2, None), "seeds": (0, 1), "max_steps": 20, "device": "cpu"}

    def rows(backend: Backend, n_threads: int) -> list[dict[str, Any]]:
        torch.set_num_threads(n_threads)
        folder = tmp_path / f"{backend.jobs}-{n_threads}"
        found = sweep(encoder, *banks, folder=folder, backend=backend, **grid)
        return [{k: v for k, v in row.items() if not k.endswith("_seconds")} for row in found]

    plain = rows(Backend(1), 1)

    def look(jobs: int, n_threads: int) -> None:
        assert rows(Backend(jobs), n_threads) == plain

    tally.each(look, [(1, 2), (2, 1), (3, 1)])
