"""The examples in the docstrings say what comes out."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["treebank.bank", "tree_faults", "treebank.text"])
def test_examples(name):
    module = importlib.import_module(f"structprobe.{name}")
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
