"""UAS, LAS and CLAS agree with the official UD evaluation, run as a separate process."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from structprobe.experiments.evaluate import score_files
from structprobe.scores import Prediction, score
from structprobe.treebank import Treebank

# Content words, function words, punctuation, subtypes, and one that UD does not have.
LABELS = ["nsubj", "nsubj:pass", "obj", "obl", "obl:tmod", "nmod", "advmod", "acl:relcl", "dep",
          "aux", "aux:pass", "case", "cc", "clf", "cop", "det", "mark", "punct", "mod"]  # fmt: skip


@pytest.fixture(scope="module")
def udeval() -> str:
    """The evaluation script of UD's own tools, or a skip that says where it was looked for."""
    folder = os.environ.get("STRUCTPROBE_UDTOOLS")
    found = shutil.which("udeval", path=folder)
    if found is None:
        pytest.skip(f"no udeval in {folder or 'PATH'}; set STRUCTPROBE_UDTOOLS to its folder")
    return found


def perturbed(text: str, seed: int) -> str:
    """Hang words elsewhere, move roots and change relations; every tree stays a tree."""
    generator = random.Random(seed)
    blocks = []
    for block in text.strip("\n").split("\n\n"):
        lines = [line.split("\t") for line in block.split("\n")]
        words = [fields for fields in lines if fields[0].isdigit()]
        heads = {int(fields[0]): int(fields[6]) for fields in words}
        root = next(word for word, head in heads.items() if head == 0)
        children = [word for word, head in heads.items() if head == root]
        if children and generator.random() < 0.2:
            heads[root] = generator.choice(children)
            heads[heads[root]] = 0
        for word in heads:
            if word not in heads.values() and heads[word] and generator.random() < 0.3:
                heads[word] = generator.choice([other for other in heads if other != word])
        for fields in words:
            fields[6] = str(heads[int(fields[0])])
            if heads[int(fields[0])] == 0:
                fields[7] = "root"
            elif generator.random() < 0.3:
                fields[7] = generator.choice([*LABELS, fields[7].split(":")[0]])
        blocks.append("\n".join("\t".join(fields) for fields in lines))
    return "\n\n".join(blocks) + "\n\n"


@pytest.mark.parametrize(
    "name",
    [
        "UD_English-EWT/en_ewt-ud-dev.conllu",
        "UD_French-GSD/fr_gsd-ud-test.conllu",
        "UD_Turkish-BOUN/tr_boun-ud-test.conllu",
    ],
)
def test_uas_and_las_agree_exactly(treebanks: Path, tmp_path: Path, udeval: str, name: str) -> None:
    agree_exactly(treebanks / name, tmp_path / "parsed.conllu", udeval)


def test_they_agree_on_the_sample(sample: Path, tmp_path: Path, udeval: str) -> None:
    agree_exactly(sample / "test.conllu", tmp_path / "parsed.conllu", udeval)


def agree_exactly(gold_path: Path, parsed_path: Path, udeval: str) -> None:
    """Score a file with wrong heads and relations both ways."""
    parsed_path.write_text(perturbed(gold_path.read_text("utf-8"), seed=7), "utf-8")
    done = subprocess.run(
        [udeval, "--no-enhanced", "--counts", "--verbose", gold_path, parsed_path],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
    # Correct, gold and predicted.
    official = {row[0]: [int(cell) for cell in row[1:4]] for row in rows if row[0].endswith("AS")}

    gold, parsed = Treebank.read(gold_path), Treebank.read(parsed_path)
    scores = score(gold, [Prediction(one.heads, deprels=one.deprels) for one in parsed])
    counts = scores.counts
    assert official["UAS"][:2] == [counts["n_right_heads"], counts["n_words"]]
    assert official["LAS"][:2] == [counts["n_right_labels"], counts["n_labels"]]
    names = ("n_right_content", "n_content", "n_pred_content")
    assert official["CLAS"] == [counts[name] for name in names]
    correct, own, found = official["CLAS"]
    assert own != found
    assert scores.clas == 2 * correct / (own + found)
    assert score_files(gold_path, parsed_path)["clas"] == scores.clas
    assert 0.5 < scores.las < scores.uas < 0.9
    assert 0.5 < scores.clas < 0.9
