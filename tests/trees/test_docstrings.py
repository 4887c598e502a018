"""The worked examples in the docstrings of the room are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import structprobe.trees

MODULES = [module.name for module in pkgutil.iter_modules(structprobe.trees.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    module = importlib.import_module(f"structprobe.trees.{name}")
    failed, tried = doctest.testmod(module)
    assert not failed
    assert tried or not any(hasattr(module, public) for public in structprobe.trees.__all__)
