"""The commands from arguments to what is printed and written, on a tiny model."""

from __future__ import annotations

import argparse
import json
import logging
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.tiny_checkpoints import save_checkpoint
from tqdm import tqdm

from structprobe import ProbeRecoverer, Treebank
from structprobe.cli import inputs
from structprobe.cli.main import _log_to_stderr, main

GOLD = """\
# sent_id = one
# a comment without an equals sign
1-2\tthedog\t_\t_\t_\t_\t_\t_\t_\t_
1\tthe\tthe\tDET\tDT\t_\t2\tdet\t2:det\t_
2\tdog\tdog\tNOUN\tNN\t_\t3\tnsubj\t3:nsubj\t_
3\tran\trun\tVERB\tVBD\t_\t0\troot\t0:root\tSpaceAfter=No
4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t3:punct\t_

# sent_id = two
1\ta\ta\tDET\tDT\t_\t2\tdet\t_\t_
2\tcat\tcat\tNOUN\tNN\t_\t3\tnsubj\t_\t_
3\tsaw\tsee\tVERB\tVBD\t_\t0\troot\t_\t_
4\tthe\tthe\tDET\tDT\t_\t5\tdet\t_\t_
5\tdog\tdog\tNOUN\tNN\t_\t3\tobj\t_\t_

"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, a treebank and a probe that `fit` saved."""
    folder = tmp_path_factory.mktemp("world")
    save_checkpoint(folder / "model", "bert")
    (folder / "gold.conllu").write_text(GOLD, encoding="utf-8")
    status = main(
        f"fit --model {folder}/model --train {folder}/gold.conllu --dev {folder}/gold.conllu "
        f"--layer 1 --rank 4 --max-steps 20 -q --device cpu -o {folder}/probe".split()
    )
    assert status == 0
    return folder


def run_json(capsys: pytest.CaptureFixture[str], command: str) -> object:
    """Run a command with ``--json`` and read what it printed."""
    capsys.readouterr()
    assert main([*command.split(), "--json", "-q"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_log_is_left_as_it_was(world: Path) -> None:
    logger = logging.getLogger("structprobe")
    before = list(logger.handlers), logger.propagate, logger.level
    for command in (f"score {world}/gold.conllu {world}/gold.conllu", "score nowhere nowhere"):
        main([*command.split(), "-v"])
        assert (logger.handlers, logger.propagate, logger.level) == before


def test_a_line_of_the_log_stands_above_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """A sweep tells of each layer while it trains the next."""
    told = argparse.Namespace(quiet=False, verbose=False)
    with tqdm(total=2, desc="steps") as bar, _log_to_stderr(told):
        bar.update()
        logging.getLogger("structprobe").info("layer 0")
    before, _, after = capsys.readouterr().err.partition("structprobe: layer 0\n")
    assert before.endswith("\r")  # nothing else is on the line
    assert after.startswith("\rsteps:  50%")


def test_fit_saves_a_probe(world: Path) -> None:
    files = {path.name for path in (world / "probe").iterdir()}
    assert {"config.json", "model.safetensors", "README.md"} <= files


def test_evaluate_prints_the_probe_and_the_chain(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run_json(capsys, f"evaluate {world}/probe {world}/gold.conllu")
    probe, chain = rows
    assert (probe["method"], probe["layer"], probe["rank"]) == ("probe", 1, 4)
    # Kept words: the dog ran / a cat saw the dog: the chain finds 2 of 2 and 3 of 4 edges.
    assert (chain["method"], chain["uuas"]) == ("linear", pytest.approx(5 / 6))
    assert (probe["n_sentences"], probe["n_words"], probe["punct"]) == (2, 9, "upos")
    assert main(["evaluate", f"{world}/probe", f"{world}/gold.conllu", "-q"]) == 0
    printed = capsys.readouterr().out
    assert "linear" in printed
    assert 'punct="upos"' in printed


def test_score_compares_two_files(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    system = GOLD.replace("\t4\tthe\tthe\tDET\tDT\t_\t5\tdet", "\t4\tthe\tthe\tDET\tDT\t_\t3\tdet")
    system = system.replace("4\tthe\tthe\tDET\tDT\t_\t5\t", "4\tthe\tthe\tDET\tDT\t_\t3\t")
    (world / "system.conllu").write_text(system, encoding="utf-8")
    (row,) = run_json(capsys, f"score {world}/gold.conllu {world}/system.conllu")
    assert row["uas"] == row["las"] == pytest.approx(8 / 9)
    assert row["uuas"] == pytest.approx(5 / 6)
    assert row["root_acc"] == 1.0


def test_score_says_how_each_relation_was_predicted(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = GOLD.replace("\t3\tobj\t", "\t3\tobl:arg\t").replace("\t2\tdet\t_", "\t3\tdet\t_")
    (world / "others.conllu").write_text(system, encoding="utf-8")
    command = f"score {world}/gold.conllu {world}/others.conllu"
    (plain,) = run_json(capsys, command)
    (row,) = run_json(capsys, f"{command} --relations")
    relations, confusion = row.pop("relations"), row.pop("confusion")
    assert row == plain
    assert row["las"] == pytest.approx(7 / 9)
    assert row["clas"] == 4 / 5  # dog, ran, cat and saw of five content words
    of_det, *others = relations
    assert of_det == {
        "relation": "det", "correct": 2, "gold": 3, "predicted": 3, "precision": 2 / 3,
        "recall": 2 / 3, "f1": 2 / 3,
    }  # fmt: skip
    assert [(one["relation"], one["precision"], one["recall"], one["f1"]) for one in others] == [
        ("nsubj", 1, 1, 1), ("root", 1, 1, 1), ("punct", 1, 1, 1), ("obj", None, 0, 0),
        ("obl", 0, None, 0),
    ]  # fmt: skip
    assert confusion[0] == {"gold": "det", "predicted": "det", "words": 3, "right_heads": 2}
    assert {"gold": "obj", "predicted": "obl", "words": 1, "right_heads": 1} in confusion
    assert main([*command.split(), "--relations", "-q"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:5] == ["method", "UUAS", "UAS", "LAS", "CLAS"]
    assert ["det", "3", "3", "2", "66.7", "66.7", "66.7"] in lines
    assert ["obj", "1", "0", "0", "–", "0.0", "0.0"] in lines
    assert ["obj", "obl", "1", "1"] in lines
    bare = re.sub(r"\t(det|nsubj|obj|punct)\t", r"\tdep\t", GOLD)
    (world / "bare.conllu").write_text(bare, encoding="utf-8")
    assert main(f"score {world}/gold.conllu {world}/bare.conllu --relations -q".split()) == 1
    assert re.search(r"bare.conllu: no relations to score", capsys.readouterr().err)


def test_parse_keeps_all_but_the_tree(world: Path, capfdbinary) -> None:
    assert main(["parse", f"{world}/probe", f"{world}/gold.conllu", "-q"]) == 0
    parsed = capfdbinary.readouterr().out.decode()
    old, new = GOLD.split("\n"), parsed.split("\n")
    assert len(old) == len(new)
    for before, after in zip(old, new, strict=True):
        if "\t" not in before:
            assert before == after
            continue
        old_columns, new_columns = before.split("\t"), after.split("\t")
        assert old_columns[:6] + old_columns[9:] == new_columns[:6] + new_columns[9:]
        assert new_columns[7] in {"root", "dep", "_"}
        assert new_columns[8] == "_"
    assert all(sentence.heads is not None for sentence in Treebank.from_text(parsed))


@pytest.mark.slow
def test_parse_reads_a_pipe_and_writes_a_file(world: Path) -> None:
    command = [sys.executable, "-m", "structprobe", "parse", f"{world}/probe", "-", "-q"]
    done = subprocess.run(command, input=GOLD.encode(), capture_output=True, check=True)
    out = world / "parsed.conllu"
    assert main(["parse", f"{world}/probe", f"{world}/gold.conllu", "-q", "-o", str(out)]) == 0
    assert out.read_bytes() == done.stdout


def test_what_parse_writes_has_no_las(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = f"{world}/gold.conllu {world}/unlabelled.conllu"
    assert main(f"parse {world}/probe -q {files.replace(' ', ' -o ')}".split()) == 0
    (row,) = run_json(capsys, f"score {files}")
    assert row["las"] is None
    assert row["uas"] is not None
    assert main([*f"score {files}".split(), "-q"]) == 0
    assert "LAS" not in capsys.readouterr().out  # as in all tables, a column that no row fills


def test_parse_draws_plain_text(world: Path, capfdbinary) -> None:
    text = world / "text.txt"
    text.write_text("the dog ran\n\nthe cat saw a dog\n", encoding="utf-8")
    assert main(["parse", f"{world}/probe", str(text), "--text", "-q"]) == 0
    drawn = capfdbinary.readouterr().out.decode()
    assert "the dog ran" in drawn
    assert main(["parse", f"{world}/probe", str(text), "--text", "--json", "-q"]) == 0
    trees = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [tree["words"] for tree in trees] == [
        ["the", "dog", "ran"],
        ["the", "cat", "saw", "a", "dog"],
    ]
    assert all(sorted(tree["heads"])[0] == 0 for tree in trees)
    assert all("deprels" not in tree for tree in trees)


def test_parse_tells_relations_where_the_probe_has_them(
    world: Path, capfdbinary, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ProbeRecoverer.predict

    def named(self: ProbeRecoverer, sentences: object) -> list:
        return [replace(one, deprels=("dep",) * len(one)) for one in plain(self, sentences)]

    monkeypatch.setattr(ProbeRecoverer, "predict", named)
    text = world / "text.txt"
    text.write_text("the dog ran\n", encoding="utf-8")
    command = ["parse", f"{world}/probe", str(text), "--text", "-q"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["deprels"] == ["dep", "dep", "dep"]
    assert main(command) == 0
    assert capfdbinary.readouterr().out.decode().count("dep") == 2


def test_sweep_is_not_done_twice(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = (
        f"sweep --model {world}/model --train {world}/gold.conllu --dev {world}/gold.conllu "
        f"--test {world}/gold.conllu --layers 0-1 --ranks 2,4 --seeds 0,1 --max-steps 5 "
        f"--device cpu -o {world}/results"
    )
    first = run_json(capsys, command)
    written = (world / "results" / "rows.jsonl").read_bytes()
    assert run_json(capsys, command) == first
    assert (world / "results" / "rows.jsonl").read_bytes() == written
    probes = [row for row in first if row["method"] == "probe"]
    assert {(row["layer"], row["rank"], row["seed"]) for row in probes} == {
        (layer, rank, seed) for layer in (0, 1) for rank in (2, 4) for seed in (0, 1)
    }
    assert (world / "results" / "rows.csv").read_text().count("\n") == 1 + len(first)


def test_products_and_room_reach_the_probe(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = f"--model {world}/model --train {world}/gold.conllu --dev {world}/gold.conllu"
    how = "--max-steps 5 --device cpu --products bfloat16 --memory-gb 0.5"
    (row,) = run_json(capsys, f"fit {files} --layer 1 {how} -o {world}/half")
    assert row["products"] == "bfloat16"
    config = json.loads((world / "half" / "config.json").read_text())
    hyperparameters = config["hyperparameters"]
    assert (hyperparameters["products"], hyperparameters["memory_gb"]) == ("bfloat16", 0.5)
    rows = run_json(capsys, f"sweep {files} --layers 1 {how} --no-baselines -o {world}/halves")
    assert [one["products"] for one in rows] == ["bfloat16"]
    assert rows[0]["dev_loss"] == row["dev_loss"]
    (plan,) = run_json(
        capsys, f"sweep {files} --layers 1 {how} -o {world}/halves --no-baselines --dry-run"
    )
    assert (plan["runs"], plan["runs_done"]) == (1, 1)


FAULTS = {
    "memory_gb 1e-09 is too small": (
        "fit --model {world}/model --train {world}/gold.conllu --dev {world}/gold.conllu "
        "--layer 1 -o {world}/p --device cpu --memory-gb 1e-9"
    ),
    "no such file": "evaluate {world}/probe {world}/gone.conllu",
    "nowhere: no such folder": "evaluate {world}/nowhere {world}/gold.conllu",
    "no/such-probe: no such folder, not in the local cache, and the hub cannot be reached": (
        "parse no/such-probe {world}/gold.conllu"
    ),
    "0 to 2": "fit --model {world}/model --train {world}/gold.conllu --layer 9 -o {world}/p",
    "1 to 8": (
        "fit --model {world}/model --train {world}/gold.conllu --layer 1 --rank 9 -o {world}/p"
    ),
    "{world}/taken": (
        "fit --model {world}/model --train {world}/gold.conllu --layer 1 -o {world}/taken"
    ),
    "taken: the folder exists and is not a structprobe results folder": (
        "sweep --model {world}/model --train {world}/gold.conllu --dev {world}/gold.conllu "
        "-o {world}/taken"
    ),
    "faulty.conllu:1": "score {world}/faulty.conllu {world}/gold.conllu",
    "'cuda:99'": (
        "fit --model {world}/model --train {world}/gold.conllu --layer 1 -o {world}/p "
        "--device cuda:99"
    ),
}


@pytest.mark.parametrize("said", FAULTS)
def test_a_fault_is_one_line_and_status_1(
    said: str, world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (world / "taken").mkdir(exist_ok=True)
    (world / "taken" / "thesis.tex").write_text("dear to me")
    (world / "faulty.conllu").write_text("1\tthe\t_\n\n")
    before = sorted(world.rglob("*"))
    assert main([*FAULTS[said].format(world=world).split(), "-q"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("structprobe: error: ")
    assert said.format(world=world) in line
    assert sorted(world.rglob("*")) == before


@pytest.mark.parametrize(
    "command",
    [
        "fit",
        "score a.conllu",
        "demo --no-such-flag",
        "demo --jso",
        "sweep --model m --train t -o d --ranks 3,x",
        "sweep --model m --train t -o d --layers x",
        "demo --max-steps 0",
        "fit --model m --train t -o d --layer 1 --memory-gb 0",
        "fit --model m --train t -o d --layer 1 --memory-gb inf",
        "sweep --model m --train t -o d --memory-gb much",
        "sweep --model m --train t -o d --products float16",
        "demo -q -v",
        "transmogrify",
    ],
)
def test_a_fault_in_the_usage_is_status_2(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(command.split())
    assert stop.value.code == 2
    assert "structprobe" in capsys.readouterr().err


def test_interruption_and_broken_pipes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from structprobe.cli import score, sweep

    def interrupted(args: object) -> None:
        raise KeyboardInterrupt

    for module in (score, sweep):
        monkeypatch.setattr(module, "run", interrupted)
    assert main(["score", "a", "b"]) == 130
    assert "interrupted; nothing was written" in capsys.readouterr().err
    command = ["sweep", "--model", "m", "--train", "a file", "-o", "DIR"]
    assert main(command) == 130
    told = "resume with: structprobe sweep --model m --train 'a file' -o DIR\n"
    assert capsys.readouterr().err.endswith(told)


def test_files_are_looked_at_before_a_model_is_loaded(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inputs, "build_encoder", None)
    gold = f"{world}/gold.conllu"
    for command in (
        f"fit --model m --train {gold} --dev {world}/gone --layer 1 -o {world}/new",
        f"localise --model m --train {gold} --dev {world}/gone",
        f"heads --model m --train {gold} --test {world}/gone",
        f"sweep --model m --train {gold} --dev {world}/gone -o {world}/new",
    ):
        assert main(command.split()) == 1
        assert f"{world}/gone: no such file" in capsys.readouterr().err
    told = "structprobe: error: there is nothing to score on; give a dev or a test set\n"
    assert main(f"sweep --model m --train {gold} -o {world}/new".split()) == 1
    assert capsys.readouterr().err == told
    assert main(f"fit --model m --train {world}/gone --layer 1 -o {world}/probe".split()) == 1
    assert "already contains a saved probe" in capsys.readouterr().err


def test_an_interruption_while_commands_are_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(only: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("structprobe.cli.main.build_parser", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "structprobe: interrupted; nothing was done\n"


def test_a_reader_that_leaves_is_no_fault(world: Path) -> None:
    command = f"{sys.executable} -m structprobe score {world}/gold.conllu {world}/gold.conllu"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | true"], capture_output=True, text=True
    )
    told = "structprobe: test has only 2 sentences: the scores are very uncertain\n"
    assert (done.returncode, done.stderr) == (0, told)


def test_operating_system_faults_are_one_line(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = world / "no" / "such" / "folder" / "out.conllu"
    assert main(["parse", f"{world}/probe", f"{world}/gold.conllu", "-q", "-o", str(out)]) == 1
    assert str(out) in capsys.readouterr().err


def test_parse_overwrites_nothing_unasked(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.conllu"
    gold.write_text(GOLD, encoding="utf-8")
    # Before any work: there is no such probe, and that is not what is told.
    assert main(["parse", "nowhere", str(gold), "-o", str(gold)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("already exists; choose another file, or use --force to replace it")
    assert gold.read_text(encoding="utf-8") == GOLD


def test_parse_replaces_its_own_input_whole_or_not_at_all(
    world: Path, tmp_path: Path, capfdbinary, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = tmp_path / "gold.conllu"
    gold.write_text(GOLD, encoding="utf-8")
    command = ["parse", f"{world}/probe", str(gold), "-q"]
    assert main(command) == 0
    wanted = capfdbinary.readouterr().out

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("structprobe.treebank.writing.os.replace", refuse)
        assert main([*command, "-o", str(gold), "--force"]) == 1
    assert b"No space left on device" in capfdbinary.readouterr().err
    assert gold.read_text(encoding="utf-8") == GOLD
    assert main([*command, "-o", str(gold), "--force"]) == 0
    assert gold.read_bytes() == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["gold.conllu"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc here")
def test_places_that_cannot_be_written_are_told_before_the_work(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold, probe = f"{world}/gold.conllu", f"{world}/probe"
    for command in (
        f"fit --model nowhere --train {gold} --layer 1 -o",
        f"parse nowhere {gold} -o",
        "report nowhere -o",
        "plot nowhere -o",
    ):
        assert main([*command.split(), "/proc/structprobe"]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "/proc/structprobe: '/proc' cannot be written to: " in line
    sweep = f"sweep --model {world}/model --train {gold} --dev {gold} -q -o {world}/none --cache"
    assert main([*sweep.split(), f"{probe}/config.json"]) == 1
    assert "config.json is a file, not a cache folder" in capsys.readouterr().err
    assert not (world / "none").exists()


def test_treebanks_and_models_by_name(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "UD_Toy-One"
    folder.mkdir()
    for part in ("train", "dev"):
        (folder / f"toy-ud-{part}.conllu").write_text(GOLD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("structprobe.models.places.embedded_model", lambda: f"{world}/model")
    how = "--model minilm --treebank UD_Toy-One --layers 1 --device cpu"
    done = run_json(capsys, f"encode {how} --cache cache")
    assert [one["treebank"] for one in done] == ["UD_Toy-One train", "UD_Toy-One dev"]
    (row,) = run_json(capsys, f"fit {how} --max-steps 2 -o probe")
    assert (row["model"], row["part"]) == (f"{world}/model", "dev")
    several = how.replace("--layers 1", "--layer 0-1")
    rows = run_json(capsys, f"localise {several} --max-steps 2 --rank 2")
    assert rows["part"] == "dev"
    (folder / "toy-ud-dev.conllu").write_text(2 * GOLD, encoding="utf-8")
    assert main(f"fit {how} --max-steps 2 -o other".split()) == 0
    told = "the dev set has more sentences than the training set (4 and 2); were they swapped?"
    assert told in capsys.readouterr().err
