"""What the user may name to be read, and what is said where it cannot be."""

from __future__ import annotations

import gzip
import os
import re

import pytest
from support.conllu_text import dog

from structprobe.errors import Hint, TreebankError
from structprobe.treebank import Treebank
from structprobe.treebank import files as files_module
from structprobe.treebank.files import find_folder, find_parts, kept_folder


@pytest.fixture
def folder(tmp_path):
    for name in ("b-dev", "a-dev", "a-test"):
        (tmp_path / f"{name}.conllu").write_text(dog(name))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c-dev.conllu").write_text(dog("c-dev"))
    return tmp_path


def names(bank):
    return [sentence.sent_id for sentence in bank]


def test_path_string_pattern_and_several(folder):
    assert names(Treebank.read(folder / "a-dev.conllu")) == ["a-dev"]
    assert names(Treebank.read(str(folder / "a-dev.conllu"))) == ["a-dev"]
    assert names(Treebank.read(f"{folder}/*-dev.conllu")) == ["a-dev", "b-dev"]
    assert names(Treebank.read(folder / "?-dev.conllu")) == ["a-dev", "b-dev"]
    assert names(Treebank.read(f"{folder}/**/*-dev.conllu")) == ["a-dev", "b-dev", "c-dev"]
    several = [folder / "sub" / "c-dev.conllu", f"{folder}/a-*"]
    assert names(Treebank.read(several)) == ["c-dev", "a-dev", "a-test"]
    bank = Treebank.read(iter(several))
    assert bank.paths == tuple(
        str(folder / name) for name in ("sub/c-dev.conllu", "a-dev.conllu", "a-test.conllu")
    )


def test_file_named_like_a_pattern(tmp_path):
    (tmp_path / "x[1].conllu").write_text(dog("one"))
    assert names(Treebank.read(tmp_path / "x[1].conllu")) == ["one"]


@pytest.mark.parametrize("name", ["x.conllu.gz", "x.conllu"])
def test_gzip_is_known_by_content(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(dog("one").encode()) + gzip.compress(b"# end\n"))
    bank = Treebank.read(tmp_path / name)
    assert bank.to_conllu() == dog("one") + "# end\n"
    assert bank[0].line == 1


def test_gzip_from_a_pipe():
    assert names(Treebank.from_text(gzip.compress(dog("one").encode()), path="<stdin>")) == ["one"]


@pytest.mark.fault_class("strangers")
@pytest.mark.parametrize("damage", ["cut", "checksum", "noise"])
def test_damaged_gzip(damage):
    data = bytearray(gzip.compress(os.urandom(500).hex().encode()))
    if damage == "cut":
        del data[-20:]
    else:
        position = -5 if damage == "checksum" else 30
        data[position] ^= 255
    with pytest.raises(TreebankError, match=r"x\.gz: damaged gzip file: .*compress the file again"):
        Treebank.from_text(bytes(data), path="x.gz")


@pytest.mark.fault_class("strangers")
def test_gzip_that_unfolds_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(files_module, "SMALL", 10_000)
    ordinary = gzip.compress(dog().encode() * 100)  # more than 100 times, but small
    assert len(Treebank.from_text(ordinary)) == 100
    bomb = gzip.compress(b"\n" * 1_000_000)
    what = f"{len(bomb)} bytes of gzip unpack to more than {100 * len(bomb)}"
    with pytest.raises(TreebankError, match=what):
        Treebank.from_text(bomb)


def test_missing_file_names_the_nearest(folder):
    with pytest.raises(TreebankError) as caught:
        Treebank.read(folder / "a-dev.conlu")
    assert str(caught.value) == (
        f"{folder}/a-dev.conlu: no such file; did you mean '{folder}/a-dev.conllu'?"
    )
    with pytest.raises(TreebankError, match="no such file; check the path"):
        Treebank.read(folder / "quite-another-thing")
    with pytest.raises(TreebankError, match=r"there is no folder '.*nowhere' either"):
        Treebank.read(folder / "nowhere" / "x.conllu")


def test_missing_file_in_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(TreebankError, match=re.escape("did you mean 'a-dev.conllu'?")):
        Treebank.read("a-dev.conlu")


def test_missing_file_in_a_closed_folder(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(TreebankError, match="its folder cannot be listed: Permission denied"):
        Treebank.read(folder / "x.conllu")


def test_folder_and_empty_pattern_and_nothing(folder):
    with pytest.raises(TreebankError, match=r"sub: is a folder, not a file; .*sub/\*\.conllu"):
        Treebank.read(folder / "sub")
    with pytest.raises(TreebankError, match=r"\*\.txt: the pattern matches no file"):
        Treebank.read(f"{folder}/*.txt")
    with pytest.raises(TreebankError, match="the pattern matches no file"):
        Treebank.read(f"{folder}/su*")  # matches a folder only
    with pytest.raises(TreebankError, match="no input file was given; give a path"):
        Treebank.read([])


def test_file_that_cannot_be_read(folder, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(TreebankError, match=r"a-dev\.conllu: cannot be read: Permission denied"):
        Treebank.read(folder / "a-dev.conllu")


def test_faulty_files_among_others(folder):
    (folder / "d-dev.conllu").write_bytes(b"")
    (folder / "e-dev.conllu").write_bytes(dog("e").encode("utf-16"))
    with pytest.raises(TreebankError, match=r"d-dev\.conllu: an empty file"):
        Treebank.read(f"{folder}/*-dev.conllu")
    bank = Treebank.read(f"{folder}/*-dev.conllu", on_error="skip")
    assert names(bank) == ["a-dev", "b-dev"]
    assert [os.path.basename(fault.path) for fault in bank.skipped] == [
        "d-dev.conllu",
        "e-dev.conllu",
    ]
    with pytest.raises(TreebankError, match=r"no valid sentence: the first of 2 errors: .*d-dev"):
        Treebank.read([folder / "d-dev.conllu", folder / "e-dev.conllu"], on_error="skip")


def test_a_treebank_is_named_by_its_folder_or_by_its_name(tmp_path, monkeypatch, sample):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRUCTPROBE_TREEBANKS", raising=False)
    here, kept = tmp_path / "UD_Toy-One", tmp_path / "kept" / "UD_Toy-Two"
    for folder in (here, kept):
        folder.mkdir(parents=True)
        (folder / "toy-ud-train.conllu").write_text(dog())
    assert find_parts("UD_Toy-One") == find_parts("UD_Toy-One/")
    assert [*find_parts(here)] == ["train"]
    with pytest.raises(TreebankError, match="UD_Toy-Two: no such treebank here"):
        find_parts("UD_Toy-Two")
    monkeypatch.setenv("STRUCTPROBE_TREEBANKS", str(tmp_path / "kept"))
    assert find_parts("UD_Toy-Two/")["train"] == [kept / "toy-ud-train.conllu"]
    assert find_folder("UD_Toy-One").resolve() == here  # what is here comes first
    assert kept_folder("UD_Toy-New/") == tmp_path / "kept" / "UD_Toy-New"
    assert [*find_parts("sample")] == ["train", "dev", "test"]
    assert find_parts("sample")["dev"][0].read_bytes() == (sample / "dev.conllu").read_bytes()
    assert find_parts(sample)["train"] == [sample / "train.conllu"]


def test_what_names_no_treebank(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.delenv("STRUCTPROBE_TREEBANKS", raising=False)
    with pytest.raises(TreebankError) as caught:
        find_parts("UD_Englich-EWT")
    assert str(caught.value) == (
        "UD_Englich-EWT: no such treebank here; did you mean UD_English-EWT? "
        "`structprobe treebank UD_English-EWT` fetches it"
    )
    with pytest.raises(TreebankError) as caught:
        find_parts("a-dev.conllu")
    assert isinstance(caught.value.hint, Hint)
    assert caught.value.for_shell() == (
        "a-dev.conllu: is a file, not the folder of a treebank; name files with --train, --dev "
        "and --test"
    )


def test_what_gzip_may_unpack_to():
    """64 MiB of anything, and more only if it shrinks as text does."""
    most = 64 * 2**20
    assert len(files_module.to_text(gzip.compress(b"\n" * most, 1), "x.gz")) == most
    with pytest.raises(TreebankError, match=f"bytes of gzip unpack to more than {most}; "):
        files_module.to_text(gzip.compress(b"\n" * (most + 1), 1), "x.gz")
