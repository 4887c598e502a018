"""Probes of planted treebanks on each other, against probes by hand; and the command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import transfer
from support.planted import planted
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_file

from structprobe import StructuralProbe, score
from structprobe.cli.main import main
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import EncoderError, ProbeError, ScoreError
from structprobe.experiments.instruments.transfer import Transfer
from structprobe.show.transfer_table import format_transfer
from structprobe.treebank import Sentence, Treebank

N_AXES = 8  # of a planted treebank's trees: each arc is a step along one of them
WIDTH = 3 * N_AXES
FEW = {"rank": N_AXES, "max_steps": 150, "device": "cpu", "progress": False}

Parts = tuple[Treebank | None, Treebank | None, Treebank]


class Axes:
    """An encoder whose layer holds the trees of each treebank on axes of its own, under noise."""

    n_layers, layers, hidden_size, lang = 1, (0, 1), WIDTH, None

    def __init__(self) -> None:
        self.vectors: dict[tuple[str, ...], np.ndarray] = {}

    def plant(self, name: str, first: int, sizes: tuple[int, int, int], seed: int = 0) -> Parts:
        """Make a treebank whose trees lie on the axes from `first` on."""
        parts = []
        for part, n in enumerate(sizes):
            vectors, heads = planted(
                n, seed=10 * seed + part, hidden_size=N_AXES, longest=N_AXES + 1
            )
            rng = np.random.default_rng(100 * seed + part)
            sentences = []
            for number, (own, tree) in enumerate(zip(vectors, heads, strict=True)):
                words = tuple(f"{name}{part}-{number}-{i}" for i in range(len(tree)))
                wide = 0.3 * rng.normal(size=(len(tree), WIDTH))
                wide[:, first : first + N_AXES] = own
                self.vectors[words] = wide.astype(np.float32)
                sentences.append(Sentence(words, tree))
            parts.append(Treebank(sentences))
        return parts[0], parts[1], parts[2]

    def origin(self, layer: int) -> dict[str, Any]:
        return {"model": "axes", "fingerprint": "axes"}

    def encode(
        self, sentences: Sequence[Sentence], *, layers: Iterable[int], **_: Any
    ) -> EncodedBank:
        values = np.concatenate([self.vectors[one.words] for one in sentences])
        offsets = np.cumsum([0, *map(len, sentences)])
        return EncodedBank(dict.fromkeys(layers, values), offsets, {"model": "axes"})


@pytest.fixture(scope="module")
def world() -> tuple[Axes, dict[str, Parts]]:
    """Two treebanks on the same axes, and one on others."""
    encoder = Axes()
    places = {"one": 0, "same": 0, "other": N_AXES}
    return encoder, {
        name: encoder.plant(name, first, (150, 30, 40), seed)
        for seed, (name, first) in enumerate(places.items())
    }


@pytest.fixture(scope="module")
def found(world: tuple[Axes, Mapping[str, Parts]]) -> Transfer:
    return transfer(*world, layer=1, pooled=True, halves=True, **FEW)


def uuas(found: Transfer, a: str, b: str) -> float:
    return found.rows[a, b]["uuas"]


def test_probes_transfer_in_the_same_subspace_alone(found: Transfer) -> None:
    for a, b in (("one", "one"), ("one", "same"), ("same", "one"), ("other", "other")):
        assert uuas(found, a, b) > 0.95
    for a, b in (("one", "other"), ("other", "one"), ("same", "other")):
        assert uuas(found, a, b) < 0.5
    drops = {(one.trained_on, one.tested_on): one for one in found.drops if one.metric == "uuas"}
    assert abs(drops["one", "same"].value) < 0.05
    assert drops["one", "same"].low <= drops["one", "same"].value <= drops["one", "same"].high
    assert drops["one", "other"].low > 0.4
    assert drops["one", "other"].value == uuas(found, "other", "other") - uuas(
        found, "one", "other"
    )


def test_the_angles_are_those_of_the_planted_subspaces(found: Transfer) -> None:
    own = [one for one in found.angles if one.kind == "distance"]
    mean = {(one.a, one.b): one for one in own if not one.halves}
    halves = {(one.a, one.b): one for one in own if one.halves}
    assert mean["one", "same"].mean < 10
    assert mean["one", "other"].mean > 80
    assert mean["one", "other"].smallest > mean["one", "same"].largest
    # Halves of a training set have seen few words on some of the axes.
    assert mean["one", "same"].mean < halves["one", "one"].mean < 30
    assert halves["one", "same"].mean < 30 < 70 < halves["one", "other"].mean
    assert {*mean} == {("one", "same"), ("one", "other"), ("same", "other")}
    assert {*halves} == {*mean, ("one", "one"), ("same", "same"), ("other", "other")}
    assert 45 < mean["one", "same"].chance < 65  # 8 of 24 axes
    assert len(found.angles) == 2 * len(own)


def test_pooled_probes_read_all_treebanks_or_all_others(
    world: tuple[Axes, Mapping[str, Parts]], found: Transfer
) -> None:
    assert found.trained_on == ("one", "same", "other", "all", "all others")
    assert uuas(found, "all", "one") > 0.7 > 0.5 > uuas(found, "all others", "other")
    assert uuas(found, "all others", "one") > uuas(found, "all others", "other") + 0.1
    # "all others" of "other" is a probe of the two on the same axes.
    encoder, banks = world
    train, dev = (Treebank([*banks["one"][at], *banks["same"][at]]) for at in (0, 1))
    assert uuas(found, "all others", "other") == by_hand(encoder, train, dev, banks["other"][2])


def by_hand(encoder: Axes, train: Treebank, dev: Treebank, test: Treebank) -> float:
    """Fit and score one probe on plain arrays."""
    X = [[encoder.vectors[one.words] for one in bank] for bank in (train, dev, test)]
    how = {name: FEW[name] for name in ("rank", "max_steps", "device")}
    probe = StructuralProbe(random_state=0, **how).fit(X[0], train, dev=(X[1], dev))
    return score(test, probe.predictions(X[2])).uuas


def test_each_cell_is_that_of_a_probe_by_hand(
    world: tuple[Axes, Mapping[str, Parts]], found: Transfer
) -> None:
    encoder, banks = world
    for a, b in (("one", "other"), ("other", "other"), ("same", "one")):
        assert uuas(found, a, b) == by_hand(encoder, *banks[a][:2], banks[b][2])
    for name, (_, _, test) in banks.items():
        chains = [abs(i - (h - 1)) == 1 for one in test for i, h in enumerate(one.heads) if h]
        assert uuas(found, "linear", name) == pytest.approx(np.mean(chains))


def test_the_table_shows_the_matrix(found: Transfer) -> None:
    lines = format_transfer(found.values()).splitlines()
    assert lines[0] == "UUAS"
    heading, *rows = (line.split("  ") for line in lines[1:8])
    assert [one.strip() for one in heading if one] == [
        "trained on", "one", "same", "other", "mean of others"
    ]  # fmt: skip
    assert [row[0] for row in rows[:6]] == ["one", "same", "other", "all", "all others", "linear"]
    mean = 50 * (uuas(found, "one", "same") + uuas(found, "one", "other"))
    assert rows[0][-1].strip() == f"{mean:.1f}"
    assert any(line.startswith("Mean angle between the subspaces of distance") for line in lines)
    assert "Only edges, distances and roots are compared, no relations." in lines
    assert json.loads(json.dumps(found.values())) == found.values()


def test_a_treebank_without_training_set_is_only_tested_on(
    world: tuple[Axes, Mapping[str, Parts]],
) -> None:
    encoder, banks = world
    some = {"one": banks["one"], "test only": (None, None, banks["other"][2])}
    found = transfer(encoder, some, layer=1, **{**FEW, "max_steps": 5})
    assert (found.trained_on, found.tested_on) == (("one",), ("one", "test only"))
    assert {*found.rows} == {
        ("one", "one"), ("one", "test only"), ("linear", "one"), ("linear", "test only")
    }  # fmt: skip
    assert found.drops == found.angles == ()


def test_what_fails_leaves_its_cells_empty_with_the_reason(
    world: tuple[Axes, Mapping[str, Parts]],
) -> None:
    encoder, banks = world
    word = Treebank([Sentence(("word",), [0])])
    encoder.vectors["word",] = np.ones((1, WIDTH), np.float32)
    some = {"one": banks["one"], "tiny": (word, None, banks["same"][2])}
    found = transfer(encoder, some, layer=1, halves=True, **{**FEW, "max_steps": 5})
    for test in some:
        assert found.rows["tiny", test]["uuas"] is None
        assert "two or more" in found.rows["tiny", test]["why_empty"]
        assert found.rows["one", test]["uuas"] is not None
    assert "No scores of tiny: " in format_transfer(found.values())
    assert {(one.a, one.b) for one in found.angles} == {("one", "one")}

    class Fails(Axes):
        def encode(self, sentences: Sequence[Sentence], **how: Any) -> EncodedBank:
            if sentences[0].words[0].startswith("other"):
                raise EncoderError("the tokenizer knows none of the words")
            return super().encode(sentences, **how)

    fails = Fails()
    fails.vectors = encoder.vectors
    found = transfer(fails, banks, layer=1, pooled=True, **{**FEW, "max_steps": 5})
    for cell in (("other", "one"), ("one", "other"), ("all", "one"), ("all others", "one")):
        assert found.rows[cell]["why_empty"] == "the tokenizer knows none of the words"
    for cell in (("one", "same"), ("same", "one"), ("linear", "other")):
        assert found.rows[cell]["uuas"] is not None


def test_treebanks_that_differ_in_annotation_are_told_apart(
    world: tuple[Axes, Mapping[str, Parts]], caplog: pytest.LogCaptureFixture
) -> None:
    encoder, banks = world

    def tagged(bank: Treebank, deprel: str, upos: str | None) -> Treebank:
        return Treebank(
            Sentence(one.words, one.heads, deprels=[deprel if h else "root" for h in one.heads],
                     upos=None if upos is None else [upos] * len(one))
            for one in bank
        )  # fmt: skip

    some = {
        "ud": tuple(tagged(part, "nsubj", "X") for part in banks["one"]),
        "sud": tuple(tagged(part, "subj", None) for part in banks["same"]),
    }
    found = transfer(encoder, some, layer=1, **{**FEW, "max_steps": 5})
    punct, *relations = found.warnings
    assert punct == ('the test sets are scored with different punct: "upos" for ud, "keep" for sud')
    assert relations[0].endswith(
        "of the words of sud have relations that ud does not use (subj): if the two are "
        "annotated differently, that lowers the scores too"
    )
    assert len(relations) == 2
    assert punct in caplog.text
    assert f"Warning: {punct}." in format_transfer(found.values())


def test_full_rank_has_no_angles(world: tuple[Axes, Mapping[str, Parts]]) -> None:
    how = {**FEW, "rank": None, "max_steps": 5}
    found = transfer(*world, layer=1, halves=True, **how)
    assert found.angles == ()
    assert "No angles: at full rank, all subspaces are the same" in format_transfer(found.values())


def test_what_cannot_be_compared_is_refused(world: tuple[Axes, Mapping[str, Parts]]) -> None:
    encoder, banks = world
    one = banks["one"]
    for treebanks, told in (
        ({"one": one}, "1 treebank was given: nothing to transfer to; give at least two"),
        ({}, "no treebank was given"),
        ([one, one], "treebanks is a list, not treebanks by name; pass"),
        ({"one": one, "two": one}, "one and two have the same training set; give different"),
        (
            {"one": one, "two": (None, None, one[2]), "three": (None, None, one[2])},
            "two and three have the same test set; give different ones",
        ),
        ({"one": one, "two": (one[0], None, one[1])}, "one and two have the same training set"),
        ({"one": one, "two": one[:2]}, r"treebanks\['two'\] is a tuple, not \(train, dev, test\)"),
        ({"one": one, "two": (*one[:2], None)}, "two: the treebank has no test set"),
        ({"one": (None, None, one[2]), "two": (None, None, one[1])}, "no treebank has a training"),
        ({"one": one, "all": banks["same"]}, "a treebank is called 'all'; use another name"),
    ):
        with pytest.raises(ScoreError, match=told):
            transfer(encoder, treebanks, layer=1, **FEW)
    with pytest.raises(ProbeError, match="rank 25 is out of range; choose from 1 to 24"):
        transfer(encoder, banks, layer=1, rank=25)
    with pytest.raises(ProbeError, match="layer 2 is out of range"):
        transfer(encoder, banks, layer=2)
    with pytest.raises(ProbeError, match=r"layer .0-1. is several layers; give the number of one"):
        transfer(encoder, banks, layer="0-1")
    with pytest.raises(ScoreError, match="UPOS"):
        transfer(encoder, banks, layer=1, punct="upos")


def test_the_command_prints_the_matrix_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_checkpoint(tmp_path / "model", "bert")
    for seed, place in enumerate(("a/train", "a/dev", "a/test", "b/train", "b/test")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        tiny_file(tmp_path / f"{place}.conllu", n=20, seed=seed)
    command = f"transfer --model {model} --treebank {tmp_path}/a {tmp_path}/b --layer 1 --rank 2"
    arguments = [*command.split(), "--max-steps", "5", "--device", "cpu", "-q"]
    assert main([*arguments, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["trained_on"], values["tested_on"]) == (["a", "b"], ["a", "b"])
    cells = {(one["trained_on"], one["tested_on"]): one for one in values["rows"]}
    assert cells["b", "a"]["train"] == "train.conllu"
    assert cells["b", "a"]["part"] == cells["linear", "a"]["part"] == "test"
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split("  ")[0] == "trained on"
    assert printed == format_transfer(values) + "\n"


@pytest.mark.parametrize(
    ("treebanks", "told"),
    [
        ("a", "--treebank: 1 given; this command needs two or more"),
        ("a b a", "--treebank: a is given twice"),
    ],
)
def test_the_command_needs_different_treebanks(
    treebanks: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(f"transfer --model m --treebank {treebanks} --layer 1".split())
    assert told in capsys.readouterr().err
