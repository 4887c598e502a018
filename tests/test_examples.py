"""The examples run on what is embedded and give what their last lines say they gave."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py"))

# Another processor rounds differently, and training carries that on: scores in per cent may
# move by this much, and a tree by an edge.
TOLERANCE = 3.0


def numbers(text: str) -> list[float]:
    """All scores in a text: numbers with one decimal."""
    return [float(number) for number in re.findall(r"(?<![\d.])\d+\.\d(?!\d)", text)]


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.usefixtures("minilm")
def test_an_example_gives_what_it_says(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out.rstrip()
    _, _, comment = script.read_text(encoding="utf-8").partition("\n# It prints:\n")
    told = "\n".join(line.removeprefix("#").removeprefix(" ") for line in comment.splitlines())
    assert told, "the script ends with the output it gave"
    assert len(printed.splitlines()) == pytest.approx(len(told.splitlines()), abs=6)
    if "UUAS" in told:
        assert numbers(printed)[:4] == pytest.approx(numbers(told)[:4], abs=TOLERANCE)
    else:
        words = "the dog that chased the cat ran to the river"
        assert words in told
        assert words in printed
        assert (tmp_path / "tree.svg").read_text(encoding="utf-8").startswith("<svg")
