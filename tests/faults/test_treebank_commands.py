"""Treebanks: what commands and functions do with text that is withheld, and heads of no tree."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.conllu_text import block, line
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_text

from structprobe.cli.main import main
from structprobe.errors import StructprobeError, TreebankError
from structprobe.experiments.compare import compare
from structprobe.experiments.config import (
    AxesConfig,
    CodelengthConfig,
    CompareConfig,
    DecomposeConfig,
    FitConfig,
    HeadsConfig,
    LocaliseConfig,
    SweepConfig,
    TransferConfig,
)
from structprobe.experiments.evaluate import evaluate, score_files
from structprobe.experiments.fit import fit_probe
from structprobe.experiments.heads import analyse_heads
from structprobe.experiments.instruments.axes import compare_axes
from structprobe.experiments.instruments.codelength import codelength
from structprobe.experiments.instruments.decompose import decompose
from structprobe.experiments.instruments.localise import localise
from structprobe.experiments.instruments.transfer import transfer
from structprobe.experiments.runs.planning import plan_sweep
from structprobe.experiments.sweep import sweep
from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_probe import AttentionProbe
from structprobe.recoverers.base import fit_checked
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.biaffine import Biaffine, BiaffineRelations
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.show.table import format_table
from structprobe.treebank import Treebank

pytestmark = pytest.mark.fault_class("treebanks")


def withheld(text: str) -> str:
    """Take the words out of a treebank."""
    rows = [line.split("\t") for line in text.split("\n")]
    return "\n".join("\t".join([row[0], "_", "_", *row[3:]] if row[1:] else row) for row in rows)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, a treebank with and without its text, and a probe."""
    folder = tmp_path_factory.mktemp("world")
    save_checkpoint(folder / "model", "bert")
    (folder / "SUD_Own").mkdir()
    for seed, part in enumerate(("train", "dev", "test")):
        text = tiny_text(seed=seed)
        (folder / f"{part}.conllu").write_text(text)
        (folder / f"blank-{part}.conllu").write_text(withheld(text))
        shutil.copy(folder / f"{part}.conllu", folder / "SUD_Own" / f"xx_own-sud-{part}.conllu")
    assert run(folder, f"fit {FILES} --layer 1 -o {{0}}/probe") == 0
    return folder


MODEL = "--model {0}/model --device cpu -q"
FILES = f"{MODEL} --train {{0}}/train.conllu --dev {{0}}/dev.conllu --max-steps 2"
BLANK = "--train {0}/train.conllu --dev {0}/dev.conllu --test {0}/blank-test.conllu"


def run(world: Path, command: str) -> int:
    return main(command.format(world).split())


@pytest.mark.parametrize(
    "command",
    [
        f"fit {MODEL} --train {{0}}/blank-train.conllu --layer 1 -o {{0}}/new",
        f"fit {MODEL} --train {{0}}/train.conllu --dev {{0}}/blank-dev.conllu --layer 1 -o {{0}}/n",
        f"sweep {MODEL} {BLANK} -o {{0}}/new",
        f"sweep {MODEL} {BLANK} -o {{0}}/new --dry-run",
        f"compare {MODEL} {BLANK} -o {{0}}/new",
        f"localise {MODEL} {BLANK}",
        f"codelength {MODEL} --train {{0}}/blank-train.conllu",
        f"decompose {MODEL} {BLANK}",
        f"axes {MODEL} {BLANK}",
        f"heads {MODEL} {BLANK}",
        "evaluate {0}/probe {0}/blank-test.conllu -q",
    ],
)
def test_commands_refuse_withheld_text(command, world, capsys, monkeypatch):
    monkeypatch.setattr("structprobe.cli.inputs.build_encoder", None)  # before a model is loaded
    before = sorted(world.rglob("*"))
    assert run(world, command) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert ".conllu: the text is withheld: " in told
    assert told.endswith("; its README should say how to restore the words, or use "
                         "--allow-withheld")  # fmt: skip
    assert sorted(world.rglob("*")) == before


def test_withheld_text_is_used_if_asked_for(world, capsys):
    blank = f"{MODEL} --train {{0}}/blank-train.conllu --max-steps 2 --layer 1"
    assert run(world, f"fit {blank} -o {{0}}/told --allow-withheld") == 0
    command = "evaluate {0}/told {0}/blank-test.conllu -q --json --allow-withheld"
    capsys.readouterr()
    assert run(world, command) == 0
    probe, _ = json.loads(capsys.readouterr().out)
    assert probe["uuas"] is not None


FUNCTIONS: dict[str, Any] = {
    "evaluate": (lambda bank, allow: evaluate([LinearChain()], bank, allow_withheld=allow)),
    "fit_probe": (
        lambda bank, allow: fit_probe(None, bank, layer=1, config=FitConfig(allow_withheld=allow))
    ),
    "sweep": (
        lambda bank, allow: sweep(
            None, bank, bank, folder="new", config=SweepConfig(allow_withheld=allow)
        )
    ),
    "plan_sweep": (
        lambda bank, allow: plan_sweep(
            None, bank, bank, folder="new", config=SweepConfig(allow_withheld=allow)
        )
    ),
    "compare": (
        lambda bank, allow: compare(
            None, bank, bank, bank, folder="new", config=CompareConfig(allow_withheld=allow)
        )
    ),
    "localise": (
        lambda bank, allow: localise(None, bank, bank, config=LocaliseConfig(allow_withheld=allow))
    ),
    "codelength": (
        lambda bank, allow: codelength(None, bank, config=CodelengthConfig(allow_withheld=allow))
    ),
    "decompose": (
        lambda bank, allow: decompose(
            None, bank, bank, bank, config=DecomposeConfig(allow_withheld=allow)
        )
    ),
    "compare_axes": (
        lambda bank, allow: compare_axes(
            None, bank, bank, bank, config=AxesConfig(allow_withheld=allow)
        )
    ),
    "transfer": (
        lambda bank, allow: transfer(
            None,
            {"a": (bank, None, bank), "b": (None, None, bank)},
            layer=1,
            config=TransferConfig(allow_withheld=allow),
        )
    ),
    "analyse_heads": (
        lambda bank, allow: analyse_heads(
            None, bank, bank, bank, config=HeadsConfig(allow_withheld=allow)
        )
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_refuse_withheld_text(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bank = Treebank.from_text(withheld(tiny_text(4)), path="x.conllu")
    with pytest.raises(TreebankError, match=r"^x\.conllu: the text .*or pass allow_withheld=True"):
        FUNCTIONS[name](bank, False)
    if name == "evaluate":
        assert FUNCTIONS[name](bank, True)[0]["uuas"] > 0
    else:  # it goes on to the encoder, of which there is none here
        with pytest.raises(StructprobeError, match="encoder is None, not an Encoder"):
            FUNCTIONS[name](bank, True)


def test_each_file_of_several_is_looked_at(tmp_path):
    """One withheld file hides among others that are large."""
    (tmp_path / "a.conllu").write_text(tiny_text(40))
    (tmp_path / "b.conllu").write_text(withheld(tiny_text(1)))
    bank = Treebank.read([tmp_path / "a.conllu", tmp_path / "b.conllu"])
    assert sum(s.words.count("_") for s in bank) < 0.05 * bank.n_words
    with pytest.raises(TreebankError, match=r"b\.conllu: the text is withheld"):
        evaluate([LinearChain()], bank)


def test_a_folder_of_sud_is_a_treebank(world, capsys):
    command = f"encode {MODEL} --treebank {{0}}/SUD_Own --layers 0 --cache {{0}}/cache --json"
    assert run(world, command) == 0
    done = json.loads(capsys.readouterr().out)
    assert [one["treebank"].rpartition(" ")[2] for one in done] == ["train", "dev", "test"]
    assert run(world, f"sweep {MODEL} --treebank {{0}}/SUD_Own -o {{0}}/new --dry-run") == 0


HEADS = {
    "partly `_`": ("2", "_", "0"),
    "a cycle": ("2", "1", "0"),
    "no numbers": ("x", "y", "z"),
    "out of range": ("99", "2", "0"),
}


@pytest.mark.parametrize("heads", HEADS.values(), ids=HEADS)
def test_heads_do_not_matter_to_parse(heads, world, tmp_path, capfdbinary):
    rows = [line(i, f"w{i}", head) for i, head in enumerate(heads, start=1)]
    path = tmp_path / "x.conllu"
    path.write_text(block(*rows, sent_id="one"))
    assert run(world, f"parse {{0}}/probe {path} -q --max-unknown 1") == 0
    (parsed,) = Treebank.from_text(capfdbinary.readouterr().out)
    assert (parsed.words, parsed.sent_id) == (("w1", "w2", "w3"), "one")
    assert parsed.heads is not None


def test_parse_writes_into_the_columns_of_plus(world, tmp_path, capfdbinary):
    path = tmp_path / "x.conllup"
    rows = ["# global.columns = ID HEAD FORM A:B", "1\t_\ta\tx", "2\t_\tb\ty"]
    path.write_text(block(*rows))
    assert run(world, f"parse {{0}}/probe {path} -q") == 0
    text = capfdbinary.readouterr().out.decode()
    assert sorted(Treebank.from_text(text)[0].heads.tolist())[0] == 0
    assert [row.split("\t")[2:] for row in text.split("\n")[1:3]] == [["a", "x"], ["b", "y"]]
    path.write_text(block(rows[0].replace("HEAD ", ""), "1\ta\tx", "2\tb\ty"))
    assert run(world, f"parse {{0}}/probe {path} -q") == 1
    assert b"x.conllup:1: no column HEAD to write to: ID FORM A:B" in capfdbinary.readouterr().err


# The heads of a system, gold being 2 0 2 3; UAS, UUAS and root accuracy by hand.
ARCS = {
    "a cycle": ((2, 1, 2, 3), 3 / 4, 3 / 3, 0),
    "two roots": ((2, 0, 2, 0), 3 / 4, 2 / 3, 1),
    "its own head": ((1, 0, 2, 3), 3 / 4, 2 / 3, 1),
    "no root": ((3, 3, 4, 2), 0, 2 / 3, 0),
}


@pytest.mark.parametrize("name", ARCS)
def test_arcs_that_form_no_tree_are_scored(name, tmp_path, caplog):
    heads, uas, uuas, root_acc = ARCS[name]
    for file, values in (("gold", (2, 0, 2, 3)), ("system", heads)):
        rows = [line(i, f"w{i}", head) for i, head in enumerate(values, start=1)]
        (tmp_path / f"{file}.conllu").write_text(block(*rows))
    row = score_files(tmp_path / "gold.conllu", tmp_path / "system.conllu")
    assert (row["uas"], row["uuas"], row["root_acc"]) == pytest.approx((uas, uuas, root_acc))
    assert row["n_without_tree"] == 1
    told, *others = caplog.messages
    assert others == row["warnings"]  # of so small a treebank
    assert told.endswith("the heads of 1 of 1 sentences are not a tree; their arcs are scored as "
                         "they are")  # fmt: skip
    assert "In system.conllu, the heads of 1 sentence are not a tree" in format_table([row])
    with pytest.raises(TreebankError, match=r"cycle|root|its own head"):
        score_files(tmp_path / "system.conllu", tmp_path / "gold.conllu")


def test_trees_are_scored_without_a_word(tmp_path, caplog):
    (tmp_path / "gold.conllu").write_text(tiny_text(3))
    row = score_files(tmp_path / "gold.conllu", tmp_path / "gold.conllu")
    assert (row["n_without_tree"], row["uas"]) == (None, 1)
    assert caplog.messages == ["test has only 3 sentences: the scores are very uncertain"]


FITTED: dict[str, Any] = {
    "ProbeRecoverer": (lambda: ProbeRecoverer.__new__(ProbeRecoverer)),
    "BestLayer": (lambda: BestLayer.__new__(BestLayer)),
    "Biaffine": (lambda: Biaffine.__new__(Biaffine)),
    "BiaffineRelations": (lambda: BiaffineRelations.__new__(BiaffineRelations)),
    "AttentionMax": (lambda: AttentionMax.__new__(AttentionMax)),
    "AttentionProbe": (lambda: AttentionProbe.__new__(AttentionProbe)),
}


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("part", ["train", "dev"])
def test_recoverers_refuse_withheld_text(name, part):
    """Before they look at a model, of which there is none here."""
    good = Treebank.from_text(tiny_text(4), path="good.conllu")
    bank = Treebank.from_text(withheld(tiny_text(4)), path="x.conllu")
    banks = {"train": good, "dev": good} | {part: bank}
    with pytest.raises(TreebankError, match=r"^x\.conllu: the text .*or pass allow_withheld=True"):
        FITTED[name]().fit(**banks)
    with pytest.raises(AttributeError):
        FITTED[name]().fit(**banks, allow_withheld=True)


def test_a_comparison_that_may_read_withheld_text_fits_methods_on_it():
    bank = Treebank.from_text(withheld(tiny_text(4)), path="x.conllu")
    with pytest.raises(AttributeError):  # of the model that there is not
        fit_checked(FITTED["BestLayer"](), bank, bank)
    assert fit_checked(LinearChain(), bank, None)  # which has no such argument
