"""Treebanks: which files of a folder are its train, dev and test, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.conllu_text import dog

from structprobe.errors import TreebankError
from structprobe.treebank.files import find_parts

pytestmark = pytest.mark.fault_class("treebanks")

ALL = ("train", "dev", "test")


def three(pattern: str) -> str:
    """Name the files of the three parts."""
    return " ".join(pattern.format(part) for part in ALL)


# The files of a folder; those that are read.
READ = {
    "UD": (three("en_ewt-ud-{}.conllu"), three("en_ewt-ud-{}.conllu")),
    "UD, gzipped": (three("en_ewt-ud-{}.conllu.gz"), three("en_ewt-ud-{}.conllu.gz")),
    "UD, with train in two files": (
        "de_hdt-ud-train-a.conllu de_hdt-ud-train-b.conllu de_hdt-ud-test.conllu",
        "de_hdt-ud-train-a.conllu de_hdt-ud-train-b.conllu de_hdt-ud-test.conllu",
    ),
    "UD, test alone": ("en_pud-ud-test.conllu", "en_pud-ud-test.conllu"),
    "parts alone": (three("{}.conllu"), three("{}.conllu")),
    "SUD": (three("xx_own-sud-{}.conllu"), three("xx_own-sud-{}.conllu")),
    "SUD, gzipped": (three("xx_own-sud-{}.conllu.gz"), three("xx_own-sud-{}.conllu.gz")),
    "another scheme": (three("xx_own-mine-{}.conllu"), three("xx_own-mine-{}.conllu")),
    "parts behind a hyphen": (three("own-{}.conllu"), three("own-{}.conllu")),
    "parts behind an underscore": (three("own_{}.conllu"), three("own_{}.conllu")),
    "parts behind a full stop": (three("own.{}.conllu"), three("own.{}.conllu")),
    "parts in front": (three("{}_own.conllu"), three("{}_own.conllu")),
    "CoNLL-U Plus": (three("xx-ud-{}.conllup"), three("xx-ud-{}.conllup")),
    "PARSEME": (three("{}.cupt"), three("{}.cupt")),
    "train in the name of a treebank": (
        "train_own-ud-dev.conllu train_own-ud-test.conllu",
        "train_own-ud-dev.conllu train_own-ud-test.conllu",
    ),
    "README and licence beside": (
        f"README.md LICENSE.txt stats.xml {three('xx-ud-{}.conllu')} {three('xx-ud-{}.txt')}",
        three("xx-ud-{}.conllu"),
    ),
    "PARSEME beside CoNLL-U": (f"{three('{}.cupt')} {three('{}.conllu')}", three("{}.conllu")),
    "one's own beside UD": (
        f"{three('xx-ud-{}.conllu')} my_test.conllu small-train.conllu test.conllu",
        three("xx-ud-{}.conllu"),
    ),
    "train in numbered files": (
        "own-train-1.conllu own-train-2.conllu own-dev.conllu",
        "own-train-1.conllu own-train-2.conllu own-dev.conllu",
    ),
    "another packing": (three("xx-ud-{}.conllu.xz"), three("xx-ud-{}.conllu.xz")),
    "a copy that an editor made": (
        f"{three('xx-ud-{}.conllu')} xx-ud-train.conllu~ xx-ud-train.conllu.bak",
        three("xx-ud-{}.conllu"),
    ),
    "what macOS leaves": (
        f"{three('xx-ud-{}.conllu')} ._xx-ud-train.conllu .DS_Store",
        three("xx-ud-{}.conllu"),
    ),
    "what a killed process of ours left": (
        f"{three('xx-ud-{}.conllu')} .xx-ud-train.conllu.1f2e3d4c.tmp",
        three("xx-ud-{}.conllu"),
    ),
    "an unfinished download": (
        f"{three('xx-ud-{}.conllu')} xx-ud-train.conllu.part",
        three("xx-ud-{}.conllu"),
    ),
    "the same part twice, once gzipped": (
        f"{three('xx-ud-{}.conllu')} xx-ud-train.conllu.gz",
        three("xx-ud-{}.conllu"),
    ),
}

# The files of a folder; a pattern of the error.
REFUSED = {
    "words that hold the name of a part": (
        "constrained-ud-x.conllu latest.conllu device.conllu",
        "is not the folder of a treebank.*names such as",
    ),
    "nothing": ("", "is not the folder of a treebank.*names such as"),
    "other files": ("README.md LICENSE.txt stats.xml", "is not the folder of a treebank"),
    "other names": ("a.conllu b.conllu", "is not the folder of a treebank.*names such as"),
    "two treebanks": (
        f"{three('en_ewt-ud-{}.conllu')} {three('en_gum-ud-{}.conllu')}",
        "en_ewt.*en_gum",
    ),
    "UD and SUD of one treebank": (
        f"{three('xx-ud-{}.conllu')} {three('xx-sud-{}.conllu')}",
        "xx-ud.*xx-sud|xx-sud.*xx-ud",
    ),
}


def make(folder: Path, files: str) -> Path:
    """Write files that differ in their names alone."""
    for file in files.split():
        (folder / file).write_text(dog())
    return folder


@pytest.mark.parametrize(("files", "expected"), READ.values(), ids=READ)
def test_folders_that_are_read(files, expected, tmp_path):
    found = find_parts(make(tmp_path, files))
    assert [file.name for part in found.values() for file in part] == expected.split()
    assert all(part in file.name for part in found for file in found[part])


@pytest.mark.parametrize(("files", "expected"), REFUSED.values(), ids=REFUSED)
def test_folders_that_are_refused(files, expected, tmp_path):
    with pytest.raises(TreebankError, match=expected) as caught:
        find_parts(make(tmp_path, files))
    assert str(caught.value).isprintable()


def test_a_folder_named_as_a_part_is_no_file(tmp_path):
    for part in ALL:
        (tmp_path / f"{part}.conllu").mkdir()
    with pytest.raises(TreebankError, match="is not the folder of a treebank"):
        find_parts(tmp_path)
