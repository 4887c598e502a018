r"""Code for tikz-dependency: by hand, nothing unescaped, and compiled where there is LaTeX."""

from __future__ import annotations

import re
import shutil
import string
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.tree_cases import LABELLED

from structprobe.draw import draw_tikz
from structprobe.draw.tikz import escape_latex


def test_two_trees():
    assert draw_tikz(["the", "R&D", "ran"], [2, 3, 0], [2, 0, 1]).splitlines() == [
        r"\begin{dependency}",
        r"  \definecolor{found}{HTML}{0072B2}",
        r"  \depstyle{found}{draw=found, thick}",
        r"  \definecolor{missed}{HTML}{A8447C}",
        r"  \depstyle{missed}{draw=missed, thick, dotted}",
        r"  \definecolor{wrong}{HTML}{D55E00}",
        r"  \depstyle{wrong}{draw=wrong, thick, dashed}",
        r"  \begin{deptext}[column sep=1em]",
        r"    {the} \& {R\symbol{38}D} \& {ran} \\",
        r"  \end{deptext}",
        r"  \deproot[missed, edge unit distance=1.875ex]{3}{root}",
        r"  \depedge[hide label, found, edge height=3ex]{2}{1}{}",
        r"  \depedge[hide label, missed, edge height=3ex]{3}{2}{}",
        r"  \deproot[wrong, edge below, edge unit distance=2.625ex]{2}{root}",
        r"  \depedge[hide label, found, edge below, edge height=3ex]{2}{1}{}",
        r"  \depedge[hide label, wrong, edge below, edge height=6ex]{1}{3}{}",
        r"  \node[anchor=north, font=\footnotesize] at (current bounding box.south)",
        r"    {\tikz[baseline=-.5ex]\draw[draw=found, thick] (0,0) -- (1.5em,0); 1 right \quad "
        r"\tikz[baseline=-.5ex]\draw[draw=missed, thick, dotted] (0,0) -- (1.5em,0); 1 missed "
        r"\quad \tikz[baseline=-.5ex]\draw[draw=wrong, thick, dashed] (0,0) -- (1.5em,0); 1 wrong "
        r"\quad gold above, recovered below};",
        r"\end{dependency}",
    ]


def test_distances_stand_on_the_arcs():
    code = draw_tikz(["a", "b"], [2, 0], [2, 0], distances=[[0, 1.26], [1.26, 0]])
    assert r"  \depedge[found, edge height=3ex]{2}{1}{1.3}" in code.splitlines()
    assert r"  \depedge[found, edge below, edge height=3ex]{2}{1}{1.3}" in code.splitlines()


def test_relations_stand_on_the_arcs_and_wrong_ones_are_marked():
    lines = draw_tikz(**LABELLED).splitlines()
    assert r"  \definecolor{differs}{HTML}{A84300}" in lines
    assert r"  \depedge[found, edge height=6ex]{2}{4}{acl:relcl}" in lines
    assert r"  \depedge[found, edge below, edge height=6ex]{2}{4}{acl}" in lines
    styles = "found, edge below, edge height=3ex, label style={text=differs}"
    assert rf"  \depedge[{styles}]{{4}}{{3}}{{*mark}}" in lines
    assert sum("text=differs" in line for line in lines) == 2
    assert r"7 right \quad *: 2 of these with wrong direction or relation \quad" in lines[-2]
    odd = draw_tikz(["a", "b"], [2, 0], deprels=["x_y&%", "root"]).splitlines()
    assert r"  \depedge[edge height=3ex]{2}{1}{x\_y\symbol{38}\%}" in odd


def test_words_stand_apart_where_relations_need_it():
    one = draw_tikz(["a", "b", "c"], [2, 0, 2], deprels=["acl:relcl", "root", "x"])
    assert re.search(r"\{a\} \\&\[\d+pt\] \{b\} \\&(\[\d+pt\])? \{c\} ", one)
    assert r"{a} \& {b} \& {c} \\" in draw_tikz(["a", "b", "c"], [2, 0, 2])


def test_right_to_left():
    words = ["הכלב", "רץ", "מהר"]
    assert draw_tikz(words, [2, 0, 2]) == draw_tikz(words[::-1], [2, 0, 2], direction="ltr")
    there = draw_tikz(words, [0, 1, 2]).splitlines()
    assert r"    {מהר} \& {רץ} \& {הכלב} \\" in there
    assert r"  \deproot[edge unit distance=1.875ex]{3}{root}" in there
    assert r"  \depedge[hide label, edge height=3ex]{3}{2}{}" in there


@pytest.mark.fault_class("strangers")
@given(st.text(st.characters(codec="utf-8")))
def test_nothing_is_left_for_latex(text):
    plain = re.sub(r"\\(?:text[a-z]+\{\}|symbol\{\d+\}|[{}$#%_])", "", escape_latex(text))
    assert not re.search(r"[\\$&#%_^~<>|\"`]", plain)
    assert not re.search(r"[{}]", plain.replace("{}", ""))


def compiled(engine, folder, words):
    """Typeset a chain of the words; the log and the text of the page."""
    if shutil.which(engine) is None or shutil.which("kpsewhich") is None:
        pytest.skip(f"no {engine} on this machine")
    found = subprocess.run(["kpsewhich", "tikz-dependency.sty"], capture_output=True, check=False)
    if not found.stdout:
        pytest.skip("the LaTeX package tikz-dependency is not installed")
    heads = list(range(len(words)))
    page = [
        r"\documentclass{article}",
        r"\usepackage[paperwidth=450cm,paperheight=40cm,margin=1cm]{geometry}",
        r"\usepackage{tikz-dependency}",
        r"\begin{document}",
        draw_tikz(words, heads, [*range(2, len(words) + 1), 0]),
        draw_tikz(words[:5], heads[:5], [2, 0, 2, 2, 2], distances=np.ones((5, 5))),
        draw_tikz(words, heads, heads, deprels=words, pred_deprels=words[::-1]),
        r"\end{document}",
    ]
    (folder / "tree.tex").write_text("\n".join(page), encoding="utf-8")
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", "tree.tex"]
    run = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-2000:]
    assert (folder / "tree.pdf").stat().st_size


TRICKY = [
    *string.punctuation,
    *["--", "---", "``", "''", "<<", ">>", ",,", "?`", "!`", "[5pt]", "|x|", "a b", "", "\\\\"],
    *["\\&", "%%", "$x$", "{", "}{", "\\end{deptext}", "\x1b[31m", "\x7f\t", "^^M", "~", "*", "="],
    string.punctuation,
]


@pytest.mark.fault_class("strangers")
def test_every_word_of_ascii_compiles_with_pdflatex(tmp_path):
    compiled("pdflatex", tmp_path, TRICKY)


@pytest.mark.fault_class("strangers")
def test_every_word_compiles_with_xelatex(tmp_path):
    compiled(
        "xelatex", tmp_path, [*TRICKY, "naïve", "猫", "القطة", "e\u0301", "👩\u200d💻", "\u202e"]
    )
