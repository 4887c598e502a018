"""The command that scores behaviour: what it prints, writes and saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.suites import suite_of, write_blimp, write_suite
from support.tiny_checkpoints import save_head

from structprobe import Encoder, read_rows
from structprobe.behaviour.language_model import LanguageModel
from structprobe.cli.main import main
from structprobe.experiments.behaviour.behave import read_behaviour

PAIRS = [
    ("the dog ran", "the ran dog"), ("a cat saw the dog", "a cat saw dog the"),
    ("the cat ran", "cat the ran"), ("a dog saw a cat", "a dog a saw cat"),
]  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("behave")
    save_head(folder / "causal", "gpt2")
    save_head(folder / "masked", "bert")
    write_blimp(folder / "toy" / "order.jsonl", PAIRS, "word_order")
    write_blimp(folder / "toy" / "article.jsonl", PAIRS[:2], "word_order")
    items = [{"a": ["the dog", "ran"], "b": ["the dog", "saw"]}] * 3
    for place, item in enumerate(items):
        items[place] = dict(item)
    told = suite_of(["(2;%a%) < (2;%b%)", "(2;%a%) > (2;%b%)"], *items)
    write_suite(folder / "gym" / "toy.json", told)
    return folder


def run(world: Path, capsys: Any, *words: str, model: str = "causal") -> str:
    options = ["--model", str(world / model), "--device", "cpu", "-q"]
    assert main(["behave", *words, *options]) == 0
    return str(capsys.readouterr().out)


def test_rows_are_those_of_python(world: Path, capsys: Any) -> None:
    names = [str(world / "toy"), str(world / "gym")]
    found = json.loads(run(world, capsys, *names, "--json", "--pairs", "3", "--per", "word"))
    model = LanguageModel(Encoder(str(world / "causal"), device="cpu"))
    rows = read_behaviour(model, names, pairs=3, per="word")
    assert found == [row.values() for row in rows]
    assert {one["n"] for one in found} == {3, 2, 5}
    assert {one["per"] for one in found} == {"word"}


def test_the_table_tells_every_choice(world: Path, capsys: Any) -> None:
    lines = run(world, capsys, str(world / "toy"), str(world / "gym")).splitlines()
    assert lines[0].split() == ["suite", "phenomenon", "paradigm", "n", "accuracy", "margin"]
    assert lines[1].startswith("toy    word_order  article ")
    assert [line.split()[:3] for line in lines[3:5]] == [["toy", "word_order", "all"],
                                                        ["toy", "all", "all"]]  # fmt: skip
    assert any(line.startswith("gym    –           toy: (2;%a%) < (2;%b%)") for line in lines)
    below = "\n".join(lines)
    for told in (
        "Per cent of pairs whose grammatical sentence has the higher score (a tie does not count)",
        "with the surprisals of regions in bits (= within 0.001 bits); 95% bootstrap intervals",
        "causal: the score of a sentence is the log-probability by a causal model, the sum over "
        "all tokens behind a beginning-of-sequence token, the final stop included, not divided",
        "toy, article: only 2 pairs: the interval means little.",
        "gym, toy: only 3 items: the interval means little.",
        "toy: the mean of its paradigms is ",
        "An interval without width means that all pairs or items had the same outcome",
    ):
        assert told in below


def test_a_masked_model(world: Path, capsys: Any) -> None:
    names = [str(world / "toy"), str(world / "gym")]
    text = run(world, capsys, *names, model="masked")
    assert "masked: the score of a sentence is the pseudo-log-likelihood of a masked model" in text
    assert "gym, toy has no scores: " in text
    assert main(["behave", names[1], "--model", str(world / "masked"), "-q"]) == 1
    assert "is a masked model, which has no surprisal" in capsys.readouterr().err
    one = [names[0], "--surprisals", str(world / "x.tsv"), "--model", str(world / "masked"), "-q"]
    assert main(["behave", *one]) == 1
    told = "leave out --surprisals, or give a causal model"
    assert told in capsys.readouterr().err


def test_surprisals_are_bits_of_words(world: Path, capsys: Any, tmp_path: Path) -> None:
    file = tmp_path / "words.tsv"
    run(world, capsys, str(world / "toy" / "article.jsonl"), "--surprisals", str(file))
    head, *lines = (line.split("\t") for line in file.read_text().splitlines())
    assert head[-3:] == ["word", "form", "surprisal"]
    model = LanguageModel(Encoder(str(world / "causal"), device="cpu"))
    expected = model.surprisals([text for both in PAIRS[:2] for text in both])
    assert [line[-2] for line in lines[:3]] == ["the", "dog", "ran"]
    found = [float(line[-1]) for line in lines]
    assert found == pytest.approx([float(one) for own in expected for one in own], abs=1e-5)


def test_own_pairs(world: Path, capsys: Any) -> None:
    options = ["own:agreement", "--pairs", "2", "--seed", "3", "--max-unknown", "1"]
    text = run(world, capsys, *options)
    assert "agreement: attractor=other" in text
    assert "made pairs: spaced as in the text." in text
    text = run(world, capsys, *options, "--spacing", "words")
    assert "made pairs: words joined by single spaces." in text


def test_a_results_folder_and_its_report(world: Path, capsys: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    names = [str(world / "toy"), str(world / "gym"), "-o", out]
    table = run(world, capsys, *names).splitlines()
    assert table[0].split() == ["method", "suite", "pairs", "accuracy", "margin"]
    assert [line.split()[:3] for line in table[1:3]] == [["behaviour", "toy", "6"],
                                                        ["behaviour", "gym", "3"]]  # fmt: skip
    assert "Accuracy: per cent of minimal pairs whose grammatical sentence is preferred" in (
        "\n".join(table)
    )
    assert run(world, capsys, *names).splitlines() == table
    run(world, capsys, *names, "--per", "token")
    assert len(read_rows(out)) == 4
    page = tmp_path / "page.html"
    assert main(["report", out, "-o", str(page), "-q"]) == 0
    text = page.read_text()
    assert '<h2 id="behaviour">Behaviour</h2>' in text
    for told in ("By paradigm: toy", "By paradigm: gym", "word_order", "order", "per token",
                 "toy: (2;%a%) &lt; (2;%b%)", "behind a beginning-of-sequence token",
                 "divided by the number of tokens"):  # fmt: skip
        assert told in text
    assert '<h2 id="scores"' not in text
