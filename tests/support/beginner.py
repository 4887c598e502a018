"""The folder that a beginner stands in, and two commands to get wrong."""

from __future__ import annotations

import lzma
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.suites import suite_of, write_suite
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_text

from structprobe import Encoder, ProbeRecoverer, StructuralProbe, Treebank
from structprobe.cli.main import main

FIT = "fit --model model --train train.conllu --layer 1 -o new"
SWEEP = "sweep --model model --train train.conllu --dev dev.conllu -o new"


@pytest.fixture(scope="module", name="world")
def beginners_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A folder that one stands in: a tiny model, a treebank, a saved probe, results, a thesis."""
    folder = tmp_path_factory.mktemp("mistakes")
    save_checkpoint(folder / "model", "bert")
    save_checkpoint(folder / "other", "bert", hidden_size=12)
    (folder / "UD_Toy-One").mkdir()
    for seed, part in enumerate(("train", "dev", "test")):
        (folder / f"{part}.conllu").write_text(tiny_text(seed=seed))
        shutil.copy(folder / f"{part}.conllu", folder / "UD_Toy-One" / f"toy-ud-{part}.conllu")
    (folder / "text.txt").write_text("the dog ran\n")
    (folder / "empty.conllu").write_text("")
    (folder / "headless.conllu").write_text("1\tgo" + "\t_" * 8 + "\n\n")
    (folder / "blank.conllu").write_text("1\t_\t_\t_\t_\t_\t0\t_\t_\t_\n\n" * 3)
    (folder / "conllx").write_text("1\tgo\t_\t_\t_\t_\t0\tROOT\t0\tROOT\n\n")
    (folder / "conllup").write_text("# global.columns = ID UPOS\n1\tX\n\n")
    rows = (f"{i}\ta\t_\t_\t_\t_\t{head}\t_\t_\t_\n" for i, head in ((1, 0), (2, 3), (3, 2)))
    (folder / "cycle.conllu").write_text("".join([*rows, "\n"]))
    (folder / "train.conllu.xz").write_bytes(lzma.compress(b"1"))
    (folder / "bank.zip").write_bytes(b"PK\3\4")
    (folder / "UD_Two").mkdir()
    for name in ("en_ewt-ud-train.conllu", "en_gum-ud-train.conllu"):
        shutil.copy(folder / "train.conllu", folder / "UD_Two" / name)
    (folder / "pairs.tsv").write_text("the dog ran\tthe dog the\n")
    (folder / "one.tsv").write_text("the dog ran\n")
    write_suite(folder / "gym.json", suite_of(["(2;%a%) < (2;%c%)"], {"a": ["the", "dog"]}))
    (folder / "thesis").mkdir()
    (folder / "thesis" / "thesis.tex").write_text("dear to me")
    before = Path.cwd()
    os.chdir(folder)
    how = "--model model --train train.conllu --dev dev.conllu --max-steps 2 --device cpu -q"
    assert main(f"fit {how} --layer 1 -o probe".split()) == 0
    assert main(f"sweep {how} --layers 0-1 --save-probes -o results".split()) == 0
    assert main(f"sweep {how} --layers 0 -o bare".split()) == 0
    encoder = Encoder("model", device="cpu")
    bank = Treebank.read("train.conllu")
    encoded = encoder.encode(bank, progress=False)
    probe = StructuralProbe(max_steps=2).fit(encoded.layer(1), bank)
    wide = Encoder("other", device="cpu")
    yield SimpleNamespace(
        wide=wide, wider=wide.encode(bank, progress=False).layer(1),
        encoder=encoder, bank=bank, encoded=encoded, X=encoded.layer(1), probe=probe,
        heads=[one.heads for one in bank], recoverer=ProbeRecoverer.from_pretrained("probe"),
    )  # fmt: skip
    os.chdir(before)
