"""The tables of heads, from a result made by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from structprobe.attention.head_analysis import HeadAnalysis
from structprobe.attention.patterns import PatternRules
from structprobe.attention.targets import TARGETS
from structprobe.results.folder import ResultsFolder
from structprobe.show.head_tables import format_heads
from structprobe.show.heat_map import save_heat_maps


def row(**changes):
    return {
        "relation": "obj", "direction": "dependent to head", "n_arcs": 1234, "layer": 1, "head": 2,
        "pattern": "vertical", "choice_accuracy": 0.5, "accuracy": 0.25, "offset": -2,
        "offset_accuracy": 0.125, "ahead": [[1, 2, 0.25]],
    } | changes  # fmt: skip


@pytest.fixture
def analysis() -> HeadAnalysis:
    """One layer of two heads."""
    nothing = dict.fromkeys(("layer", "head", "pattern", "choice_accuracy", "accuracy"))
    about = {
        "model": "tiny", "train": "t.conllu", "chosen_on": "dev", "part": "test",
        "treebank": "e.conllu", "n_sentences": 2077, "n_words": 25094, "punct": "upos", "seed": 7,
        "first_is_special": True, "n_pairs": None,
        "cpu_seconds": 1.0, "wall_seconds": 1.0,
    }  # fmt: skip
    shares = dict.fromkeys(TARGETS, np.array([[0.25, 0.5]]))
    shares |= {"near": np.array([[0.7, 0.3]]), "delimiters": np.array([[0.1, 0.15]])}
    return HeadAnalysis(
        about,
        PatternRules(),
        [
            row(ahead=[[1, head, 0.5] for head in range(1, 7)]),
            row(relation="new", offset=None, offset_accuracy=None, ahead=[], **nothing),
        ],
        {"obj": np.zeros((2, 1, 2))},
        shares,
        entropy=np.array([[1.0, 2.0]]),
        alignment=np.array([[0.375, np.nan]]),
        shuffled=np.array([[0.125, np.nan]]),
        trees=[
            {"method": "attention-max", "layer": 1, "head": 2, "choice_uuas": 0.5, "uuas": 0.25,
             "best": True},
            {"method": "attention-mst", "layer": 1, "head": None, "choice_uuas": None,
             "uuas": None, "best": False},
        ],
    )  # fmt: skip


def test_pictures_say_what_they_are_of(analysis: HeadAnalysis, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    save_heat_maps(analysis, ResultsFolder(tmp_path / "DIR").folder)
    said = {
        "relations.svg": "Accuracy of attention heads by relation, in per cent, in the better",
        "targets.svg": "punctuation is UPOS PUNCT",
    }
    for name, protocol in said.items():
        comments = re.findall(r"<!--(.*?)-->", (tmp_path / "DIR" / name).read_text(), re.S)
        title = " ".join(" ".join(comments).split())  # matplotlib's letters are paths
        assert protocol in title
        assert "tiny, e.conllu (test), n = 2,077 sentences" in title


def test_all_tables(analysis: HeadAnalysis) -> None:
    relations, trees, alignment, targets, patterns = format_heads(analysis).split("\n\n")
    lines = relations.splitlines()
    heading = "relation direction arcs head pattern dev test offset by offset gain 10 ahead"
    assert " ".join(lines[0].split()) == heading
    assert lines[1].split("  ")[-1] == "1-1 1-2 1-3 1-4 and 2 more"
    assert "1,234   1-2  vertical  50.0  25.0      -2       12.5  +12.5" in lines[1]
    assert lines[2].split()[4:] == ["1,234", *"–" * 8]
    assert "e.conllu, 2,077 sentences; heads chosen on dev" in lines[3]
    assert "t.conllu" in lines[3]
    assert lines[5].endswith("on both dev and test, for relations with at least 20 arcs in test.")
    heading, layer, about, best = trees.splitlines()
    assert heading.split() == [
        "layer",
        "attention-max",
        "dev",
        "test",
        "attention-mst",
        "dev",
        "test",
    ]
    assert layer.split() == ["1", "1-2", "50.0", "25.0", "–", "–", "–"]
    assert about.endswith("uses the gold root; UPOS PUNCT excluded.")
    assert best == "Best layer and head on dev, with UUAS on test: attention-max 1-2 (25.0)."
    assert alignment.splitlines()[0].split() == ["layer", "h1", "h2", "mean", "shuffled"]
    assert alignment.splitlines()[1].split() == ["1", "37.5", "–", "37.5", "12.5"]
    assert "(seed 7)" in alignment
    assert targets.splitlines()[1].split() == ["1", *["37.5"] * 7, "1.50"]
    assert "UPOS PUNCT" in targets
    assert patterns.splitlines()[1].split() == ["1", "d", "H"]
    assert "1 diagonal (d), 0 vertical (v)" in patterns
    assert "Heterogeneous: 50.0% of heads (0.0% with a threshold of 40%, 50.0% with" in patterns
    assert analysis.rules.describe() in patterns
    assert "excluded" not in alignment
    assert "Sentences were read one at a time, so no head can be block (--pairs" in patterns


def test_block_where_pairs_were_read(analysis: HeadAnalysis) -> None:
    paired = replace(
        analysis,
        about={**analysis.about, "n_pairs": 1038},
        own_segment=np.array([[0.95, 0.95]]),
    )
    *_, patterns = format_heads(paired).split("\n\n")
    assert patterns.splitlines()[1].split() == ["1", "d", "b"]
    assert "Found in 1,038 pairs of consecutive sentences, read as two segments." in patterns
    assert paired.head_rows()[1]["own_segment"] == 0.95
    assert paired.heterogeneous() == 0.0


def test_the_first_word_where_it_is_first(analysis: HeadAnalysis) -> None:
    about = {**analysis.about, "first_is_special": False}
    told = format_heads(replace(analysis, about=about))
    assert "(seed 7); attention to the first word excluded." in told
