"""Treebanks: bad and odd files, files cut short, and whatever else bytes can be."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from pathlib import Path
from time import monotonic

import hypothesis
import pytest
from faults.treebank_files import FILES, PENDING, Expected
from support.scorecard import Tally
from treebank.test_fuzz import BANKS, read_or_refuse

from structprobe.errors import TreebankError
from structprobe.treebank import Treebank

pytestmark = pytest.mark.fault_class("treebanks")


def pending(name: str) -> pytest.MarkDecorator | tuple[()]:
    """Expect a failure where the package is not yet as the table says."""
    return pytest.mark.xfail(reason=PENDING[name], strict=True) if name in PENDING else ()


def attempt(*sources: object, **options: str) -> Treebank | TreebankError:
    """Read a path, or bytes; any other exception than ours passes through."""
    try:
        if isinstance(sources[0], bytes):
            return Treebank.from_text(*sources, **options)
        return Treebank.read(*sources, **options)
    except TreebankError as error:
        return error


def assert_as_expected(found: Treebank | TreebankError, told: list[str], expected: Expected) -> None:
    """Hold what came of reading a file, and what was logged, to the table."""
    if not expected.sentences:
        assert isinstance(found, TreebankError), f"read as {found!r}"
        assert str(found).isprintable()
        assert found.line == expected.line or expected.line is None
        assert re.search(expected.says, str(found)), str(found)
        assert found.what[:1] and len(str(found)) < 500 + len(str(found.sent_id))
        return
    if isinstance(found, TreebankError):
        raise found
    assert (len(found), found.n_words) == (expected.sentences, expected.words)
    if expected.heads is not None:
        assert tuple(found[0].heads.tolist()) == expected.heads
    assert len(told) == (expected.says is not None), told
    assert all(re.search(expected.says, one) for one in told)


@pytest.mark.parametrize("name", [pytest.param(name, marks=pending(name)) for name in FILES])
def test_bad_and_odd_files(name, tmp_path, caplog):
    data, expected = FILES[name]
    path = tmp_path / "x.conllu"
    path.write_bytes(data)
    for source in (path, data):
        caplog.clear()
        found = attempt(source)
        assert_as_expected(found, caplog.messages, expected)
        if isinstance(found, Treebank):
            text = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            assert found.to_conllu().encode() == text
            found.write(tmp_path / "again.conllu.gz")
            assert Treebank.read(tmp_path / "again.conllu.gz") == found
        lenient = attempt(source, on_error="skip")
        if isinstance(found, Treebank):
            assert (lenient, lenient.skipped) == (found, ())
        elif isinstance(lenient, Treebank):
            assert str(lenient.skipped[0]) == str(found)
        else:
            assert str(found) in str(lenient)
