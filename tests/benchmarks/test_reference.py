"""The plain way and the library's agree: the benchmark compares like with like."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.planted import planted
from support.tree_cases import trees

from benchmarks import reference
from structprobe import Encoder, StructuralProbe, Treebank, score
from structprobe.scores import Prediction
from structprobe.trees import decode_rooted, edges, gold_depths, gold_distances, spanning_tree

KINDS = {
    "distance": (reference.DistanceProbe, reference.gold_distances, gold_distances),
    "depth": (reference.DepthProbe, reference.gold_depths, gold_depths),
}


def test_reading_agrees(sample):
    path = sample / "dev.conllu"
    found, expected = reference.read(path), Treebank.read(path)
    assert [one.words for one in found] == [list(one.words) for one in expected]
    assert [one.xpos for one in found] == [list(one.xpos) for one in expected]
    assert [one.heads for one in found] == [one.heads.tolist() for one in expected]


def test_reading_leaves_ranges_and_empty_nodes_out(tmp_path):
    rows = ["1-2\tvámonos" + "\t_" * 8, "1\tvamos\t_\t_\tVB" + "\t_\t0" + "\t_" * 3]
    rows += ["1.1\tya" + "\t_" * 8, "2\tnos\t_\t_\tPRP" + "\t_\t1" + "\t_" * 3]
    (tmp_path / "a.conllu").write_text("# sent_id = 1\n" + "\n".join(rows), encoding="utf-8")
    (found,) = reference.read(tmp_path / "a.conllu")
    assert found == reference.Observation(["vamos", "nos"], ["VB", "PRP"], [0, 1])


@pytest.mark.parametrize("kind", KINDS)
@given(heads=trees(max_size=12))
def test_gold_values_agree(kind, heads):
    _, plain_gold, gold = KINDS[kind]
    assert plain_gold(heads).tolist() == gold([heads])[0].tolist()


def test_vectors_agree(minilm, sample):
    from transformers import AutoModel, AutoTokenizer

    sentences = Treebank.read(sample / "dev.conllu")[:8]
    encoder = Encoder(minilm, device="cpu")
    ours = encoder.encode(sentences, progress=False)
    model = AutoModel.from_pretrained(minilm, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(minilm)
    for index, sentence in enumerate(sentences):
        layers = reference.encode(model, tokenizer, sentence.words)
        assert len(layers) == encoder.n_layers + 1
        for layer, vectors in enumerate(layers):
            np.testing.assert_allclose(ours.layer(layer)[index], vectors, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_and_losses_agree(kind):
    make_probe, plain_gold, _ = KINDS[kind]
    vectors, heads = planted(40, seed=3, hidden_size=16, noise=0.5)
    dev, dev_heads = planted(25, seed=4, hidden_size=16, noise=0.5)
    ours = StructuralProbe(rank=5, max_steps=30, random_state=0, device="cpu")
    ours.fit(vectors, heads, dev=(dev, dev_heads))
    plain = make_probe(16, 5)
    with torch.no_grad():
        plain.projection.copy_(torch.from_numpy(getattr(ours, f"{kind}_components_").T))
    x = [torch.from_numpy(one) for one in dev]
    found = ours.distances(dev) if kind == "distance" else ours.depths(dev)
    for one, expected in zip(x, found, strict=True):
        np.testing.assert_allclose(plain(one[None])[0].detach(), expected, rtol=1e-3, atol=1e-4)
    loss = reference.dev_loss(plain, x, [plain_gold(one) for one in dev_heads])
    assert loss == pytest.approx(ours.history_[kind]["best_dev_loss"], rel=1e-4)


def test_padding_counts_for_nothing():
    vectors = [torch.ones(1, 2), torch.zeros(3, 2)]
    padded, labels, lengths = reference.pad_batch(
        vectors, [torch.zeros(1), torch.tensor([1.0, 0, 2])]
    )
    assert padded.tolist() == [[[1, 1], [0, 0], [0, 0]], [[0, 0]] * 3]
    assert labels.tolist() == [[0, -1, -1], [1, 0, 2]]
    # Errors 0 of one word, and 1 + 0 + 2 of three: means 0 and 1, of the batch 0.5.
    assert float(reference.l1_loss(torch.zeros(2, 3), labels, lengths)) == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_training_arrives_where_the_published_recipe_does(kind):
    """Means of three seeds, which alone spread by 4 %; an untrained probe's loss is above 1."""
    make_probe, plain_gold, _ = KINDS[kind]
    vectors, heads = planted(240, seed=0, hidden_size=24, noise=0.2)
    dev, dev_heads = planted(60, seed=1, hidden_size=24, noise=0.2)
    plain_sets = [
        part
        for x, y in ((vectors, heads), (dev, dev_heads))
        for part in ([torch.from_numpy(one) for one in x], [plain_gold(one) for one in y])
    ]
    losses, plain_losses = [], []
    for seed in range(3):
        ours = StructuralProbe(
            recipe="published", learning_rate=0.003, random_state=seed, device="cpu"
        )
        ours.fit(vectors, heads, dev=(dev, dev_heads))
        losses.append(ours.history_[kind]["best_dev_loss"])
        torch.manual_seed(seed)
        run = reference.train(make_probe(24, 24), *plain_sets, learning_rate=0.003)
        plain_losses.append(run.loss)
        assert 5 < run.epochs <= 40
        # The probe that is handed back is the one that had that loss.
        assert reference.dev_loss(run.probe, *plain_sets[2:]) == pytest.approx(run.loss)
    assert np.mean(plain_losses) == pytest.approx(np.mean(losses), rel=0.04)
    assert max(plain_losses) < 0.5


def test_training_keeps_the_best_and_stops():
    """A start at the optimum: no epoch gains, and the probe after five more is not kept."""
    x, y = [torch.zeros(2, 3)], [torch.tensor([[0.0, 1], [1, 0]])]
    run = reference.train(reference.DistanceProbe(3, 3), x, y, x, y)
    assert (run.loss, run.epochs) == (0.5, 6)  # the first is a gain upon nothing


@given(trees(min_size=2, max_size=9), st.integers(0, 2**32))
def test_trees_agree(heads, seed):
    n = len(heads)
    rng = np.random.default_rng(seed)
    distances = rng.integers(1, 4, size=(n, n)).astype(float)  # ties
    distances = distances + distances.T
    found = reference.spanning_edges(distances, range(n))
    assert sorted(found) == [tuple(edge) for edge in edges(spanning_tree(distances)).tolist()]
    depths = rng.normal(size=n)
    assert reference.decode(distances, depths) == decode_rooted([distances], [depths])[0].tolist()


def test_scores_agree():
    rng = np.random.default_rng(0)
    gold, predictions = [], []
    _, heads = planted(80, seed=5, longest=9)
    for tree in heads:
        n = len(tree)
        xpos = rng.choice(["NN", ",", ".", "HYPH"], size=n).tolist()
        gold.append(SimpleNamespace(heads=tree, xpos=xpos, upos=None, deprels=None))
        distances = rng.integers(0, 5, size=(n, n)).astype(float)
        predictions.append(
            Prediction(tree, distances=distances + distances.T, depths=rng.normal(size=n))
        )
    observations = [reference.Observation([], one.xpos, one.heads.tolist()) for one in gold]
    distances = [one.distances for one in predictions]
    depths = [one.depths for one in predictions]
    ours = score(gold, predictions, punct="xpos")
    assert reference.uuas(observations, distances) == pytest.approx(ours.uuas)
    assert reference.root_accuracy(observations, depths) == pytest.approx(ours.root_acc)
    gold_rows = [reference.gold_distances(one.heads) for one in observations]
    assert reference.distance_spearman(gold_rows, distances) == pytest.approx(ours.dspr)
    gold_rows = [reference.gold_depths(one.heads) for one in observations]
    assert reference.depth_spearman(gold_rows, depths) == pytest.approx(ours.nspr)
