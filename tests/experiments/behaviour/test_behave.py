"""What models prefer: planted preferences, a slow computation, trained models, and bad input."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.masked_model import trained, trained_encoder
from support.suites import Bigrams, Masked, suite_of, write_blimp, write_suite
from support.tiny_checkpoints import make_tokenizer
from transformers import BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from structprobe import Encoder, read_rows
from structprobe.behaviour.language_model import LanguageModel
from structprobe.errors import StructprobeError
from structprobe.experiments.behaviour.behave import behaviour_rows, read_behaviour
from structprobe.results.saved_runs import read_stimuli
from structprobe.stimuli.bias import Resampling
from structprobe.stimuli.suites import make_pairs, read_suites
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.stimuli.suites.scoring import score_pairs

NUMBERS = [("dogs bark .", "dogs barks ."), ("cats bark .", "cats barks .")] * 6
GENDERS = [(f"w{i} sees herself .", f"w{i} sees himself .") for i in range(12)]
# Agreement is always right; of the reflexives the first three of twelve are, and two are ties.
COSTS = {("dogs", "barks"): 3.0, ("cats", "barks"): 2.5, ("sees", "himself"): 1.0}
PLANTED = {("<s>", f"w{i}"): 0.5 for i in range(12)}


class Planted(Bigrams):
    """Prefers *herself* behind w0 to w2, is indifferent behind w3 and w4, and else errs."""

    def surprisals(self, texts: Any, *, progress: bool | None = None) -> list[Any]:
        found = super().surprisals(texts)
        for text, bits in zip(texts, found, strict=True):
            if text.words[0][0] == "w" and text.words[2] == "himself":
                place = int(text.words[0][1:])
                bits[2] += 1.0 if place < 3 else 0.0 if place < 5 else -0.25
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_blimp(tmp_path / "toy" / "number_1.jsonl", NUMBERS, "agreement")
    write_blimp(tmp_path / "toy" / "number_2.jsonl", NUMBERS[:6], "agreement")
    write_blimp(tmp_path / "toy" / "gender.jsonl", GENDERS, "reflexives")
    return tmp_path / "toy"


def test_planted_preferences(folder: Path) -> None:
    rows = read_behaviour(Planted(COSTS | PLANTED), folder)
    assert [(one.level, one.paradigm, one.phenomenon, one.n) for one in rows] == [
        ("paradigm", "gender", "reflexives", 12),
        ("phenomenon", None, "reflexives", 12),
        ("paradigm", "number_1", "agreement", 12),
        ("paradigm", "number_2", "agreement", 6),
        ("phenomenon", None, "agreement", 18),
        ("all", None, None, 30),
    ]
    gender, _, first, second, agreement, every = rows
    assert gender.accuracy is not None
    assert (gender.accuracy.value, gender.ties) == (0.25, 2)
    assert gender.accuracy.low < 0.25 < gender.accuracy.high
    assert first.accuracy == (1.0, 1.0, 1.0, 12)
    ln2 = math.log(2)  # half of the pairs are 2 bits apart, half 1.5
    assert first.margin.value == pytest.approx(1.75 * ln2)
    assert gender.margin.value == pytest.approx((3 - 7 * 0.25) / 12 * ln2)
    assert agreement.mean_accuracy == 1.0
    assert every.accuracy.value == pytest.approx(21 / 30)
    assert every.mean_accuracy == pytest.approx((0.25 + 1 + 1) / 3)
    assert second.notes == ("only 6 pairs: the interval means little",)
    assert gender.scoring == {"model": "bigrams", "kind": "causal", "scores_first": True,
                              "per": None}  # fmt: skip
    told = gender.values()
    assert json.loads(json.dumps(told)) == told
    assert (told["accuracy"], told["ties"], told["kind"]) == (0.25, 2, "causal")


def slow_interval(right: list[bool], units: list[int]) -> tuple[float, float]:
    """Resample units one by one, as a plain loop."""
    names = sorted(set(units))
    generator = np.random.default_rng(0)
    found = []
    for drawn in generator.integers(len(names), size=(1000, len(names))):
        chosen = [names[place] for place in drawn]
        own = [right[i] for name in chosen for i, unit in enumerate(units) if unit == name]
        found.append(sum(own) / len(own))
    return tuple(np.quantile(found, [0.025, 0.975]))  # type: ignore[return-value]


def test_numbers_against_a_plain_loop() -> None:
    pairs = make_pairs(["agreement", "attractors"], n=12)
    scores = np.random.default_rng(1).normal(size=(len(pairs), 2)).round(1)
    rows = score_pairs("own", pairs, scores)
    assert len(rows) == 2 + 1 + 7 + 1 + 1
    for row in rows:
        own = [(pair, both) for pair, both in zip(pairs, scores, strict=True)
               if row.paradigm in (None, pair.paradigm)
               and row.phenomenon in (None, pair.phenomenon)]  # fmt: skip
        right = [bool(good > bad) for _, (good, bad) in own]
        assert row.accuracy.value == sum(right) / len(right)
        assert row.margin.value == pytest.approx(sum(g - b for _, (g, b) in own) / len(own))
        assert row.ties == sum(bool(good == bad) for _, (good, bad) in own)
        units = [100 * (pair.phenomenon == "attractors") + pair.item for pair, _ in own]
        expected = slow_interval(right, units)
        assert (row.accuracy.low, row.accuracy.high) == pytest.approx(expected)


def test_lengths(folder: Path) -> None:
    pairs = [("a b", "a c"), ("a b b b", "a c")]
    write_blimp(folder.parent / "long" / "x.jsonl", pairs)
    costs = {("a", "c"): 2.0}
    margins = {}
    for per in (None, "word", "token"):
        model = Bigrams(costs, scores_first=False)
        row = read_behaviour(model, folder.parent / "long", per=per)[0]
        margins[per] = row.margin.value / math.log(2)
        assert row.scoring["per"] == per
    assert margins[None] == pytest.approx(((2 - 1) + (2 - 3)) / 2)
    assert margins["word"] == pytest.approx(((1 - 0.5) + (1 - 0.75)) / 2)
    assert margins["token"] == pytest.approx(((2 - 1) + (2 - 1)) / 2)  # the first is not scored


def test_equal_and_few_pairs_and_impossible_sentences(folder: Path) -> None:
    file = write_blimp(folder.parent / "few" / "x.jsonl", [("a b", "a b"), *NUMBERS[:3]])
    write_blimp(folder.parent / "few" / "y.jsonl", [("a b", "a b")])
    x, y, phenomenon, every = read_behaviour(Bigrams(COSTS), folder.parent / "few")
    equal = f"1 pair of two equal sentences left out: {file}:1"
    few = "only 3 pairs: the interval means little"
    assert (x.n, x.ties, x.notes) == (3, 0, (equal, few))
    assert (y.n, y.accuracy, y.why_empty) == (0, None, equal.replace("x.jsonl", "y.jsonl"))
    assert phenomenon.n == every.n == 3
    assert every.notes[0].startswith("2 pairs of two equal sentences left out")
    costs = {("dogs", "barks"): math.inf, ("cats", "barks"): math.inf, ("cats", "bark"): math.inf}
    x = read_behaviour(Bigrams(costs), folder.parent / "few")[0]
    assert (x.accuracy.value, x.ties, x.margin) == (2 / 3, 1, None)
    pairs = make_pairs("agreement", n=1)
    with pytest.raises(StructprobeError, match=r"agreement-1-.*: a sentence has no score: NaN"):
        score_pairs("own", pairs, [[1.0, 2.0], [math.nan, 2.0]])


REGIONS = [
    {"a": ["w", "x", "end"], "b": ["w", "y", "end"]},
    {"a": ["w w", "x x", ""], "b": ["w w", "y x", ""]},
    {"a": ["w", "z", "end"], "b": ["w", "z", "end"]},
]


@pytest.fixture
def gym(tmp_path: Path) -> Path:
    formulas = ["(2;%a%) < (2;%b%)", "(3;%a%) = (3;%b%) & (*;%a%) < 5"]
    write_suite(tmp_path / "gym" / "one.json", suite_of(formulas, *REGIONS, name="one"))
    write_suite(tmp_path / "gym" / "two.json", suite_of(["(1;%a%) > 0"], *REGIONS, name="two"))
    return tmp_path / "gym"


def test_suites_by_prediction(gym: Path) -> None:
    costs = {("w", "y"): 1.5, ("x", "x"): 4.0, ("y", "x"): 1.0}
    rows = read_behaviour(Bigrams(costs), gym)
    told = [(one.level, one.paradigm, one.formula, one.n, round(3 * one.accuracy.value))
            for one in rows[:4]]  # fmt: skip
    # Item 1: 1 < 1.5; 1 = 1, 3 < 5. Item 2: 5 > 2.5; 0 = 0, 7 > 5. Item 3: 1 and 1; 1 = 1, 3 < 5.
    assert told == [
        ("prediction", "one", "(2;%a%) < (2;%b%)", 3, 1),
        ("prediction", "one", "(3;%a%) = (3;%b%) & (*;%a%) < 5", 3, 2),
        ("paradigm", "one", None, 3, 1),
        ("paradigm", "two", None, 3, 3),
    ]
    every = rows[-1]
    assert (every.level, every.n, every.margin, every.ties) == ("all", 6, None, None)
    assert every.accuracy.value == pytest.approx(4 / 6)
    assert every.mean_accuracy == pytest.approx((1 / 3 + 1) / 2)
    assert any("the region (3;%a%) has no words in 1 item: its surprisal is 0 there" in note
               for note in rows[2].notes)  # fmt: skip


def test_regions_that_were_not_scored(gym: Path) -> None:
    rows = read_behaviour(Bigrams({}, scores_first=False), gym)
    (two,) = (one for one in rows if one.paradigm == "two")
    assert two.n == 0
    assert two.why_empty == "3 items left out: a region that is named was not scored"
    assert {one.n for one in rows if one.paradigm == "one"} == {3}


def test_surprisals_are_written(folder: Path, gym: Path, tmp_path: Path) -> None:
    model = Bigrams({("dogs", "bark"): 2.5}, scores_first=False)
    file = tmp_path / "words.tsv"
    read_behaviour(model, [folder / "number_2.jsonl", gym / "two.json"], pairs=1,
                   surprisals=file)  # fmt: skip
    lines = list(csv.DictReader(file.read_text().splitlines(), delimiter="\t"))
    first = [tuple(one.values()) for one in lines[:4]]
    assert first == [
        ("1", "toy", "number_2", "0", "good", "1", "dogs", ""),
        ("1", "toy", "number_2", "0", "good", "2", "bark", "2.500000"),
        ("1", "toy", "number_2", "0", "good", "3", ".", "1.000000"),
        ("2", "toy", "number_2", "0", "bad", "1", "dogs", ""),
    ]
    assert [one["condition"] for one in lines[6:]] == ["a"] * 3 + ["b"] * 3
    with pytest.raises(StructprobeError, match=r"words\.tsv: already exists"):
        read_behaviour(model, folder, surprisals=file)


def test_what_cannot_be_scored_leaves_the_rest(folder: Path, gym: Path) -> None:
    long = write_blimp(folder / "long.jsonl", [("a b c d e", "a c b d e")], "length")
    (folder / "broken.jsonl").write_text("{")
    model = Bigrams(COSTS, longest=5)
    rows = {one.paradigm or one.phenomenon or "all": one for one in read_behaviour(model, folder)}
    assert rows["long"].why_empty == f"{long}:1: 6 words"
    assert rows["broken"].why_empty.startswith(f"{folder / 'broken.jsonl'}:1: not valid JSON")
    assert rows["number_1"].accuracy.value == 1.0
    assert rows["all"].n == 30
    assert rows["all"].notes == ("without 2 of 5 paradigms, which could not be scored",)
    mixed = read_behaviour(Masked(COSTS), [folder, gym])
    assert {one.why_empty for one in mixed if one.suite == "gym" and one.level == "paradigm"} == {
        "'bigrams' is a masked model, which has no surprisal"
    }
    assert mixed[0].n == 12
    with pytest.raises(StructprobeError, match="is a masked model, which has no surprisal"):
        read_behaviour(Masked(COSTS), gym)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"pairs": 0}, "pairs=0; ask for at least 1 of each paradigm"),
        ({"per": "char"}, "unknown unit 'char'; choose from 'token', 'word'"),
        ({"n": 0}, "n=0 resamples"),
        ({"level": 2}, "level=2 is out of range"),
    ],
)
def test_choices_that_are_none(folder: Path, how: dict[str, Any], told: str) -> None:
    with pytest.raises(StructprobeError, match=told):
        read_behaviour(Bigrams({}), folder, **how)


def test_other_mistakes(folder: Path) -> None:
    with pytest.raises(StructprobeError, match="language_model is 'gpt2', not a LanguageModel"):
        read_behaviour("gpt2", folder)  # type: ignore[arg-type]
    with pytest.raises(StructprobeError, match="a masked model has no surprisals, which depend"):
        read_behaviour(Masked({}), folder, surprisals="x.tsv")
    pairs = make_pairs("agreement", n=1)
    with pytest.raises(StructprobeError, match="3 scores for 2 pairs"):
        score_pairs("own", pairs, np.zeros((3, 2)), how=Resampling())


def small_head() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=9, n_embd=16, n_layer=2, n_head=2, n_positions=16, initializer_range=1.0,
            bos_token_id=0, eos_token_id=2,
        )  # fmt: skip
        return GPT2LMHeadModel(config).eval()


def small_causal() -> LanguageModel:
    tokenizer = make_tokenizer(["dogs", "cats", "bark", "barks", "."])
    return LanguageModel(Encoder(small_head(), tokenizer=tokenizer, device="cpu"))


def test_a_causal_model_against_plain_passes(folder: Path) -> None:
    model = small_causal()
    pairs = [*NUMBERS[:2], ("dogs barks .", "dogs bark ."), ("cats bark .", "dogs bark .")]
    (row, *_) = read_behaviour(model, write_blimp(folder / "few.jsonl", pairs))
    tokenizer, margins = model.encoder.loaded.tokenizer, []
    head = small_head()
    for pair in pairs:
        both = []
        for text in pair:
            ids = torch.tensor([[0, *tokenizer(text, add_special_tokens=False).input_ids]])
            with torch.no_grad():
                logs = head(ids).logits[0].double().log_softmax(-1)
            both.append(sum(float(logs[i - 1, ids[0, i]]) for i in range(1, ids.shape[1])))
        margins.append(both[0] - both[1])
    assert row.margin.value == pytest.approx(np.mean(margins), abs=1e-5)
    assert row.accuracy.value == np.mean(np.array(margins) > 0)
    assert 0 < row.accuracy.value < 1


def test_a_masked_model_trained_on_our_grammar(tmp_path: Path) -> None:
    # It has read sentences with one attractor, without capitals.
    pairs = [
        one for one in make_pairs("attractors", n=40, seed=7) if "attractors=1" in one.paradigm
    ]
    lines = (f"{' '.join(one.good.words)}\t{' '.join(one.bad.words)}\t{one.paradigm}\n".lower()
             for one in pairs)  # fmt: skip
    (tmp_path / "made.tsv").write_text("good\tbad\tparadigm\n" + "".join(lines))
    model = LanguageModel(trained_encoder())
    rows = read_behaviour(model, tmp_path / "made.tsv")
    assert rows[0].scoring["kind"] == "masked"
    shares = {one.paradigm: one.accuracy.value for one in rows}
    assert len(shares) == 3
    assert min(shares.values()) > 0.9
    trained_model, tokenizer = trained()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        fresh = BertForMaskedLM(trained_model.config).eval()
    untrained = LanguageModel(Encoder(fresh, tokenizer=tokenizer, device="cpu"))
    (*_, every) = read_behaviour(untrained, tmp_path / "made.tsv")
    assert 0.2 < every.accuracy.value < 0.8


def test_a_damaged_model_is_no_row_of_ties(folder: Path) -> None:
    tokenizer = make_tokenizer(["dogs", "cats", "bark", "barks", "."])
    head = small_head()
    model = LanguageModel(Encoder(head, tokenizer=tokenizer, device="cpu"))
    with torch.no_grad():
        head.lm_head.weight[tokenizer.convert_tokens_to_ids("cats")] = math.nan
    with pytest.raises(StructprobeError, match="gives log-probabilities that are not finite") as no:
        read_behaviour(model, folder / "number_1.jsonl")
    assert str(no.value).startswith(f"{folder / 'number_1.jsonl'}:1: ")


def test_rows_of_a_results_folder(folder: Path, gym: Path, tmp_path: Path) -> None:
    model = small_causal()
    out = tmp_path / "out"
    suites = [folder / "number_1.jsonl", folder / "number_2.jsonl"]
    rows = behaviour_rows(model, suites, folder=out, pairs=4, command="structprobe behave")
    (row,) = rows
    (*_, every) = read_behaviour(model, suites, pairs=4)
    assert (row["method"], row["suite"], row["lm_kind"]) == ("behaviour", "toy", "causal")
    assert (row["n_pairs"], row["accuracy"], row["accuracy_low"]) == (
        8, every.accuracy.value, every.accuracy.low,
    )  # fmt: skip
    assert row["warnings"] == ["toy: only 8 pairs: the interval means little"]
    assert row["scores_first"] is True
    conditions = read_stimuli(out, row["key"])
    assert [(one["condition"], one["value"]) for one in conditions] == [
        ("agreement", "number_1"), ("agreement", "number_2"), ("agreement", "all"), ("all", "all"),
    ]  # fmt: skip
    again = behaviour_rows(model, suites, folder=out, pairs=4)
    assert again == rows
    assert len(read_rows(out)) == 1
    behaviour_rows(model, suites, folder=out, pairs=4, per="word")
    behaviour_rows(model, suites, folder=out, pairs=3)
    assert len(read_rows(out)) == 3
    (empty,) = behaviour_rows(Masked({}), gym, folder=out)
    assert empty["why_empty"] == "'bigrams' is a masked model, which has no surprisal"
    assert empty["accuracy"] is None


@pytest.mark.slow
def test_blimp_by_a_pretrained_model(minimal_pairs: Path, smollm2: tuple[str, str]) -> None:
    folder, file = smollm2
    model = LanguageModel(Encoder(folder, gguf_file=file, device="cpu"))
    names = ("determiner_noun_agreement_1", "determiner_noun_agreement_2", "adjunct_island",
             "only_npi_scope")  # fmt: skip
    files = [minimal_pairs / "blimp" / f"{name}.jsonl" for name in names]
    gym = minimal_pairs / "syntaxgym" / "cleft.json"
    rows = read_behaviour(model, [*files, gym], pairs=20)
    found = {one.paradigm or one.phenomenon: one.accuracy.value for one in rows}
    assert found["determiner_noun_agreement"] >= 0.9
    assert found["only_npi_scope"] <= 0.6
    assert found["cleft"] > 0.9
    assert {one.scoring["scores_first"] for one in rows} == {True}
    suites = read_suites(gym, n=2)
    (item, *_) = suites[0].suites[0].items
    text = item.text("np_match")
    bits = model.surprisals([text])[0]
    assert bits.sum() == pytest.approx(-model.log_probs([text])[0] / math.log(2), rel=1e-6)


def test_a_paradigm_of_the_same_name_in_two_phenomena() -> None:
    pairs = [
        MinimalPair("a b", "b a", "s", "p", phenomenon, number, f"f:{number}")
        for number, phenomenon in enumerate(["x", "x", "y", "y", "y"])
    ]
    rows = score_pairs("s", pairs, [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    told = {(one.level, one.phenomenon): (one.n, one.accuracy and one.accuracy.value)
            for one in rows}  # fmt: skip
    assert told["paradigm", "x"] == told["phenomenon", "x"] == (2, 1)
    assert told["paradigm", "y"] == told["phenomenon", "y"] == (3, 0)
    assert told["all", None] == (5, 0.4)
