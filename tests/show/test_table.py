"""Result rows as a table."""

from __future__ import annotations

import doctest

import structprobe.show.table
from structprobe.show import format_table

PROTOCOL = {"punct": "upos", "min_length": 5, "max_length": 50}
ROWS = [
    {"method": "linear", "layer": None, "uuas": 0.48231, "uas": None, **PROTOCOL},
    {"method": "probe", "layer": 7, "seed": 0, "uuas": 0.8, "uas": 0.5, "dev_loss": 0.51234}
    | {"uuas_low": 0.78, "uuas_high": 0.821, "dspr": 0.8449, "cpu_seconds": 12.34, **PROTOCOL},
]


def test_usual_columns_that_are_filled() -> None:
    assert format_table(ROWS).splitlines() == [
        "method  layer  seed               UUAS   UAS  DSpr.  dev L1  CPU s",
        "linear      –     –               48.2     –      –       –      –",
        "probe       7     0  80.0 [78.0, 82.1]  50.0   84.5  0.5123   12.3",
        'In per cent; punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr. and NSpr. over '
        "all words, macro-averaged over sentence lengths 5 to 50; 95% bootstrap "
        "intervals over sentences in brackets.",
    ]


def test_no_zero_is_negative() -> None:
    row = {"method": "a", "selectivity": -0.0002, "near_word_bias": -0.001}
    row |= {
        f"{name}_{end}": -0.0001
        for name in ("selectivity", "near_word_bias")
        for end in ("low", "high")
    }
    (_, line, *_) = format_table([row], ["method", "selectivity", "near_word_bias"]).splitlines()
    assert line.split() == ["a", "0.0", "[0.0,", "0.0]", "0.00", "[0.00,", "0.00]"]


def test_columns_that_are_asked_for() -> None:
    rows = [{"method": "a", "dev_uuas": 0.25, "dev_las": None, "n_words": 9, "model": "bert"}]
    assert format_table(rows, ["model", "n_words", "dev_uuas", "dev_las"]).splitlines() == [
        "model  words  dev UUAS  dev LAS",
        "bert       9      25.0        –",
    ]


def test_rows_that_differ_in_part_or_protocol_say_so() -> None:
    rows = [
        {"method": "a", "part": "dev", "uuas": 0.5, **PROTOCOL},
        {"method": "a", "part": "test", "uuas": 0.5, **PROTOCOL, "punct": "keep"},
    ]
    table = format_table(rows).splitlines()
    assert table[0].split() == ["method", "part", "punct", "UUAS"]
    assert 'punct="upos"' in table[3]
    assert 'punct="keep": all words count' in table[4]
    assert "brackets" not in table[4]


def test_a_row_without_scores_does_not_differ_in_protocol() -> None:
    empty = {"method": "b", "part": "test", "uuas": None, "punct": None, "why_empty": "no head"}
    rows = [{"method": "a", "part": "test", "uuas": 0.5, **PROTOCOL}, empty]
    table = format_table(rows).splitlines()
    assert table[0].split() == ["method", "UUAS"]
    assert table[3] == "b has no scores: no head"


def test_treebanks_of_one_name_are_told_apart() -> None:
    told = {"method": "a", "uuas": 0.5, "part": "test", "treebank": "test.conllu", **PROTOCOL}
    told["n_sentences"] = 7
    rows = [told | {"treebank_fingerprint": digits * 8} for digits in ("12", "34", "12")]
    table = format_table(rows).splitlines()
    assert table[0].split() == ["method", "treebank", "UUAS"]
    assert [line.split()[1:3] for line in table[1:4]] == [
        ["test.conllu", "(121212)"], ["test.conllu", "(343434)"], ["test.conllu", "(121212)"]
    ]  # fmt: skip
    assert table[4:6] == [f"Scored on test.conllu ({d * 3}), 7 sentences." for d in ("12", "34")]
    assert "treebank" not in format_table(rows[::2]).splitlines()[0]


def test_no_mean_is_of_some_of_the_seeds_alone() -> None:
    rows = [
        {"method": "probe-control-form", "recipe": "auto", "layer": 1, "seed": seed, "uuas": 0.4}
        | {"selectivity": 0.1, "selectivity_low": low, "selectivity_high": 0.3, "dspr": dspr}
        for seed, low, dspr in ((0, 0.0, 0.5), (1, None, None))
    ]
    cells = format_table(rows, ["selectivity"]).splitlines()
    assert cells[1].strip() == "10.0 ± 0.0"  # the interval of one seed is not that of the mean
    assert format_table(rows, ["method", "dspr"]).splitlines()[1].split() == [
        "probe-control-form", "–"
    ]  # fmt: skip


def test_control_tasks_are_scored_on_edges_of_their_own() -> None:
    told = {"layer": 1, "uuas": 0.5, "treebank": "t", "part": "test", **PROTOCOL}
    rows = [
        {"method": "probe", "uuas_sentences": 30, **told},
        {"method": "probe-control-form", "control": "form", "uuas_sentences": 32, **told},
    ]
    assert "not 32" not in format_table(rows)
    assert "UUAS of probe is over 30 sentences, not 32." in format_table(
        [*rows, {"method": "other", "uuas_sentences": 32, **told}]
    )


def test_gold_information_is_told() -> None:
    assert "probe (uses gold)" in format_table([{"method": "probe", "uses_gold": True}])


def test_no_rows() -> None:
    assert format_table([]) == ""


def test_examples() -> None:
    assert doctest.testmod(structprobe.show.table).failed == 0


def test_what_was_scored_is_told_and_nothing_scored_shows() -> None:
    scored = {"part": "test", "treebank": "x-ud-test.conllu", "n_sentences": 2077}
    table = format_table([{"method": "linear", "uuas": None, **PROTOCOL, **scored}])
    assert table.splitlines()[:2] == ["method  UUAS", "linear     –"]
    assert "Scored on x-ud-test.conllu, 2,077 sentences." in table
    assert "DSpr." not in table
    assert "DSpr." in format_table([{"method": "linear", "dspr": 0.5, **PROTOCOL, **scored}])


def test_what_was_chosen_and_why_rows_are_empty() -> None:
    rows = [
        {"method": "heads", "words_as": None, "layer": 4, "head": 7, "choice": "to", "uuas": 0.5},
        {"method": "heads", "words_as": "shuffled", "layer": 4, "head": 7, "choice": "to"},
        {"method": "masked", "words_as": None, "why_empty": "no mask token"},
        {"method": "masked", "words_as": "shuffled", "why_empty": "no mask token"},
    ]
    assert format_table(rows).splitlines() == [
        "method  input     layer  head  chosen  UUAS",
        "heads   original      4     7  to      50.0",
        "heads   shuffled      4     7  to         –",
        "masked  original      –     –  –          –",
        "masked  shuffled      –     –  –          –",
        "masked has no scores: no mask token",
    ]


def test_warnings_are_below_the_table_each_once() -> None:
    rows = [
        {"method": "a", "uuas": 0.5, "warnings": ["few", "old"], **PROTOCOL},
        {"method": "b", "uuas": 0.5, "warnings": ["few"], **PROTOCOL},
        {"method": "c", "uuas": 0.5, "warnings": [], **PROTOCOL},
    ]
    for shown, told in (
        (rows, ["Warning: few (2 of 3 rows).", "Warning: old (1 of 3 rows)."]),
        (rows[1:2], ["Warning: few."]),
        ([{**rows[0], "warnings": None}], []),  # of an older version
        (rows[2:], []),
    ):
        assert format_table(shown).splitlines()[len(shown) + 2 :] == told


def test_held_out_sentences_are_named_as_such() -> None:
    row = {"method": "a", "uuas": 0.5, "part": "held-out", "n_sentences": 7, **PROTOCOL}
    for name, told in (("t.conllu", "t.conllu"), (None, "the training set")):
        table = format_table([{**row, "treebank": name}])
        assert f"Scored on the held-out sentences of {told}, 7 sentences." in table


def test_an_untrained_copy_is_no_other_model() -> None:
    rows = [{"method": "a", "model": "bert", "uuas": 0.5}]
    rows += [{"method": "b", "model": "bert (untrained, seed 0)", "uuas": 0.5}]
    assert format_table(rows).splitlines()[0] == "method  UUAS"
    assert "gpt2" in format_table([*rows, {"method": "a", "model": "gpt2", "uuas": 0.5}])
