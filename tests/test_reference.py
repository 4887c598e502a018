"""The reference shows all that users may call, and that alone is described at length."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import structprobe

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "structprobe"
LISTED = re.findall(
    r"^   (\w\S+)$",
    (ROOT / "docs" / "reference" / "index.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)

# What numpydoc can find fault with that we do not ask of every docstring.
NOT_ASKED = {
    "ES01": "an extended summary: often there is no more to say",
    "EX01": "an example: the tutorial and the how-to pages have them",
    "SA01": "See Also: the summary table of the reference stands in for it",
    "PR04": "a type: several arguments that are 'as for `score`' share one line without it",
    "SS05": "an imperative: it takes 'Depths of ...' for a verb, and ruff's D401 asks for the same",
    "RT02": "a result without a name: one with a name is easier to speak of",
}

BLOCK = re.compile(r"^ *(Parameters|Returns|Yields|Raises|Attributes)\n *-{5,}$", re.MULTILINE)


@cache
def find(name: str) -> Any:
    """Give what the reference names, by its path below structprobe."""
    place: Any = structprobe
    for part in name.split("."):
        if not hasattr(place, part):
            importlib.import_module(f"{place.__name__}.{part}")
        place = getattr(place, part)
    return place


def members(cls: type) -> Iterator[str]:
    """Name the methods and properties that the page of a class shows."""
    for base in cls.__mro__:
        if not base.__module__.startswith("structprobe"):
            break
        for name, value in vars(base).items():
            kinds = property | classmethod | staticmethod
            if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds)):
                yield name


def shown(name: str) -> list[str]:
    """Name what the page of a listed name describes: itself, and the members of a class."""
    value = find(name)
    inside = sorted(set(members(value))) if isinstance(value, type) else []
    return [name, *(f"{name}.{member}" for member in inside)]


def home(value: Any) -> str:
    """Tell where something is defined, by module and name."""
    value = getattr(value, "fget", None) or inspect.unwrap(value)
    return f"{value.__module__}.{value.__qualname__}"


def rooms() -> list[str]:
    """Name the rooms and sub-rooms that have doors of their own."""
    paths = [path for path in PACKAGE.rglob("__init__.py") if "\n__all__" in path.read_text()]
    return [".".join(path.parent.relative_to(ROOT).parts) for path in sorted(paths)]


def test_nothing_is_listed_twice() -> None:
    homes = [home(find(name)) for name in LISTED]
    assert len(set(homes)) == len(homes)


@pytest.mark.parametrize("room", rooms())
def test_every_public_name_is_in_the_reference(room: str) -> None:
    module = importlib.import_module(room)
    listed = {home(find(name)) for name in LISTED}
    public = [name for name in module.__all__ if name != "__version__"]
    assert [name for name in public if home(getattr(module, name)) not in listed] == []


def test_every_error_and_every_method_is_in_the_reference() -> None:
    from structprobe import errors
    from structprobe.recoverers.methods import find_methods

    listed = {find(name) for name in LISTED if isinstance(find(name), type)}
    base = errors.StructprobeError
    family = {
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, base)
    }
    assert family - listed == set()
    assert {method.cls for method in find_methods().values()} - listed == set()


def undescribed(name: str) -> set[str]:
    """Name the arguments of a class that its docstring describes elsewhere than as parameters.

    The fields of a dataclass or named tuple are attributes, and what a class takes as its base
    does is described there.
    """
    from numpydoc.docscrape import NumpyDocString

    value = find(name)
    if not isinstance(value, type):
        return set()
    fields = is_dataclass(value) or issubclass(value, tuple)
    if "__init__" not in vars(value) and not fields:
        return set(inspect.signature(value).parameters)
    described = NumpyDocString(inspect.getdoc(value))["Attributes"] if fields else []
    return {part for one in described for part in one.name.split(", ")}


@pytest.mark.parametrize("name", LISTED)
def test_what_the_reference_shows_has_its_parts(name: str) -> None:
    numpydoc = pytest.importorskip("numpydoc.validate", reason="the extra docs is missing")
    faults = []
    for one in shown(name):
        if overrides(one):
            continue
        for code, told in numpydoc.validate(f"structprobe.{one}")["errors"]:
            missing = re.findall(r"'\*{0,2}(\w+)'", told) if code == "PR01" else ["this"]
            if code not in NOT_ASKED and set(missing) - undescribed(one):
                faults.append(f"{one}: {code} {told}")
        if raises(find(one)) and not re.search(r"^Raises\n-+$", doc_of(one), flags=re.MULTILINE):
            faults.append(f"{one}: what it raises is not told")
    assert not faults, "\n".join(faults)


def overrides(name: str) -> bool:
    """Tell whether a method of one line is one that a base, itself listed, describes at length."""
    cls, _, own = name.rpartition(".")
    if "\n" in doc_of(name) or not cls or not isinstance(find(cls), type):
        return False
    listed = {find(one) for one in LISTED if isinstance(find(one), type)}
    bases = (base for base in find(cls).__mro__[1:] if base in listed and own in vars(base))
    return any(BLOCK.search(inspect.getdoc(vars(base)[own]) or "") for base in bases)


def doc_of(name: str) -> str:
    return inspect.getdoc(find(name)) or ""


def raises(value: Any) -> bool:
    """Tell whether a function raises an error in its own lines."""
    value = getattr(value, "fget", None) or value
    value = value.__init__ if isinstance(value, type) else inspect.unwrap(value)
    if not inspect.isfunction(value) or not value.__module__.startswith("structprobe"):
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    except OSError:  # the `__init__` of a dataclass
        return False
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree))


def test_nothing_else_is_described_at_length() -> None:
    homes = {home(find(one)) for name in LISTED for one in shown(name)}
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        long += [
            f"{module}.{name}"
            for name, text in docstrings(ast.parse(path.read_text(encoding="utf-8")))
            if BLOCK.search(text) and f"{module}.{name}" not in homes
        ]
    assert not long, "\n".join(long)


def docstrings(tree: ast.AST, before: str = "") -> Iterator[tuple[str, str]]:
    """Give the name and docstring of every class and function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield before + node.name, ast.get_docstring(node) or ""
            yield from docstrings(node, f"{before}{node.name}.")
