"""The examples in the docstrings say what comes out."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["bank", "checks", "text"])
def test_examples(name):
    module = importlib.import_module(f"structprobe.treebank.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
