"""Every treebank that is here goes the whole way: read, encoded, parsed, written back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.conllu_text import cut

from structprobe import Encoder, ProbeRecoverer, StructuralProbe, Treebank
from structprobe.recoverers.parsed import ParsedSentence
from structprobe.treebank import join_blocks

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(os.environ.get("STRUCTPROBE_TREEBANKS", ROOT.parent / "shared" / "treebanks"))
FILES = sorted(FOLDER.glob("*/*.conllu"))
MOST, MOST_WHOLE = 100, 400  # sentences of one file, to keep the run short


@pytest.fixture(scope="module")
def recoverer(sample: Path, minilm: str) -> Iterator[ProbeRecoverer]:
    """A probe of few steps; how good its trees are is not the question here."""
    probe = StructuralProbe(rank=32, max_steps=100, random_state=0)
    made = ProbeRecoverer(Encoder(minilm, spacing="original"), 4, probe)
    return made.fit(Treebank.read(sample / "dev.conllu"))


@pytest.mark.slow
@pytest.mark.fault_class("treebanks")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_treebank_goes_the_whole_way(
    path: Path, recoverer: ProbeRecoverer, tmp_path: Path, whole: bool
) -> None:
    cut(path, tmp_path / path.name, slice(MOST_WHOLE if whole else MOST))
    bank = Treebank.read(tmp_path / path.name)
    predictions = recoverer.predict(bank)
    for sentence, prediction in zip(bank, predictions, strict=True):
        assert len(prediction.heads) == len(sentence)
        assert np.isfinite(prediction.distances).all()
    trees = [ParsedSentence(*both) for both in zip(bank, predictions, strict=True)]
    written = join_blocks(tree.to_conllu() for tree in trees)

    # Empty nodes go with the enhanced graph.
    before = [one for one in bank.to_conllu().split("\n") if not re.match(r"\d+\.", one)]
    after = written.split("\n")
    assert len(before) == len(after)
    for old, new in zip(before, after, strict=True):
        if "\t" in old and not old.startswith("#"):
            old, new = ("\t".join(np.delete(line.split("\t"), [6, 7, 8])) for line in (old, new))
        assert old == new

    again = Treebank.from_text(written)
    for sentence, prediction in zip(again, predictions, strict=True):
        assert sentence.heads.tolist() == prediction.heads.tolist()


def test_there_is_a_treebank_to_go(treebanks: Path) -> None:
    assert FILES, f"no .conllu file in {treebanks}"
