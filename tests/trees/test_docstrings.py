"""The worked examples in the docstrings of the room are there and true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import structprobe.trees
from structprobe.trees import gold, padding

MODULES = [module.name for module in pkgutil.iter_modules(structprobe.trees.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(f"structprobe.trees.{name}")).failed == 0


@pytest.mark.parametrize("name", structprobe.trees.__all__)
def test_examples_are_there(name):
    assert ">>>" in getattr(structprobe.trees, name).__doc__


@pytest.mark.parametrize(
    "helper",
    [
        gold.flat_depths,
        gold.flat_distances,
        gold.padded_tree_depths,
        gold.padded_tree_distances,
        padding.group_by_length,
        padding.pad,
    ],
)
def test_examples_of_helpers_are_there(helper):
    assert ">>>" in helper.__doc__
