"""Bad and odd treebank files of our own: the content of each, and what is to be said of it.

This table is the index. A file is read with so many sentences and words, read with a warning, or
refused at a line (None where the whole file is to blame) by a message that holds a pattern.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from dataclasses import dataclass

from support.conllu_text import block, dog, line


@dataclass(frozen=True)
class Expected:
    """What reading a file comes to."""

    sentences: int = 0  # none: refused
    words: int = 0
    heads: tuple[int, ...] | None = None  # of the first sentence, where they are to be looked at
    line: int | None = None
    says: str | None = None  # a pattern, in the error or in the one warning


def read(sentences: int, words: int, heads: tuple[int, ...] | None = None) -> Expected:
    """Read, without a word."""
    return Expected(sentences, words, heads)


def warned(sentences: int, words: int, says: str) -> Expected:
    """Read, with one warning."""
    return Expected(sentences, words, says=says)


def refused(line: int | None, says: str) -> Expected:
    """Refused, with an error that names the line."""
    return Expected(line=line, says=says)


def rows(*words: str) -> str:
    """A sentence of words such as ``"1 the 2"``: ID, FORM and, unless it is ``_``, HEAD."""
    return block(*(line(*word.split(" ")) for word in words))


def one(
    form: str = "a", head: str = "0", number: str = "1", misc: str = "_", **columns: str
) -> str:
    """A sentence of one word."""
    return block(line(number, form, head, misc, **columns))


def plus(columns: str, *lines: str) -> str:
    """CoNLL-U Plus: the declaration of the columns, and lines with blanks for tabs."""
    return f"# global.columns = {columns}\n" + block(*(text.replace(" ", "\t") for text in lines))


def tar(data: bytes) -> bytes:
    """An archive of one file."""
    with tarfile.open(fileobj=(out := io.BytesIO()), mode="w") as archive:
        member = tarfile.TarInfo("en-dev.conllu")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def zipped(data: bytes) -> bytes:
    """The same, as zip."""
    with zipfile.ZipFile(out := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("en-dev.conllu", data)
    return out.getvalue()


COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
DOG = dog("one")  # "the dog barks", lines 2 to 4 of 5
TWO = dog("one") + dog("two")
BYTES = TWO.encode()
PACKED = gzip.compress(BYTES, mtime=0)
TEN = " ".join(COLUMNS)
CHAIN = tuple(range(5000))  # each word hangs on the one before
CIRCLE = "the heads form a cycle"
NOT_A_NUMBER = "is neither a number nor `_`"
NOT_AN_ID = "is not a valid ID"
ORDER = "out of order: the next word should be"
NINE = "_\t" * 8 + "_"

ENCODINGS = {
    "UTF-8": (
        "\u05db\u05dc\u05d1 \u72ac".join(("1\t", "\t_" * 4 + "\t0" + "\t_" * 3 + "\n")),
        read(1, 1),
    ),
    "a byte order mark": ("\ufeff" + TWO, read(2, 6)),
    "two byte order marks": ("\ufeff\ufeff" + rows("1 a 0"), refused(1, "byte order mark inside")),
    "a byte order mark between sentences": (
        rows("1 a 0") + "\ufeff" + rows("1 a 0"),
        refused(3, "byte order mark inside the file; remove it"),
    ),
    "a byte order mark before a word": (
        rows("1 a 0") + rows("1 a 0", "2 b 1", "\ufeff3 c 1"),
        refused(5, "byte order mark inside"),
    ),
    "a byte order mark in a form": (one("\ufeffa"), read(1, 1)),
    "UTF-16, little end first": (TWO.encode("utf-16"), refused(1, "UTF-16.*iconv")),
    "UTF-16, big end first": (b"\xfe\xff" + TWO.encode("utf-16-be"), refused(1, "UTF-16.*iconv")),
    "UTF-16 without a mark": (TWO.encode("utf-16-le"), refused(1, "NUL character.*UTF-16")),
    "UTF-16 without a mark, big end first": (TWO.encode("utf-16-be"), refused(1, "NUL.*UTF-16")),
    "UTF-32": (TWO.encode("utf-32"), refused(1, "UTF-32")),
    "gzipped UTF-16": (gzip.compress(TWO.encode("utf-16")), refused(1, "UTF-16")),
    "Latin-1 in a form": (DOG.replace("dog", "d\xf6g").encode("latin-1"), refused(3, "byte 0xF6")),
    "Latin-1 in a comment": (b"# caf\xe9\n" + BYTES, refused(1, "byte 0xE9 at character 6")),
    "Latin-1 in MISC": (one(misc="G=\xe9").encode("latin-1"), refused(1, "byte 0xE9")),
    "Windows quotes": (one("\u201c").encode("cp1252"), refused(1, "byte 0x93")),
    "Shift JIS": (one("\u72ac").encode("shift-jis"), refused(1, "invalid UTF-8")),
    "KOI8-R": (one("\u0434\u043e\u043c").encode("koi8-r"), refused(1, "invalid UTF-8")),
    "a surrogate pair in UTF-8": (
        one("X").encode().replace(b"X", b"\xed\xa0\xbd\xed\xb8\x80"),
        refused(1, "byte 0xED"),
    ),
    "an overlong slash": (one("X").encode().replace(b"X", b"\xc0\xaf"), refused(1, "byte 0xC0")),
    "half a character at the end": (BYTES[:-2] + b"\xc3", refused(9, "byte 0xC3")),
    "the byte 0xFF alone": (b"\xff", refused(1, "byte 0xFF")),
    "NUL in a form": (one("a\0b"), refused(1, "NUL character")),
    "NUL in a comment": ("# a\0b\n" + DOG, refused(1, "NUL character")),
    "NUL behind the end": (TWO + "\0" * 512, refused(11, "NUL character")),
    "control characters": (one("a\x01\x1b[31mb\x7f"), read(1, 1)),
    "a replacement character": (one("\ufffd"), read(1, 1)),
    "a character that is none": (one("\ufffe\uffff\U0010ffff"), read(1, 1)),
    "private use": (one("\ue000\U000f0000"), read(1, 1)),
}

LINE_ENDS = {
    "CRLF": (TWO.replace("\n", "\r\n"), read(2, 6)),
    "CRLF, cut within the last": (TWO.replace("\n", "\r\n")[:-1], read(2, 6)),
    "CRLF doubled": (TWO.replace("\n", "\r\r\n"), read(2, 6)),
    "CRLF in the second half": (DOG + DOG.replace("\n", "\r\n"), read(2, 6)),
    "CR alone": (TWO.replace("\n", "\r"), refused(1, "carriage return")),
    "CR alone, without comments": (dog().replace("\n", "\r"), refused(1, "carriage return")),
    "CR alone, one word": (one().replace("\n", "\r"), read(1, 1)),
    "LFCR": (rows("1 a 0", "2 b 1").replace("\n", "\n\r"), refused(2, r"'\\r2' is not a valid ID")),
    "CR in a form": (one("a\rb"), read(1, 1)),
    "U+2028 in a form": (one("a\u2028b"), read(1, 1)),
    "U+2028 for line feeds": (dog().replace("\n", "\u2028"), refused(1, "28 columns instead")),
    "U+2028 in a comment": ("# a\u20281\tb\n" + DOG, read(1, 3)),
    "U+0085, vertical tab and form feed in a form": (one("a\x85b\x0bc\x0cd"), read(1, 1)),
    "no empty line at the end": (TWO[:-1], read(2, 6)),
    "no line feed at the end": (TWO[:-2], read(2, 6)),
    "cut in the last column": (DOG.removesuffix("\t_\n\n"), refused(4, "9 columns")),
    "empty lines in front": ("\n\n\n" + DOG, read(1, 3)),
    "empty lines between": (DOG + "\n\n\n" + DOG, read(2, 6)),
    "empty lines behind": (DOG + "\n" * 1000, read(1, 3)),
    "CR on the empty lines": (DOG + "\r\n\r\r\n" + DOG, read(2, 6)),
    "blanks on the empty line": (DOG[:-1] + "  \n" + DOG, refused(5, "must be empty")),
    "a tab on the empty line": (DOG[:-1] + "\t\n" + DOG, refused(5, "must be empty")),
    "a no-break space on the empty line": (DOG[:-1] + "\xa0\n" + DOG, refused(5, "must be empty")),
    "an ideographic space on the empty line": (DOG[:-1] + "\u3000\n", refused(5, "must be empty")),
    "a form feed on the empty line": (DOG[:-1] + "\x0c\n" + DOG, refused(5, "must be empty")),
    "no empty line between": (
        rows("1 a 0")[:-1] + rows("1 b 0"),
        refused(2, f"'1' {ORDER} 2.*empty"),
    ),
    "an empty line within": (rows("1 a 0") + rows("2 b 1"), refused(3, f"'2' {ORDER} 1")),
}

NOTHING = {
    "empty": ("", refused(None, "an empty file; give a CoNLL-U file")),
    "a line feed": ("\n", refused(None, "no sentence in 1 characters")),
    "blank lines alone": ("\r\n" * 9, refused(None, "no sentence")),
    "a byte order mark alone": ("\ufeff", refused(None, "no sentence")),
    "a byte order mark and a line feed": ("\ufeff\n", refused(None, "no sentence")),
    "comments alone": ("# a\n# b\n\n# c\n", refused(None, "no sentence in 13 characters")),
    "a comment without an end": ("# sent_id = 1", refused(None, "no sentence")),
    "a blank": (" ", refused(1, "must be empty")),
    "a NUL": ("\0", refused(1, "NUL character")),
    "an empty gzip file": (gzip.compress(b""), refused(None, "an empty file")),
    "comments alone, gzipped": (gzip.compress(b"# a\n"), refused(None, "no sentence")),
}

COLUMN_FAULTS = {
    **{
        f"{n} columns": (
            "\t".join("1a______________"[:n]) + "\n\n",
            refused(1, f"{n} columns? instead of ten"),
        )
        for n in (1, 2, 4, 8, 9, 11, 12, 13)
    },
    **{
        f"{name} empty": (
            "\t".join("" if i == column else cell for i, cell in enumerate("1a____0___")) + "\n\n",
            refused(1, rf"{name} \(column {column + 1}\) is empty"),
        )
        for column, name in enumerate(COLUMNS)
    },
    "nine columns in the second sentence": (
        DOG + one().replace("\t_\n", "\n"),
        refused(6, "9 columns"),
    ),
    "blanks for tabs": (one().replace("\t", " "), refused(1, "1 column instead of ten.*by tabs")),
    "four blanks for tabs": (one().replace("\t", "    "), refused(1, "1 column .*by tabs")),
    "one blank for a tab": (one("a").replace("a\t", "a "), refused(1, "9 columns instead")),
    "commas for tabs": (one().replace("\t", ","), refused(1, "1 column instead of ten.*by tabs")),
    "a tab at the end of a line": (DOG.replace("_\n2", "_\t\n2"), refused(2, "11 columns")),
    "a tab at the end of each line": (DOG.replace("_\n", "_\t\n"), refused(2, "11 columns")),
    "a tab in front": ("\t" + one(), refused(1, "11 columns")),
    "a doubled tab": (one("a").replace("a\t", "a\t\t"), refused(1, "11 columns")),
    "tabs alone": ("\t" * 9 + "\n" + DOG, refused(1, "must be empty|is empty")),
    "tabs written out": (one().replace("\t", "\\t"), refused(1, "1 column instead of ten")),
    "a blank in front": (" " + one(), refused(1, f"' 1' {NOT_AN_ID}")),
    "a blank behind": (one(misc="_ "), read(1, 1)),
    "a row of names": ("\t".join(COLUMNS) + "\n" + dog(), refused(1, f"'ID' {NOT_AN_ID}")),
    "plain text": ("The dog barks.\nCats sleep.\n", refused(1, "1 column instead of ten")),
    "brackets": ("(S (NP (DT the) (NN dog)) (VP (VBZ barks)))\n", refused(1, "1 column")),
    "a web page": ("<!DOCTYPE html>\n<html>\n</html>\n", refused(1, "1 column instead of ten")),
    "JSON": ('[{"id": 1, "form": "a", "head": 0}]', refused(1, "1 column instead of ten")),
    "a pointer of Git LFS": (
        "version https://git-lfs.github.com/spec/v1\n",
        refused(1, "1 column"),
    ),
    "a merge conflict": ("<<<<<<< HEAD\n" + DOG, refused(1, "1 column instead of ten")),
    "random letters": ("x" * 100_000, refused(1, "1 column instead of ten: 'xxx")),
}

# The columns of a file of CoNLL-U Plus, and the formats before CoNLL-U.
RELATIVES = {
    "ten columns declared": (f"# global.columns = {TEN}\n" + DOG, read(1, 3, (2, 3, 0))),
    "ten columns declared, twice": (f"# global.columns = {TEN}\n{DOG}" * 2, read(2, 6)),
    "an eleventh column": (
        plus(f"{TEN} PARSEME:MWE", f"1 a {'_ ' * 4}2 x _ _ 1:VID", f"2 b {'_ ' * 4}0 y _ _ 1"),
        read(1, 2, (2, 0)),
    ),
    "an eleventh column, declared once": (
        plus(f"{TEN} A:B", f"1 a {'_ ' * 4}0 x _ _ z")
        + f"1 b {'_ ' * 4}0 x _ _ z\n\n".replace(" ", "\t"),
        read(2, 2, (0,)),
    ),
    "an eleventh column, with CRLF and a mark": (
        "\ufeff" + plus(f"{TEN} A:B", f"1 a {'_ ' * 4}0 x _ _ z").replace("\n", "\r\n"),
        read(1, 1, (0,)),
    ),
    "columns in another order": (
        plus("ID HEAD FORM DEPREL", "1 2 a x", "2 0 b y"),
        read(1, 2, (2, 0)),
    ),
    "another column before FORM": (
        plus("ID A:B FORM HEAD", "1 z a 2", "2 z b 0"),
        read(1, 2, (2, 0)),
    ),
    "columns without HEAD": (plus("ID FORM UPOS", "1 a X", "2 b Y"), read(1, 2)),
    "ranges and empty nodes in other columns": (
        plus("ID FORM HEAD A:B", "1-2 ab _ z", "1 a 2 z", "1.1 e _ z", "2 b 0 z"),
        read(1, 2, (2, 0)),
    ),
    "columns declared on the second line": (
        "# newdoc\n" + plus("ID FORM HEAD A:B", "1 a 0 z"),
        read(1, 1, (0,)),
    ),
    "columns without FORM": (plus("ID UPOS HEAD", "1 X 0"), refused(1, "FORM")),
    "columns without ID": (plus("FORM UPOS HEAD", "a X 0"), refused(1, r"\bID\b")),
    "a column declared twice": (
        plus("ID FORM HEAD HEAD", "1 a 0 0"),
        refused(1, "HEAD.*(twice|2 times)"),
    ),
    "no column declared": ("# global.columns =\n" + DOG, refused(1, "global.columns")),
    "columns in small letters": (plus("id form head", "1 a 0"), refused(1, "global.columns.*ID")),
    "ten declared, eleven there": (
        f"# global.columns = {TEN}\n" + one(misc="_\tx"),
        refused(2, "11 columns instead"),
    ),
    "eleven declared, ten there": (
        f"# global.columns = {TEN} A:B\n" + one(),
        refused(2, "10 columns instead of (11|eleven)"),
    ),
    "an empty cell of another column": (
        plus("ID FORM HEAD A:B", "1 a 0 "),
        refused(2, r"A:B.*is empty"),
    ),
    "HEAD of other columns out of range": (
        plus("ID FORM HEAD A:B", "1 a 7 z"),
        refused(2, "HEAD '7' is out of range"),
    ),
    "columns declared anew": (
        plus("ID FORM HEAD", "1 a 0") + plus("ID HEAD FORM", "1 0 a"),
        refused(4, "global.columns"),
    ),
    "CoNLL-X without PHEAD": (
        block(
            line(1, "a", 2, upos="N", xpos="NN", feats="sg|nom", deprel="SBJ"),
            line(2, "b", 0, deprel="ROOT"),
        ),
        read(1, 2, (2, 0)),
    ),
    "CoNLL-X with PHEAD": (
        block(
            line(1, "a", 2, "SBJ", deps="2", deprel="SBJ"),
            line(2, "b", 0, "ROOT", deps="0", deprel="ROOT"),
        ),
        refused(1, "CoNLL-X.*(awk|convert)"),
    ),
    "CoNLL-2009": (
        "1\ta\ta\ta\tN\tN\t_\t_\t2\t2\tSBJ\tSBJ\t_\t_\tA0\n2\tb\tb\tb\tV\tV\t_\t_\t0\t0\tROOT\tROOT\tY\tb.01\t_\n\n",
        refused(1, "CoNLL-2009.*(awk|convert)"),
    ),
    "CoNLL-2009 without predicates": (
        "1\ta\ta\ta\tN\tN\t_\t_\t0\t0\tROOT\tROOT\t_\t_\n\n",
        refused(1, "CoNLL-2009.*(awk|convert)"),
    ),
    "CoNLL-2003": ("-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\n", refused(1, "1 column instead")),
    "CoNLL-2012": (
        "#begin document (a); part 000\na 0 0 x NN (S*) - - - -\n",
        refused(2, "1 column"),
    ),
}

ARCHIVES = {
    "gzip": (PACKED, read(2, 6)),
    "gzip in two members": (gzip.compress(DOG.encode()) + gzip.compress(DOG.encode()), read(2, 6)),
    "gzip padded with zeros": (PACKED + bytes(512), read(2, 6)),
    "gzip with something behind": (PACKED + b"x" * 20, refused(None, "damaged gzip file")),
    "gzip: two bytes alone": (PACKED[:2], refused(None, "damaged gzip file")),
    "gzip without its end": (PACKED[:-9], refused(None, "damaged gzip file.*again")),
    "gzip with another checksum": (
        PACKED[:-8] + b"abcd" + PACKED[-4:],
        refused(None, "damaged gzip.*CRC"),
    ),
    "gzip with another length": (PACKED[:-4] + b"abcd", refused(None, "damaged gzip file")),
    "gzip of an unknown method": (b"\x1f\x8b\x09" + PACKED[3:], refused(None, "damaged gzip file")),
    "gzip of noise": (PACKED[:10] + b"\xff" * 99, refused(None, "damaged gzip file")),
    "gzip twice": (gzip.compress(PACKED), refused(None, "gzip.*(twice|again)")),
    "a bomb": (gzip.compress(b"\n" * (2**26 + 1)), refused(None, "unpack to more than 67108864")),
    "xz": (lzma.compress(BYTES), refused(None, r"\bxz\b.*unpack")),
    "bzip2": (bz2.compress(BYTES), refused(None, r"\bbzip2\b.*unpack")),
    "zip": (zipped(BYTES), refused(None, r"\bzip\b.*unpack")),
    "an empty zip": (b"PK\5\6" + bytes(18), refused(None, r"\bzip\b")),
    "tar": (tar(BYTES), refused(None, r"\btar\b.*unpack")),
    "tar.gz": (gzip.compress(tar(BYTES)), refused(None, r"\btar\b.*unpack")),
    "tar.xz": (lzma.compress(tar(BYTES)), refused(None, r"\bxz\b.*unpack")),
    "zstandard": (b"\x28\xb5\x2f\xfd\x24\x01\x00\x00a\xff\xff", refused(None, "zstandard.*unpack")),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", refused(2, "invalid UTF-8|PDF")),
    "a NumPy array": (b"\x93NUMPY\x01\x00", refused(1, "invalid UTF-8")),
}

IDS = {
    **{
        f"ID {value!r}": (one(number=value), refused(1, says))
        for value, says in {
            "0": f"'0' {ORDER} 1",
            "2": f"'2' {ORDER} 1",
            "-1": NOT_AN_ID,
            "+1": NOT_AN_ID,
            "01": NOT_AN_ID,
            "1.0": NOT_AN_ID,
            "1.01": NOT_AN_ID,
            "1e0": NOT_AN_ID,
            "1.5": ORDER,
            "0.1": "a sentence without words|HEAD '0' on '0.1'",
            "1a": NOT_AN_ID,
            "1 ": NOT_AN_ID,
            " 1": NOT_AN_ID,
            "_": NOT_AN_ID,
            "*": NOT_AN_ID,
            "1,2": NOT_AN_ID,
            "1_2": NOT_AN_ID,
            "1\u20132": NOT_AN_ID,  # an en dash
            "1-": NOT_AN_ID,
            "-": NOT_AN_ID,
            "1-2-3": NOT_AN_ID,
            "1.1-2": NOT_AN_ID,
            "\u0661": NOT_AN_ID,  # Arabic digits
            "\uff11": NOT_AN_ID,  # full width
            "\xb2": NOT_AN_ID,  # superscript
            "\u2160": NOT_AN_ID,  # a Roman number
            "9" * 30: ORDER,
            "9" * 5000: ORDER,
            "1." + "9" * 5000: ORDER,
            "x" * 5000: NOT_AN_ID,
        }.items()
    },
    "from 0": (rows("0 a 1", "1 b 0"), refused(1, f"'0' {ORDER} 1")),
    "a gap": (rows("1 a 0", "3 b 1"), refused(2, f"'3' {ORDER} 2")),
    "an ID twice": (rows("1 a 0", "1 b 0"), refused(2, f"'1' {ORDER} 2")),
    "downwards": (rows("2 a 0", "1 b 2"), refused(1, f"'2' {ORDER} 1")),
    "a range of one word": (rows("1-1 a", "1 a 0"), read(1, 1)),
    "two ranges": (rows("1-2 ab", "1 a 0", "2 b 1", "3-4 cd", "3 c 1", "4 d 1"), read(1, 4)),
    "a range reversed": (rows("2-1 ab", "1 a 0", "2 b 1"), refused(1, "'2-1' is reversed")),
    "a range behind its words": (rows("1 a 0", "2 b 1", "1-2 ab"), refused(3, f"'1-2' {ORDER} 3")),
    "a range too soon": (rows("2-3 bc", "1 a 0", "2 b 1", "3 c 1"), refused(1, f"'2-3' {ORDER} 1")),
    "a range within one": (
        rows("1-3 abc", "1 a 0", "2-3 bc", "2 b 1", "3 c 1"),
        refused(3, "'2-3' overlaps"),
    ),
    "a range twice": (rows("1-2 ab", "1-2 ab", "1 a 0", "2 b 1"), refused(2, "'1-2' overlaps")),
    "a range past the end": (
        rows("1-3 abc", "1 a 0", "2 b 1"),
        refused(1, "ends at 3, but the last"),
    ),
    "a range without words": (rows("1-2 ab"), refused(1, "a sentence without words")),
    "an enormous range": (rows("1-999999999 a", "1 a 0"), refused(1, "ends at 999999999")),
    "a range of enormous numbers": (rows(f"1-{'9' * 5000} a", "1 a 0"), refused(1, NOT_AN_ID)),
    "an empty node first": (rows("0.1 e", "1 a 0"), read(1, 1)),
    "empty nodes": (rows("0.1 e", "1 a 0", "1.1 e", "1.2 e", "2 b 1", "2.1 e"), read(1, 2)),
    "ten empty nodes": (rows("1 a 0", *(f"1.{i} e" for i in range(1, 11))), read(1, 1)),
    "an empty node in a range": (rows("1-2 ab", "1 a 0", "1.1 e", "2 b 1"), read(1, 2)),
    "an empty node behind the name of a range": (
        rows("1-2 ab", "0.1 e", "1 a 0", "2 b 1"),
        refused(2, f"'0.1' {ORDER} 1"),
    ),
    "an empty node before its word": (rows("1.1 e", "1 a 0"), refused(1, f"'1.1' {ORDER} 1")),
    "an empty node too late": (rows("1 a 0", "2 b 1", "1.1 e"), refused(3, f"'1.1' {ORDER} 3")),
    "the second empty node alone": (rows("1 a 0", "1.2 e"), refused(2, f"'1.2' {ORDER} 2")),
    "an empty node twice": (rows("1 a 0", "1.1 e", "1.1 e"), refused(3, f"'1.1' {ORDER} 2")),
    "empty nodes alone": (rows("0.1 e", "0.2 e"), refused(1, "a sentence without words")),
    "IDs that go on": (dog() + rows("4 a 0", "5 b 4"), refused(5, f"'4' {ORDER} 1")),
}

HEADS = {
    **{
        f"HEAD {value!r}": (rows("1 a 0")[:-1] + one("b", value, "2"), refused(2, says))
        for value, says in {
            "zero": NOT_A_NUMBER,
            "-1": NOT_A_NUMBER,
            "+1": NOT_A_NUMBER,
            "01": NOT_A_NUMBER,
            "1.0": NOT_A_NUMBER,
            "1.1": NOT_A_NUMBER,
            "1-2": NOT_A_NUMBER,
            "1:nsubj": NOT_A_NUMBER,
            "1|2": NOT_A_NUMBER,
            "1 ": NOT_A_NUMBER,
            "nan": NOT_A_NUMBER,
            "-": NOT_A_NUMBER,
            "__": NOT_A_NUMBER,
            "\u0661": NOT_A_NUMBER,
            "\xb9": NOT_A_NUMBER,
            "3": "HEAD '3' is out of range.*1 to 2",
            "9" * 30: "is out of range",
            "9" * 5000: "is out of range",
            "2": "word 2 is its own head",
            "0": "2 roots: words 1, 2",
            "_": "HEAD is `_` here, but a number for 1 of 2 words",
        }.items()
    },
    "no heads": (rows("1 a", "2 b"), read(1, 2)),
    "no heads in one of two sentences": (rows("1 a", "2 b") + dog(), read(2, 5)),
    "two words without HEAD": (
        rows("1 a 2", "2 b", "3 c"),
        refused(2, "HEAD is `_` here, but a number for 1 of 3 words"),
    ),
    "a root without HEAD": (rows("1 a 2", "2 b"), refused(2, "HEAD is `_` here")),
    "no root": (rows("1 a 2", "2 b 1"), refused(1, "no word is the root")),
    "one word, its own head": (rows("1 a 1"), refused(1, "word 1 is its own head")),
    "a cycle of two": (rows("1 a 0", "2 b 3", "3 c 2"), refused(2, f"{CIRCLE}: 2 → 3 → 2")),
    "a cycle in the second sentence": (DOG + rows("1 a 0", "2 b 3", "3 c 2"), refused(7, CIRCLE)),
    "an enormous cycle": (
        rows("1 a 0", *(f"{i} b {i + 1}" for i in range(2, 3000)), "3000 b 2"),
        refused(2, f"{CIRCLE}: 2 → 3 → .* → 2;"),
    ),
    "500 roots": (rows(*(f"{i} a 0" for i in range(1, 501))), refused(2, "500 roots: .*, …")),
    "HEAD on a range": (rows("1-2 ab 0", "1 a 0", "2 b 1"), refused(1, "HEAD '0' on '1-2'")),
    "HEAD on an empty node": (rows("1 a 0", "1.1 e 1"), refused(2, "HEAD '1' on '1.1'")),
    "crossing arcs": (rows("1 a 3", "2 b 4", "3 c 0", "4 d 3"), read(1, 4, (3, 4, 0, 3))),
    "root that is not DEPREL's": (
        block(line(1, "a", 2, deprel="root"), line(2, "b", 0)),
        read(1, 2),
    ),
    "a root of another DEPREL": (one(deprel="nsubj"), read(1, 1)),
    "DEPREL that is none": (one(deprel="?!:::\xa0"), read(1, 1)),
    "DEPREL of two words": (one(deprel="a b"), read(1, 1)),
}

# A word of these stands in 20 of its kind, of which one `_` is no cause to warn.
MANY = tuple(f"{i} w {i - 1}" for i in range(2, 20))
FORMS = {
    "text withheld": (
        rows("1 _ 2", "2 _ 0") * 3,
        warned(3, 6, "6 of 6 words.*`_`|`_`.*6 of 6 words"),
    ),
    "text withheld, with lemmas": (one("_", lemma="a"), warned(1, 1, "`_`")),
    "text withheld from one of two sentences": (
        rows("1 _ 2", "2 _ 0") + DOG,
        warned(2, 5, "2 of 5 words.*`_`|`_`.*2 of 5 words"),
    ),
    "text withheld, without heads": (rows("1 _", "2 _"), warned(1, 2, "`_`")),
    "text withheld, not from ranges": (rows("1-2 ab", "1 _ 0", "2 _ 1"), warned(1, 2, "`_`")),
    "one form of 20 is `_`": (rows("1 _ 0", *MANY, "20 w 1"), read(1, 20)),
    "two forms of 20 are `_`": (
        rows("1 _ 0", *MANY, "20 _ 1"),
        warned(1, 20, "2 of 20 words.*`_`|`_`.*2 of 20 words"),
    ),
    "forms of empty nodes are `_`": (rows("1 a 0", "1.1 _", "1.2 _"), read(1, 1)),
    "forms of ranges are `_`": (rows("1-2 _", "1 a 0", "2 b 1"), read(1, 2)),
    "two underscores": (one("__"), read(1, 1)),
    "a blank within": (one("a b"), read(1, 1)),
    "two blanks within": (one("a  b"), read(1, 1)),
    "a blank alone": (one(" "), read(1, 1)),
    "a no-break space": (one("10\xa0000"), read(1, 1)),
    "a no-break space alone": (one("\xa0"), read(1, 1)),
    "an ideographic space alone": (one("\u3000"), read(1, 1)),
    "a zero-width space alone": (one("\u200b"), read(1, 1)),
    "a family of joiners": (one("\U0001f468\u200d\U0001f469\u200d\U0001f467"), read(1, 1)),
    "right to left": (one("\u05e9\u05dc\u05d5\u05dd"), read(1, 1)),
    "an override of direction": (one("a\u202eb\u2066c"), read(1, 1)),
    "a combining mark alone": (one("\u0301"), read(1, 1)),
    "composed and decomposed": (rows("1 \xe9 0", "2 e\u0301 1"), read(1, 2)),
    "a soft hyphen alone": (one("\xad"), read(1, 1)),
    "tags and selectors": (one("\U0001f3f4\U000e0067\U000e007f\ufe0f"), read(1, 1)),
    "10,000 characters": (one("a" * 10_000), read(1, 1)),
    "10,000 marks on one letter": (one("a" + "\u0301" * 10_000), read(1, 1)),
    "a number sign": (one("#"), read(1, 1)),
    "markup": (one("<script>alert(1)</script>&amp;"), read(1, 1)),
    "a formula": (one("=cmd|'/c calc'!A0"), read(1, 1)),
    "None, nan and null": (rows("1 None 0", "2 nan 1", "3 null 1"), read(1, 3)),
}

OTHER_COLUMNS = {
    "FEATS malformed": (one(feats="A|=|B=|=C||"), read(1, 1)),
    "FEATS twice": (one(feats="Case=Nom|Case=Acc"), read(1, 1)),
    "MISC malformed": (one(misc="|=|SpaceAfter|"), read(1, 1)),
    "SpaceAfter yes and no": (one(misc="SpaceAfter=No|SpaceAfter=Yes"), read(1, 1)),
    "SpaceAfter in small letters": (one(misc="spaceafter=no"), read(1, 1)),
    "SpacesAfter escaped": (one(misc=r"SpacesAfter=\s\n\t\u2028"), read(1, 1)),
    "MISC of blanks": (one(misc="   "), read(1, 1)),
    "DEPS malformed": (one(deps="7:x|:|0.1:|a"), read(1, 1)),
    "DEPS of a cycle": (
        block(line(1, "a", 0, deps="2:x"), line(2, "b", 1, deps="1:y")),
        read(1, 2),
    ),
    "UPOS that is none": (one(upos="NN$"), read(1, 1)),
    "UPOS in small letters": (one(upos="noun"), read(1, 1)),
    "100,000 features": (one(feats="|".join(f"A{i}=B" for i in range(100_000))), read(1, 1)),
}

COMMENTS = {
    "behind words": (rows("1 a 0", "2 b 1")[:-1] + "# c\n\n", read(1, 2)),
    "between words": (rows("1 a 0")[:-1] + "# c\n" + rows("2 b 1"), read(1, 2)),
    "a number sign alone": ("#\n##\n###\n" + DOG, read(1, 3)),
    "without a blank": ("#sent_id=x\n" + dog(), read(1, 3)),
    "a blank in front": (" # c\n" + DOG, refused(1, "1 column instead of ten: ' # c'")),
    "a word commented out": ("#1\ta\t" + NINE + "\n" + dog(), read(1, 3)),
    "a tab within": ("# text = a\tb\n" + dog(), read(1, 3)),
    "sent_id for two sentences": (DOG + DOG, read(2, 6)),
    "sent_id twice in one sentence": ("# sent_id = a\n# sent_id = b\n" + dog(), read(1, 3)),
    "sent_id of nothing": ("# sent_id =\n" + dog(), read(1, 3)),
    "sent_id without =": ("# sent_id\n" + dog(), read(1, 3)),
    "sent_id of blanks": ("# sent_id = a  b c \n" + dog(), read(1, 3)),
    "sent_id of 10,000 characters": (dog("x" * 10_000), read(1, 3)),
    "sent_id of control characters": (dog("a\x1b[31m\x07\x00".replace("\0", "")), read(1, 3)),
    "a fault under a sent_id of control characters": (
        "# sent_id = a\x1b[31m\u2028b\n" + rows("1 a 7"),
        refused(2, r"sent_id 'a\\x1b\[31m\\u2028b': HEAD '7'"),
    ),
    "text that is not the words": ("# text = something else\n" + dog(), read(1, 3)),
    "text twice": ("# text = a\n# text = b\n" + dog(), read(1, 3)),
    "newdoc alone": ("# newdoc id = a\n\n" + DOG, read(1, 3)),
    "newpar behind the last": (DOG + "# newpar\n", read(1, 3)),
    "keys that are objects": ("# __class__ = x\n# {0} = %s\n" + dog(), read(1, 3)),
    "a megabyte": ("# " + "x" * 1_000_000 + "\n" + dog(), read(1, 3)),
    "10,000 of them": ("# a = b\n" * 10_000 + dog(), read(1, 3)),
}

SIZES = {
    "a chain of 5,000 words": (rows(*(f"{i + 1} w {i}" for i in CHAIN)), read(1, 5000, CHAIN)),
    "a star of 5,000 words": (
        rows("1 a 0", *(f"{i} w 1" for i in range(2, 5001))),
        read(1, 5000),
    ),
    "5,000 words without heads": (rows(*(f"{i + 1} w" for i in CHAIN)), read(1, 5000)),
    "a range of 1,000 words": (
        rows("1-1000 w", *(f"{i + 1} w {i}" for i in range(1000))),
        read(1, 1000),
    ),
    "1,000 empty nodes": (rows("1 a 0", *(f"1.{i} e" for i in range(1, 1001))), read(1, 1)),
    "1,000 sentences of one word": (one() * 1000, read(1000, 1000)),
    "a fault in the last of 1,000": (one() * 999 + rows("1 a 7"), refused(1999, "HEAD '7'")),
    "10,000 columns": ("1" + "\t_" * 9999, refused(1, "10,?000 columns instead of ten")),
}

GROUPS = {
    "encoding": ENCODINGS,
    "line ends": LINE_ENDS,
    "nothing": NOTHING,
    "columns": COLUMN_FAULTS,
    "relatives": RELATIVES,
    "archive": ARCHIVES,
    "IDs": IDS,
    "heads": HEADS,
    "forms": FORMS,
    "other columns": OTHER_COLUMNS,
    "comments": COMMENTS,
    "sizes": SIZES,
}

FILES: dict[str, tuple[bytes, Expected]] = {
    f"{group}: {name if len(name) < 60 else name[:20] + '…'}": (
        content if isinstance(content, bytes) else content.encode(),
        expected,
    )
    for group, table in GROUPS.items()
    for name, (content, expected) in table.items()
}
