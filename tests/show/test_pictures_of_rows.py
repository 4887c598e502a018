"""Pictures of result rows: what is drawn is what the rows say, and the title tells how."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support.result_rows import baseline_row, probe_row

from structprobe.errors import ResultError, StructprobeError
from structprobe.scores.breakdowns import Tally, by_range
from structprobe.scores.protocol import Protocol
from structprobe.scores.result import Scores
from structprobe.scores.table import COLUMNS
from structprobe.show import (
    draw_layer_curves,
    draw_rank_grid,
    draw_recall_by_deprel,
    draw_recall_by_length,
)
from structprobe.show.pictures.layer_curves import has_curve
from structprobe.show.pictures.recall import LENGTHS

pytest.importorskip("matplotlib")

PROTOCOL = 'punct="upos": UPOS PUNCT excluded from UUAS and root'


def title(ax):
    return ax.get_title(loc="left").replace("\n", " ")


def test_curves_are_the_rows() -> None:
    rows = [probe_row(layer, model=model) for model in ("bert", "/data/gpt/v2") for layer in (2, 0)]
    rows += [baseline_row("linear", 0.4), baseline_row("right-branching", 0.4)]
    rows += [baseline_row("random", uuas, seed) for seed, uuas in enumerate((0.1, 0.2))]
    ax = draw_layer_curves(rows)
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines) == ["bert", "gpt/v2", "linear = right-branching", "random"]
    assert lines["bert"].get_xdata().tolist() == [0, 2]
    assert lines["bert"].get_ydata() == pytest.approx([10, 20])
    assert list(lines["random"].get_ydata()) == pytest.approx([15, 15])
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(place) for place in band.round(6)} >= {(0, 8), (2, 18), (0, 13), (2, 23)}
    assert lines["bert"].get_linestyle() == "-"
    dashes = [line.get_linestyle() for line in list(lines.values())[2:]]
    assert "-" not in dashes
    assert len({line.get_color() for line in ax.lines[:2]}) == 2
    assert len({line.get_marker() for line in ax.lines[:2]}) == 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("layer", "UUAS in per cent")


def test_titles_tell_model_layer_treebank_number_and_protocol() -> None:
    ax = draw_layer_curves([probe_row(0), probe_row(1), baseline_row("linear", 0.4)])
    assert title(ax).endswith(f"bert, en-test.conllu (test), n = 2,077 sentences {PROTOCOL}")
    ranked = [probe_row(layer, dspr=0.5) for layer in (0, 1)]
    assert "macro-averaged over sentence lengths 5 to 50" in title(
        draw_layer_curves(ranked, "dspr")
    )
    assert "bert, layer 3, en-test.conllu" in title(draw_rank_grid([probe_row(3)]))


def test_seeds_are_averaged_and_ranks_parted() -> None:
    rows = [probe_row(1, seed=seed, uuas=uuas) for seed, uuas in enumerate((0.2, 0.4))]
    (line,) = draw_layer_curves(rows).lines
    assert line.get_ydata() == pytest.approx([30])
    ax = draw_layer_curves([*rows, probe_row(1, rank=8)])
    assert [line.get_label() for line in ax.lines] == ["rank 64", "rank 8"]
    assert not has_curve(rows, "uuas")
    assert has_curve([*rows, probe_row(2)], "uuas")
    assert not has_curve([probe_row(1), probe_row(2, rank=8)], "uuas")


def test_correlations_are_in_per_cent_as_in_tables() -> None:
    values = {"nspr": 0.5, "nspr_low": 0.4, "nspr_high": 0.75}
    ax = draw_layer_curves([probe_row(layer, **values) for layer in (0, 1)], "nspr")
    assert ax.lines[0].get_ydata().tolist() == [50, 50]
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(place) for place in band.round(6)} >= {(0, 40), (1, 75)}
    assert ax.get_ylabel() == "NSpr. in per cent"


def test_it_draws_where_it_is_told() -> None:
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert draw_layer_curves([probe_row(0)], ax=ax) is ax
    assert draw_rank_grid([probe_row(0)], ax=ax) is ax


def test_grid_is_the_rows() -> None:
    rows = [probe_row(layer, rank=rank) for layer in (0, 3) for rank in (8, 2)][:-1]
    ax = draw_rank_grid([*rows, baseline_row("linear", 0.4)])
    (image,) = ax.get_images()
    assert image.get_array().filled(-1) == pytest.approx(np.array([[10, -1], [10, 25]]))
    assert image.origin == "lower"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "3"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2", "8"]
    assert sorted(text.get_text() for text in ax.texts) == ["10.0", "10.0", "25.0"]


def scores(**tallies) -> Scores:
    return Scores(
        Protocol("keep"),
        np.zeros((4, len(COLUMNS))),
        tallies.get("by_deprel", {}),
        tallies.get("by_arc_length", {}),
    )


def test_recall_by_relation() -> None:
    tallies = {"nsubj": Tally(1, 4), "$det$": Tally(1_000, 2_000), "obj": Tally(3, 4)}
    ax = draw_recall_by_deprel(scores(by_deprel=tallies), row=probe_row(3))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$det$", "nsubj", "obj"]
    assert [bar.get_width() for bar in ax.patches] == [50, 25, 75]
    assert [text.get_text() for text in ax.texts] == ["2,000", "4", "4"]
    assert ax.yaxis_inverted()
    assert "bert, layer 3" in title(ax)
    ax.figure.canvas.draw()


def test_recall_by_length() -> None:
    tallies = {1: Tally(9, 10), 7: Tally(1, 2), 9: Tally(1, 2), 29: Tally(0, 5), 80: Tally(1, 1)}
    assert by_range(tallies, LENGTHS) == {
        "1": Tally(9, 10),
        "7–9": Tally(2, 4),
        "20–29": Tally(0, 5),
        "30+": Tally(1, 1),
    }
    ax = draw_recall_by_length(scores(by_arc_length=tallies))
    assert [bar.get_height() for bar in ax.patches] == [90, 50, 0, 100]
    assert [text.get_text() for text in ax.texts] == ["10", "4", "5", "1"]
    assert 'punct="keep": all words count' in title(ax)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: draw_layer_curves([]), "no row has a layer and UUAS; give rows of a sweep"),
        (lambda: draw_layer_curves([], "uas_"), "unknown score 'uas_' .*choose from 'uuas'"),
        (lambda: draw_layer_curves([baseline_row("linear", 0.4)]), "no row has a layer"),
        (lambda: draw_rank_grid([baseline_row("linear", 0.4)]), "no row has a layer, a rank and"),
        (lambda: draw_rank_grid([], "x"), "unknown score 'x'"),
        (
            lambda: draw_rank_grid([probe_row(0), probe_row(0, model="gpt2")]),
            "rows of several model values in one grid: bert, gpt2; draw one grid for each",
        ),
        (lambda: draw_recall_by_deprel(scores()), "no edge with a relation was scored"),
        (lambda: draw_recall_by_length(scores()), "no edge was scored"),
    ],
)
def test_bad_input(draw, message) -> None:
    with pytest.raises(ResultError, match=message):
        draw()


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(StructprobeError, match=r"pip install 'structprobe\[plot\]'"):
        draw_layer_curves([probe_row(0)])
