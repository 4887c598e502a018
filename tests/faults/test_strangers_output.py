"""Strangers: what words, names of files, models and sentences do where they are shown."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import re
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from support.planted_results import noisy
from support.result_rows import probe_row
from support.strangers import NASTY, some

from structprobe import Prediction, Sentence, Treebank, WordVectors
from structprobe.cli.main import main
from structprobe.cli.output import print_as, print_rows
from structprobe.draw import draw_svg, draw_text, draw_tikz, to_displacy
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import StructprobeError, TreebankError
from structprobe.notebook import html_table
from structprobe.probe.saving.card import model_card
from structprobe.recoverers.parsed import ParsedSentence
from structprobe.results.folder import ResultsFolder, read_rows
from structprobe.results.frames import Rows, as_csv
from structprobe.results.rows import score_values
from structprobe.scores import score
from structprobe.show.live.page import live_page
from structprobe.show.plotting import plot_folder
from structprobe.show.report import build_report

pytestmark = [pytest.mark.fault_class("strangers"), pytest.mark.timeout(300)]

PROBE = Path(__file__).parents[1] / "data" / "probe-format-1"
WORDS = [token for token in NASTY if not set(token) & set("\t\n\0")]
MARKS = "\n\u200e\u200c\u200d"  # ends of lines, and what shapes letters
AWAY = Namespace(json=False), Namespace(json=True)


class Shape(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, _ in attrs:
            assert re.fullmatch("[a-zA-Z:-]+", name), name
            assert not name.startswith("on"), name

    def handle_comment(self, data: str) -> None:
        self.tags["comment"] += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_for_terminal(text: str) -> None:
    strange = {char for char in text if not char.isprintable()} - set(MARKS)
    assert strange == set(), strange


def tree_of(token: str) -> Sentence:
    """A token in every place of a sentence that holds text."""
    tags = (token, "NOUN", token)
    return Sentence((token, "a", token), (2, 0, 2), (token, "root", token), tags, tags,
                    sent_id=token.strip() or None)  # fmt: skip


def parsed(token: str) -> ParsedSentence:
    half = np.array([[0, 1, 2], [1, 0, 1], [2, 1, 0]], np.float32)
    return ParsedSentence(tree_of(token), Prediction(np.array([0, 1, 2]), half))


def test_drawings_in_a_terminal(tally):
    def check(token: str) -> None:
        for width in (10, 200):
            assert_for_terminal(draw_text((token, "a"), (2, 0), (0, 1), width=width))
        assert_for_terminal(str(parsed(token)))
        assert_for_terminal(repr(tree_of(token)))
        assert_for_terminal(repr(Treebank([tree_of(token)])))

    tally.each(check, [(token,) for token in WORDS])


def nasty_row(token: str, **more: Any) -> dict[str, Any]:
    texts = ("model", "treebank", "train", "dev", "recipe", "pooling", "version", "lang", "choice")
    row = probe_row(1, uuas=0.5, **dict.fromkeys((*texts[1:], "warnings"), token))
    return row | {"model": token, "method": token, "warnings": [token], "key": "k"} | more


def test_tables_and_messages_in_a_terminal(tally, capsys):
    def check(token: str) -> None:
        other = nasty_row("b", key="l", layer=2)
        empty = nasty_row(token, key="m", layer=None, uuas=None, why_empty=token)
        rows = [nasty_row(token), other, empty]
        for args in AWAY:
            print_rows(rows, args)
            print_as(str, [token], args)
        out = capsys.readouterr().out
        assert_for_terminal(out)
        assert_for_terminal(repr(Rows(rows)))
        assert_for_terminal(str(StructprobeError(token, where=token, hint=token)))
        assert_for_terminal(str(TreebankError(token, path=token, line=1, sent_id=token)))
        vectors = np.zeros((1, 2))
        origin = {"model": token, "layer": 1}
        assert_for_terminal(repr(WordVectors(vectors, [0, 1], origin)))
        assert_for_terminal(repr(EncodedBank({1: vectors}, [0, 1], origin)))
        assert [row["model"] for row in json.loads(to_printed(rows, capsys))] == [token, "b", token]

    def to_printed(rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> str:
        print_rows(rows, AWAY[1])
        return capsys.readouterr().out

    tally.each(check, [(token,) for token in NASTY])


def test_commands_and_their_log(tally, tmp_path, capsys, monkeypatch, whole):
    """Names of files that are there, or not, and of options that are none."""
    monkeypatch.chdir(tmp_path)
    text = "1\ta\t_\t_\t_\t_\t0\troot\t_\t_\n\n"

    def check(token: str) -> None:
        name = f"{token.replace('/', '')[:40]}.conllu"
        Path(name).write_text(f"# sent_id = {token}\n{text}1\t{token}\tx\n")
        for words in (["score", name, name], ["score", f"no-{name}", name], ["report", token],
                      ["parse", token, token], ["fit", f"--{token}"], [token],
                      ["score", name, name, "--skip-faults"]):  # fmt: skip
            with contextlib.suppress(SystemExit):
                main(words)
            told = capsys.readouterr()
            assert_for_terminal(told.out)
            assert_for_terminal(told.err)
            assert "Traceback" not in told.err

    tally.each(check, some([(token,) for token in WORDS if token != "--option"], whole, 7))


def test_warnings_in_the_log(tally, capsys, monkeypatch):
    class Warns:
        command_line = "structprobe"

    def warn(token: str) -> Callable[[Any], None]:
        return lambda args: logging.getLogger("structprobe.x").warning("%s: a\nb", token)

    from structprobe.cli import score as command

    def check(token: str) -> None:
        monkeypatch.setattr(command, "run", warn(token))
        main(["score", "a", "b"])
        assert_for_terminal(capsys.readouterr().err)

    tally.each(check, [(token,) for token in NASTY])


def test_svg(tally):
    allowed = {"svg", "title", "desc", "rect", "g", "path", "text"}

    def check(token: str) -> None:
        picture = draw_svg((token, "a"), (2, 0), (0, 1), title=token, note=token)
        for svg in (picture, parsed(token).to_svg(), parsed(token)._repr_html_()):
            for one in ElementTree.fromstring(svg[svg.index("<svg") : svg.rindex(">") + 1]).iter():
                assert one.tag.rpartition("}")[2] in allowed
                assert not any(name.startswith("on") or "href" in name for name in one.attrib)
            Shape(svg)

    tally.each(check, [(token,) for token in WORDS])


def test_html(tally):
    """A page with a token in every place has the elements of a page with a letter there."""

    def shapes(token: str) -> list[Shape]:
        rows = Rows([nasty_row(token), nasty_row("b", key="l", layer=2)])
        show = to_displacy([token, "a"], (2, 0), deprels=[token, "r"], upos=[token, "N"])
        labels = f"<p>{show['arcs'][0]['label']}{show['words'][0]['tag']}</p>"
        stand_in = Namespace(names=[token], model=token, best=0)
        pages = [rows._repr_html_(), html_table(token, {token: token}), labels, live_page(stand_in)]
        pages.append(Treebank([tree_of(token)])._repr_html_())
        pages.append(EncodedBank({1: np.zeros((1, 2))}, [0, 1], {"model": token})._repr_html_())
        return [*map(Shape, pages)]

    plain = [shape.tags for shape in shapes("a")]
    tally.each(
        lambda token: [shape.tags for shape in shapes(token)] == plain or pytest.fail("markup"),
        [(token,) for token in WORDS],
    )


def report_of(token: str, folder: Path) -> str:
    """The report of a folder with a token in all its texts."""
    bank = Treebank([tree_of(token)] * 2)
    results = ResultsFolder(folder)
    for layer in (0, 1):
        predictions = noisy(bank, 0.5, layer)
        row = nasty_row(token, key=f"k{layer}", layer=layer, why_empty=None, words_as=None)
        row |= score_values(score(bank, predictions, punct="keep"))
        results.add(row, bank, predictions)
    results.tell_command("structprobe sweep --model " + json.dumps(token))
    return build_report(folder, title=token)


def test_reports(tally, tmp_path, whole):
    plain = Shape(report_of("a", tmp_path / "plain")).tags

    def check(number: int, token: str) -> None:
        page = report_of(token, tmp_path / str(number))
        shape = Shape(page)
        assert shape.tags == plain
        assert page.count("</script") == plain["script"]
        assert "<!--" not in page.partition("<body")[2]

    tally.each(check, enumerate(WORDS if whole else WORDS[::5]))


def test_reports_of_probes_and_cards(tally, tmp_path, whole):
    """The page and the card of a probe that says anything in any place."""
    config = json.loads((PROBE / "config.json").read_text())

    def told(token: str) -> dict[str, Any]:
        scores = {"uuas": 0.5, "uuas_low": 0.4, "uuas_high": 0.6, "punct": "keep"}
        changed = config | {"dev_scores": scores, "dev_baselines": {token: scores}}
        changed["origin"] = dict.fromkeys(config["origin"], token) | {"layer": 1, token: token}
        changed["versions"] = {token: token}
        changed["fitted_on"] = {token: token, "train": token, "command": token}
        changed["history"] = config["history"] | {"treebank": token}
        changed["hyperparameters"] = config["hyperparameters"] | {"recipe": token}
        return changed

    def page_of(token: str) -> Shape:
        folder = tmp_path / "probe"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(told(token)))
        return Shape(build_report(folder))

    plain, card = page_of("a").tags, model_card(told("a"))

    def check(token: str) -> None:
        assert page_of(token).tags == plain
        text = model_card(told(token))
        assert_for_terminal(text)
        assert text.count("\n") in range(card.count("\n") - 1, card.count("\n") + 2)
        _, front, body = text.split("---\n", 2)
        assert set(re.findall(r"(?m)^\w+(?=:)", front)) <= {"base_model", "library_name", "tags"}
        for line in body.splitlines():  # what is not code is ours
            outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", line)
            assert not re.search(r"[<>\x1b\\]|\]\(|\$", outside.replace("\\|", "")) or "![" in line

    tally.each(check, some([(token,) for token in WORDS], whole, 12))


ACTIVE = re.compile(r"\\(?:text[a-z]+\{\}|symbol\{\d+\}|[{}$#%_])")


def test_latex(tally):
    def check(token: str) -> None:
        code = draw_tikz((token, "a"), (2, 0), (0, 1))
        (cells,) = re.findall(r"\{deptext\}.*\n    (.*) \\\\\n", code)
        left = ACTIVE.sub("", cells.replace(r" \& ", ""))
        assert not set("\\$%#&_^~\n\r") & set(left), left
        assert all(char.isprintable() or char in MARKS for char in left)
        assert code.count("\n") == draw_tikz(("b", "a"), (2, 0), (0, 1)).count("\n")

    tally.each(check, [(token,) for token in WORDS])


def test_csv(tally, tmp_path):
    """No cell of text is a formula to a spreadsheet, and none ends its row."""

    def check(number: int, token: str) -> None:
        rows = [nasty_row(token), nasty_row(token, key="l", dspr=-0.5)]
        relations = as_csv([{"relation": token, "n": -1}], ["relation", "n"])
        results = ResultsFolder(tmp_path / str(number))
        results.add(rows[1])
        for text in (as_csv(rows), relations, (results.folder / "rows.csv").read_text()):
            for row in csv.DictReader(io.StringIO(text, newline="")):
                assert None not in row
                for value in row.values():
                    assert not value.startswith(("=", "+", "@", "\t", "\r"))
                    assert not value.startswith("-") or float(value) < 0
        assert read_rows(results.folder)[0]["model"] == token  # rows.jsonl has it as it is

    tally.each(check, enumerate(NASTY))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:constrained_layout not applied")  # names of any length
def test_figures(tally, tmp_path):
    """Names of files stay in the folder; texts are no formulas, and no markup."""
    pytest.importorskip("matplotlib")

    def check(number: int, token: str) -> None:
        report_of(token, tmp_path / f"DIR-{number}")
        out = tmp_path / "figures" / str(number)
        out.parent.mkdir(exist_ok=True)
        paths = plot_folder(tmp_path / f"DIR-{number}", out, formats=("svg",), progress=False)
        assert {path.parent for path in paths} == {out}
        assert sorted(path.name for path in out.parent.iterdir()) == [
            *sorted(str(n) for n in range(number + 1))
        ]
        for path in paths:
            assert re.fullmatch(r"[\w.-]{1,100}", path.name)
            tags = {one.tag.rpartition("}")[2] for one in ElementTree.parse(path).iter()}
            assert not tags & {"script", "img", "foreignObject", "a"}

    tally.each(check, enumerate(["\x1b]0;x\x07<script>$x^{2}_{", "../" + "\u0161" * 60]))


def test_a_terminal_is_sent_no_commands(tmp_path):
    """In a process of its own, from the first to the last byte."""
    name = "\x1b]0;x\x07\u202e.conllu"
    (tmp_path / name).write_text(
        "# sent_id = \x1b[31m\n1\t\x9b2J\t_\t_\t_\t_\t9\t\x1b[0m\t_\t_\n\n"
    )
    command = [sys.executable, "-m", "structprobe", "score", name, name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 1
    assert_for_terminal((done.stdout + done.stderr).decode())
