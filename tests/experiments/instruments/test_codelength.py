"""The online code of planted trees, of noise, and of a tiny model; and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.flat_settings import codelength, codelength_rows
from support.planted_encoder import PlantedEncoder, distinct_bank
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file

from structprobe import Encoder
from structprobe.cli.main import main
from structprobe.errors import ProbeError, ScoreError, TreebankError
from structprobe.experiments.instruments.codelength import KINDS, CodedBlock, Codelength
from structprobe.probe.losses.codes import uniform_bits
from structprobe.results.folder import ROWS, read_commands, read_rows
from structprobe.results.settings import over_seeds
from structprobe.show.codelength_table import format_codelengths
from structprobe.show.report import build_report
from structprobe.show.table import format_table
from structprobe.treebank import Sentence, Treebank

FEW = {"max_steps": 300, "device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def bank() -> Treebank:
    return distinct_bank(400)


@pytest.fixture(scope="module")
def coded(bank: Treebank) -> dict[tuple[int, str], Codelength]:
    """Layer 1 holds the trees, layer 0 noise."""
    found = codelength(PlantedEncoder(bank), bank, layers=[0, 1], **FEW)
    return {(one.layer, one.kind): one for one in found}


def test_planted_trees_compress_and_noise_does_not(
    coded: dict[tuple[int, str], Codelength],
) -> None:
    assert coded[1, "tree"].compression > 1.7
    assert 0.95 < coded[0, "tree"].compression < 1.02
    # How distances are spread is learned without the vectors, too.
    for kind in ("distances", "depths"):
        assert coded[1, kind].compression > 1.5 * coded[0, kind].compression
        assert 0.95 < coded[0, kind].compression < 1.5


def test_the_blocks_are_those_of_the_paper(
    bank: Treebank, coded: dict[tuple[int, str], Codelength]
) -> None:
    one = coded[1, "tree"]
    # 0.1 and 0.2 per cent of 400 sentences are less than one.
    assert [block.n_sentences for block in one.blocks] == [1, 1, 1, 3, 7, 12, 25, 50, 100, 200]
    assert one.n_sentences == len(bank)
    ends = np.cumsum([block.n_sentences for block in one.blocks])
    trained = [max(1, round(300 * end / 400)) for end in ends[:-1]]
    assert [block.n_steps for block in one.blocks[2:]] == trained[1:]
    first = one.blocks[0]
    assert first == CodedBlock(1, first.uniform_codelength, first.uniform_codelength)
    lengths = np.array([*map(len, bank)])
    for kind in KINDS:
        whole = uniform_bits(kind, lengths).sum()
        assert coded[1, kind].uniform_codelength == pytest.approx(whole)
        parts = [block.codelength for block in coded[1, kind].blocks]
        assert coded[1, kind].codelength == pytest.approx(sum(parts))


def test_a_seed_decides_everything_and_other_layers_and_kinds_nothing(
    bank: Treebank, coded: dict[tuple[int, str], Codelength]
) -> None:
    encoder = PlantedEncoder(bank)
    (again,) = codelength(encoder, bank, layers=1, kinds="depths", **FEW)
    assert again == coded[1, "depths"]
    (other,) = codelength(encoder, bank, layers=1, kinds="depths", seed=1, **FEW)
    assert other.codelength != again.codelength
    assert other.uniform_codelength == pytest.approx(again.uniform_codelength)


def test_the_trees_of_a_control_are_coded_given_the_same_vectors(
    bank: Treebank, coded: dict[tuple[int, str], Codelength]
) -> None:
    """The words are the same, and the trees are not those in the vectors."""
    how = {"layers": 1, "kinds": "tree", "controls": "random", **FEW}
    real, control = codelength(PlantedEncoder(bank), bank, **how)
    assert real == coded[1, "tree"]
    assert (real.control, control.control) == (None, "random")
    assert control.uniform_codelength == real.uniform_codelength
    assert 0.95 < control.compression < 1.05


def test_a_dev_set_chooses_in_place_of_held_out_sentences(bank: Treebank) -> None:
    dev = distinct_bank(30, seed=5)
    encoder = PlantedEncoder(Treebank([*bank, *dev]))
    how = {"layers": 1, "kinds": "tree", **FEW, "max_steps": 100}
    part = Treebank(bank[:100])
    (own,), (given,) = codelength(encoder, part, **how), codelength(encoder, part, dev, **how)
    assert (own.held_out, given.held_out) == ("train", "dev")
    assert given.codelength != own.codelength
    assert given.uniform_codelength == own.uniform_codelength
    assert given.blocks[1].n_steps > 0  # there is nothing to hold out


@pytest.mark.parametrize("recipe", ["auto", "published"])
def test_other_recipes(bank: Treebank, recipe: str) -> None:
    encoder, part = PlantedEncoder(bank), Treebank(bank[:60])
    encoder.hidden_size = encoder.longest
    how = {"layers": 1, "rank": 4, "kinds": ["distances"], "recipe": recipe}
    (found,) = codelength(encoder, part, **how, device="cpu", progress=False)
    assert (found.recipe, found.rank) == (recipe, 4)
    assert found.max_steps == (None if recipe == "published" else 2000)
    assert found.blocks[-1].n_steps > 0
    assert found.compression > 1.1


def tiny(*lengths: int) -> Treebank:
    chains = [tuple(range(n)) for n in lengths]
    return Treebank([Sentence(tuple(f"w{i}-{j}" for j in own), list(own))
                     for i, own in enumerate(chains)])  # fmt: skip


def test_a_few_sentences_are_coded_or_refused() -> None:
    refused = "the train treebank is too small for an online code: it has "
    for bank, told in (
        (tiny(5), "1 sentence, 1 of two or more words"),
        (tiny(5, 4), "2 sentences, 2 of two or more words"),
        (tiny(1, 1, 1, 1, 1), "5 sentences, 0 of two or more words"),
    ):
        with pytest.raises(ScoreError, match=refused + told):
            codelength(PlantedEncoder(bank), bank, layers=1, **FEW)
    bank = tiny(5, 4, 3, 6)
    for one in codelength(PlantedEncoder(bank), bank, layers=1, **FEW):
        assert [block.n_sentences for block in one.blocks] == [1, 1, 2]
        assert [block.n_steps for block in one.blocks] == [0, 0, 150]
        assert one.codelength > 0


def test_what_is_unknown_is_refused(bank: Treebank) -> None:
    encoder = PlantedEncoder(bank)
    with pytest.raises(ProbeError, match=r"unknown kind 'trees'.*choose from 'tree', '"):
        codelength(encoder, bank, kinds=["trees"])
    with pytest.raises(ProbeError, match="no kind was given"):
        codelength(encoder, bank, kinds=[])
    with pytest.raises(TreebankError, match="unknown control task 'deep'"):
        codelength(encoder, bank, controls="form,deep")
    with pytest.raises(ProbeError, match="unknown recipe 'best'"):
        codelength(encoder, bank, recipe="best")
    with pytest.raises(ProbeError, match="seed -1 is out of range"):
        codelength(encoder, bank, seed=-1)


def test_the_command_prints_a_table_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_checkpoint(tmp_path / "model", "bert")
    tiny_file(tmp_path / "train.conllu", n=30)
    command = f"codelength --model {model} --train {tmp_path}/train.conllu --layers 0,2 -q".split()
    command += ["--max-steps", "20", "--kinds", "tree", "depths", "--device", "cpu"]
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["layer"], row["kind"]) for row in rows] == [
        (0, "tree"), (0, "depths"), (2, "tree"), (2, "depths"),
    ]  # fmt: skip
    for row in rows:
        assert row["compression"] == row["uniform_codelength"] / row["codelength"]
        assert (row["train"], row["model"]) == ("train.conllu", str(model))
        assert sum(block["n_sentences"] for block in row["blocks"]) == row["n_sentences"] == 30
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed == format_codelengths(rows) + "\n"
    heading, *lines = printed.splitlines()
    assert heading.split() == ["layer", "kind", "codelength", "uniform", "compression"]
    assert lines[0].split()[:2] == ["0", "tree"]
    assert "the codelengths of different kinds are not comparable" in lines[-2]
    assert lines[-1] == "30 sentences in 6 blocks; recipe whitened, 20 steps; seed 0."
    command[command.index("depths")] = "--controls"
    assert main(command) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["layer", "kind", "control"]
    told = [line.split()[:3] for line in lines[:8]]
    names = "–", "form", "position", "random"
    assert told == [[layer, "tree", name] for layer in "02" for name in names]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return Encoder(save_checkpoint(tmp_path_factory.mktemp("model"), "bert"), device="cpu")


def test_codelengths_go_into_a_results_folder_once(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, few = tiny_bank(30), {"max_steps": 10, "device": "cpu", "progress": False}
    found = codelength(encoder, bank, layers=[0, 2], kinds=["tree", "depths"], **few)
    how = {"folder": tmp_path, "kinds": ["tree", "depths"], **few}
    codelength_rows(encoder, bank, layers=[2], **how)
    before = (tmp_path / ROWS).read_bytes()
    rows = codelength_rows(encoder, bank, layers=[0, 2], controls="form", **how)
    assert (tmp_path / ROWS).read_bytes().startswith(before)
    assert [(row["method"], row["layer"]) for row in rows] == [
        (f"codelength-{kind}{end}", layer)
        for layer in (0, 2)
        for kind in ("tree", "depths")
        for end in ("", "-control-form")
    ]
    for one, row in zip(found, rows[::2], strict=True):
        assert row["codelength"] == pytest.approx(one.codelength)
        assert row["compression"] == pytest.approx(one.compression)
        assert (row["rank"], row["train_fingerprint"]) == (one.rank, bank.fingerprint)
        assert row["uuas"] is row["part"] is row["treebank"] is row["control"] is None
    assert {row["control"] for row in rows[1::2]} == {"form"}
    assert sorted(row["key"] for row in read_rows(tmp_path)) == sorted(row["key"] for row in rows)
    monkeypatch.setattr(Encoder, "encode", None)  # nothing is left to do
    assert codelength_rows(encoder, bank, layers=[0, 2], controls="form", **how) == rows
    page = build_report(tmp_path)
    assert 'labelledby="codelengths"' in page
    assert 'labelledby="scores"' not in page
    table = format_table(rows).splitlines()
    assert table[0].split() == ["method", "layer", "rank", "seed", "bits", "compression"]
    assert len(table) == 10


def test_several_seeds_are_one_line(encoder: Encoder, tmp_path: Path) -> None:
    how = {"layers": 2, "kinds": "tree", "folder": tmp_path, "max_steps": 10, "progress": False}
    for seed in (0, 1):
        codelength_rows(encoder, tiny_bank(30), seed=seed, **how)
    rows = read_rows(tmp_path)
    (line,) = over_seeds(rows)
    assert line["compression"] == pytest.approx(np.mean([row["compression"] for row in rows]))
    assert f" ± {np.std([row['codelength'] for row in rows], ddof=1):,.0f} " in format_table(rows)


def test_the_command_writes_rows(
    encoder: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_file(tmp_path / "train.conllu", n=30)
    command = f"codelength --model {encoder.model} --train {tmp_path}/train.conllu --layers 2 -q "
    command += f"--max-steps 10 --kinds tree --controls form -o {tmp_path}/DIR --device cpu"
    assert main(command.split()) == 0
    printed = capsys.readouterr().out
    assert printed == format_table(read_rows(tmp_path / "DIR")) + "\n"
    assert [line.split()[0] for line in printed.splitlines()[1:3]] == [
        "codelength-tree", "codelength-tree-control-form"
    ]  # fmt: skip
    assert "-o" in read_commands(tmp_path / "DIR")[0]["command"]
    assert main([*command.split(), "--controls", "words"]) == 1
    assert "unknown control task 'words'" in capsys.readouterr().err
