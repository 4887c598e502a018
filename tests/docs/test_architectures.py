"""The table of architectures in short: models that differ in kind are read right, or refused."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SCRIPT = DOCS / "architectures" / "build_table.py"
KINDS = {
    "bert": "learned positions",
    "roberta": "positions that begin after the padding id",
    "m2m_100": "the encoder of an encoder-decoder, with positions from a formula",
    "t5": "relative positions",
    "xlnet": "two streams",
    "gpt2": "a decoder",
    "llama": "rotary positions, and no padding id",
    "mixtral": "experts chosen for each token",
    "switch_transformers": "experts with room for some tokens only",
    "mamba": "a state instead of attention",
    "jamba": "states and attention",
    "minimax": "attention, and states that are returned as if they were attention",
    "squeezebert": "scores returned as if they were attention",
    "convbert": "convolutions, which reach into padding",
    "fnet": "Fourier transforms, which mix all positions",
    "big_bird": "attention that it changes for short texts",
    "longformer": "windows, with the text padded to a multiple of them",
    "funnel": "layers with fewer positions",
    "reformer": "reversible layers: a last layer of twice the width",
    "deepseek_v32": "attention to the best tokens only",
    "canine": "characters, without a vocabulary",
    "clip": "a text tower beside one for images",
    "llama4": "an output without last_hidden_state",
    "bros": "boxes on a page beside the text",
}


@pytest.mark.slow
def test_no_kind_of_model_is_read_wrongly_or_with_a_traceback(tmp_path: Path) -> None:
    found = tmp_path / "results.json"
    command = [sys.executable, SCRIPT, "--only", ",".join(KINDS), "--json", found]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.is_file(), done.stderr
    rows = json.loads(found.read_text(encoding="utf-8"))["rows"]
    assert {row["architecture"] for row in rows} == set(KINDS)
    bad = {
        row["architecture"]: f"{row['status']}: {row['reason']} {row['where']}"
        for row in rows
        if row["status"] in ("WRONG", "TRACEBACK", "could not be built", "no text input")
    }
    assert not bad
    assert not {row["architecture"]: row["left"] for row in rows if row["left"]}
    attention = {row["architecture"]: row["attention"] for row in rows}
    some = {"jamba": "only layer 2 of 2", "minimax": "only layer 1 of 2", "gpt2": "all layers"}
    assert {name: attention[name] for name in some} == some
    assert attention["squeezebert"].startswith(
        "refused: 'SqueezeBertModel': layer 1 returns no shares"
    )
    assert done.returncode == 0


def test_the_page_shows_the_results() -> None:
    results = json.loads((SCRIPT.parent / "results.json").read_text(encoding="utf-8"))
    make_page = runpy.run_path(str(SCRIPT.parent / "table.py"))["make_page"]
    page = make_page(results["rows"], results["versions"])
    assert page == (DOCS / "architectures.md").read_text(encoding="utf-8")
