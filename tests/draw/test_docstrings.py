"""The worked examples in the docstrings of the room are there and true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import structprobe.draw

MODULES = [module.name for module in pkgutil.iter_modules(structprobe.draw.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    assert doctest.testmod(importlib.import_module(f"structprobe.draw.{name}")).failed == 0


@pytest.mark.parametrize("name", structprobe.draw.__all__)
def test_examples_are_there(name):
    assert ">>>" in getattr(structprobe.draw, name).__doc__
