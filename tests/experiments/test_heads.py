"""`analyse_heads` on planted attention and on tiny models; what it writes; bad input."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.flat_settings import analyse_heads
from support.models import paired_wordpiece, tiny_model
from support.planted_attention import plant
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank

from structprobe import Encoder, Treebank, WordAttentions, score
from structprobe.attention.alignment import Alignment, shuffled_heads
from structprobe.attention.patterns import PatternRules
from structprobe.attention.relations import LEAST_ARCS, RelationTally
from structprobe.attention.targets import TARGETS, TargetSums
from structprobe.errors import EncoderError, ResultError, ScoreError
from structprobe.experiments.heads import single_head_methods, tree_rows


def labelled(seed: int, n: int = 12) -> Treebank:
    """A tiny treebank with the relations ``nsubj`` and ``nsubj:pass``, ``det`` and ``root``."""
    text = tiny_bank(n, seed).to_conllu()
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if "\tdep\t" in line:
            name = (
                "det"
                if "\tthe\t" in line or "\ta\t" in line
                else ("nsubj", "nsubj:pass")[number % 2]
            )
            lines[number] = line.replace("\tdep\t", f"\t{name}\t")
    return Treebank.from_text("\n".join(lines))


BANKS = {"train": labelled(0), "dev": labelled(1), "test": labelled(2)}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("tiny-bert"), "bert"))


def test_planted_heads(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    read = plant(monkeypatch)
    bank = BANKS["test"]
    analysis = analyse_heads(encoder, BANKS["train"][:5], BANKS["dev"][:7], bank)
    assert read == [7, 12]  # train is not sent through the model
    assert analysis.about["chosen_on"] == "dev"
    arcs = bank.n_words - len(bank)
    assert [row["relation"] for row in analysis.relations[:2]] == ["all", "all"]
    assert {row["relation"] for row in analysis.relations} == {"all", "det", "nsubj"}
    for row in analysis.relations[::2]:
        assert (row["direction"], row["layer"], row["head"]) == ("dependent to head", 2, 1)
        assert row["accuracy"] == row["choice_accuracy"] == 1.0
        assert row["ahead"][:1] == ([[2, 1, 1.0]] if row["n_arcs"] >= LEAST_ARCS else [])
    assert [row["n_arcs"] >= LEAST_ARCS for row in analysis.relations[::2]] == [True, True, False]
    assert analysis.relations[0]["n_arcs"] == arcs
    before = sum((sentence.heads == np.arange(len(sentence))).sum() for sentence in bank)
    firsts = sum(int(sentence.heads[0] == 0) for sentence in bank)  # root: 0 is no word before
    assert analysis.accuracy["all"][0, 0, 1] == pytest.approx((before - firsts) / arcs)

    assert analysis.alignment[1, 0] == pytest.approx(arcs / bank.n_words)
    assert np.isnan(analysis.alignment[0, 0])
    assert analysis.shuffled[1, 0] < analysis.alignment[1, 0]
    pairs = sum(len(sentence) ** 2 / len(sentence) for sentence in bank)
    spread = sum(2 * (len(sentence) - 1) / len(sentence) for sentence in bank)
    assert analysis.alignment[1, 1] == pytest.approx(spread / pairs)
    assert analysis.shuffled[1, 1] == pytest.approx(spread / pairs)

    assert analysis.shares["special"].tolist() == [[1, 0], [0, 0]]
    assert analysis.shares["first"].tolist() == [[0.5, 0], [0, 0]]
    assert analysis.shares["previous"][0, 1] == 1
    puncts = sum(sentence.upos.count("PUNCT") for sentence in bank)
    assert puncts > 0
    assert analysis.shares["punct"][1, 1] == pytest.approx(puncts / bank.n_words)
    assert analysis.patterns[0].tolist() == ["vertical", "diagonal"]
    best = {row["method"]: row for row in analysis.trees if row["best"]}
    assert list(best) == [
        "attention-max", "attention-max-from", "attention-mst", "attention-mst-gold-root"
    ]  # fmt: skip
    for name in ("attention-max", "attention-mst", "attention-mst-gold-root"):
        row = best[name]
        assert (row["layer"], row["head"], row["choice_uuas"], row["uuas"]) == (2, 1, 1.0, 1.0)
    chain = next(row for row in analysis.trees if row["method"] == "attention-mst")
    assert (chain["layer"], chain["head"], chain["best"]) == (1, 2, False)
    assert sum(analysis.pattern_counts.values()) == 4


def test_without_dev_heads_are_chosen_on_train(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = plant(monkeypatch)
    analysis = analyse_heads(encoder, BANKS["train"][:5], None, BANKS["test"][:3])
    assert read == [5, 3]
    assert analysis.about["chosen_on"] == "train"


def test_whether_the_first_position_is_special_is_asked_of_the_encoder(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, before=())
    analysis = analyse_heads(encoder, *BANKS.values(), punct="keep")
    # Of the even head, words from the third on look at the first word by 1 / n, unlike a neighbour.
    expected = sum((len(one) - 2) / len(one) for one in BANKS["test"] if len(one) > 2)
    found = analysis.shares["delimiters"][1, 1]
    assert found == pytest.approx(expected / BANKS["test"].n_words)
    # And its alignment is that of the arcs to words behind the first.
    arcs = sum(
        ((one.heads > 1).sum() + (one.heads[1:] > 0).sum()) / len(one) for one in BANKS["test"]
    )
    total = sum(len(one) - 1 for one in BANKS["test"])
    assert analysis.alignment[1, 1] == pytest.approx(arcs / total)
    assert not analysis.about["first_is_special"]
    plant(monkeypatch)
    analysis = analyse_heads(encoder, *BANKS.values(), punct="keep")
    assert analysis.shares["delimiters"][1, 1] == analysis.shares["punct"][1, 1] == 0


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_model_sentence_by_sentence(kind: str, tmp_path: Path) -> None:
    encoder = Encoder(save_checkpoint(tmp_path, kind), batch_tokens=40)
    train, dev, test = BANKS.values()
    analysis = analyse_heads(encoder, train, dev, test, seed=3)
    attentions = WordAttentions(encoder)
    names = ["det", "nsubj", "root"]
    tallies = {}
    generator = np.random.default_rng(3)
    alignment, shuffled, targets = (
        kind(2, 2, first_is_special=bool(encoder.surroundings.before))
        for kind in (Alignment, Alignment, TargetSums)
    )
    for part, bank in (("dev", dev), ("test", test)):
        tallies[part] = RelationTally(names, 2, 2)
        for sentence in bank:
            (batch,) = attentions.read([sentence], progress=False)
            heads = sentence.heads[None]
            relations = [names.index(name.split(":")[0]) for name in sentence.deprels]
            tallies[part].add(batch.weights, heads, np.array([relations]))
            if part == "test":
                punct = np.array([[tag == "PUNCT" for tag in sentence.upos]])
                alignment.add(batch.weights, heads)
                shuffled.add(batch.weights, shuffled_heads(sentence.heads, generator)[None])
                targets.add(
                    batch.weights, batch.lengths, special=batch.special, first=batch.first,
                    punct=punct,
                )  # fmt: skip
    for number, name in enumerate(("all", *names[:2])):
        assert (analysis.accuracy[name] == tallies["test"].accuracy[:, number]).all()
        for direction in range(2):
            table = tallies["dev"].accuracy[direction, number]
            row = next(row for row in analysis.relations[direction::2] if row["relation"] == name)
            assert table[row["layer"] - 1, row["head"] - 1] == table.max() == row["choice_accuracy"]
    for method in single_head_methods(encoder):
        on_dev, on_test = method.score_heads(dev), method.score_heads(test)
        rows = [row for row in analysis.trees if row["method"] == method.name]
        assert [row["head"] for row in rows] == (on_dev.argmax(axis=1) + 1).tolist()
        assert [row["choice_uuas"] for row in rows] == on_dev.max(axis=1).tolist()
        assert [row["uuas"] for row in rows] == [
            on_test[layer, row["head"] - 1] for layer, row in enumerate(rows)
        ]
        alone = method.fit(train, dev)
        (row,) = (row for row in rows if row["best"])
        assert alone.chosen_ == {"layer": row["layer"], "head": row["head"]}
        assert row["uuas"] == score(test, alone.predict(test)).uuas
    assert analysis.alignment == pytest.approx(alignment.share)
    assert analysis.shuffled == pytest.approx(shuffled.share)
    assert analysis.entropy == pytest.approx(targets.entropy, abs=1e-5)
    for name in TARGETS:
        assert analysis.shares[name] == pytest.approx(targets.shares[name], abs=1e-6)
    again = analyse_heads(encoder, train, dev, test, seed=3).to_dict()
    times = {"cpu_seconds", "wall_seconds"}
    assert {k: v for k, v in again.items() if k not in times} == {
        k: v for k, v in analysis.to_dict().items() if k not in times
    }


def test_a_head_is_not_chosen_where_no_edge_counts() -> None:
    nothing, some = np.full((1, 2), np.nan), np.array([[0.5, 0.25]])
    (row,) = tree_rows({"m": nothing}, {"m": some})
    assert (row["head"], row["choice_uuas"], row["uuas"], row["best"]) == (None, None, None, False)
    (row,) = tree_rows({"m": some}, {"m": nothing})
    assert (row["head"], row["choice_uuas"], row["uuas"], row["best"]) == (1, 0.5, None, True)


@pytest.mark.parametrize("n", [12, 11])
def test_pairs_are_what_heads_look_at(n: int) -> None:
    tokenizer = paired_wordpiece()
    encoder = Encoder(tiny_model("bert", tokenizer, positions=256), tokenizer=tokenizer)
    test = BANKS["test"][:n]
    alone = analyse_heads(encoder, BANKS["train"], BANKS["dev"], test)
    analysis = analyse_heads(encoder, BANKS["train"], BANKS["dev"], test, pairs=True)
    assert (alone.about["n_pairs"], analysis.about["n_pairs"]) == (None, n // 2)
    assert (alone.own_segment, alone.pattern_counts["block"]) == (None, 0)
    assert analysis.alignment == pytest.approx(alone.alignment)
    assert analysis.trees == alone.trees
    targets = TargetSums(3, 4, first_is_special=True)
    for batch, segments in WordAttentions(encoder).read_pairs(test):
        for row, number in enumerate(batch.sentences.tolist()):
            k = batch.lengths[row]
            tags = [*test[number].upos, *test[number + 1].upos]
            targets.add(
                batch.weights[row : row + 1, ..., :k, :k], batch.lengths[row : row + 1],
                special=batch.special[row : row + 1, ..., :k],
                first=batch.first[row : row + 1, ..., :k],
                punct=np.array([[tag == "PUNCT" for tag in tags]]),
                segments=segments[row : row + 1, :k],
            )  # fmt: skip
    for name, share in targets.shares.items():
        assert analysis.shares[name] == pytest.approx(share, abs=1e-6)
    assert analysis.own_segment == pytest.approx(targets.own_segment)
    loose = replace(analysis, rules=PatternRules(mainly=1.0, within=0.5)).patterns
    assert ((loose == "block") == (targets.own_segment >= 0.5)).all()
    assert (loose == "block").any()
    told = {(row["layer"], row["head"]): row["pattern"] for row in analysis.head_rows()}
    assert all(row["pattern"] == told[row["layer"], row["head"]] for row in analysis.relations)


def test_pairs_that_cannot_be_read(encoder: Encoder) -> None:
    with pytest.raises(EncoderError, match="no special token between two segments"):
        analyse_heads(encoder, *BANKS.values(), pairs=True)
    tokenizer = paired_wordpiece()
    paired = Encoder(tiny_model("bert", tokenizer), tokenizer=tokenizer)
    with pytest.raises(
        ScoreError, match="no two consecutive sentences fit into the model; use at least two"
    ):
        analyse_heads(paired, BANKS["train"], BANKS["dev"], BANKS["test"][:1], pairs=True)


def test_thresholds(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    strict = PatternRules(mainly=1.0)
    analysis = analyse_heads(encoder, *BANKS.values(), rules=strict)
    assert analysis.rules == strict
    assert analysis.heterogeneous() == analysis.heterogeneous(1.0) == 0.5
    assert analysis.heterogeneous(0.0) == 0.0
    with pytest.raises(ScoreError, match=r"mainly must be .*, got 2"):
        analysis.heterogeneous(2)


def test_what_is_written(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    analysis = analyse_heads(encoder, *BANKS.values(), folder=tmp_path / "heads")
    everything = json.loads((tmp_path / "heads" / "heads.json").read_text())
    assert everything == analysis.to_dict()
    with (tmp_path / "heads" / "heads.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], row["head"]) for row in rows] == [
        ("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")
    ]  # fmt: skip
    assert rows[0]["pattern"] == "vertical"
    assert rows[0]["alignment"] == ""  # it does not look at words
    assert everything["heads"][0]["alignment"] is None
    with (tmp_path / "heads" / "relations.csv").open() as file:
        assert [row["relation"] for row in csv.DictReader(file)][:2] == ["all", "all"]
    before = (tmp_path / "heads" / "heads.json").read_bytes()
    with pytest.raises(ResultError, match=r"heads\.json already exists; .* force=True"):
        analyse_heads(encoder, *BANKS.values(), folder=tmp_path / "heads", seed=1)
    assert (tmp_path / "heads" / "heads.json").read_bytes() == before
    analyse_heads(encoder, *BANKS.values(), folder=tmp_path / "heads", seed=1, force=True)
    assert (tmp_path / "heads" / "heads.json").read_bytes() != before


def test_faults_are_told_before_any_work(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("structprobe.experiments.heads.WordAttentions", None)
    train, dev, test = BANKS.values()
    with pytest.raises(ScoreError, match="dev treebank has no sentence"):
        analyse_heads(encoder, train, [], test)
    with pytest.raises(ScoreError, match="sentence in the test treebank has no heads"):
        analyse_heads(encoder, train, dev, Treebank.from_words([["the", "dog"]]))
    bare = Treebank.from_text("1\tdog\t_\t_\t_\t_\t0\t_\t_\t_\n\n")
    with pytest.raises(ScoreError, match="sentence in the train treebank has no relations; use"):
        analyse_heads(encoder, bare, dev, test)
    with pytest.raises(ScoreError, match="unknown punct 'all'"):
        analyse_heads(encoder, train, dev, test, punct="all")
    (tmp_path / "mine").touch()
    with pytest.raises(ResultError, match="is not a structprobe results folder"):
        analyse_heads(encoder, train, dev, test, folder=tmp_path)


def test_punct_needs_its_tags(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    with pytest.raises(ScoreError, match="punct='xpos': no XPOS for"):
        analyse_heads(encoder, *BANKS.values(), punct="xpos")
