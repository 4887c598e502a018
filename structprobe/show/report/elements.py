"""HTML elements made of names, attributes and text, all of it escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = frozenset({"meta", "input", "br", "link"})


class Markup(str):
    """Text that is markup already; only `element` and what reads our own files make it."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
"""Text to escape, `Markup`, several of them, or nothing."""


def element(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Make an element."""
    told = "".join(
        _attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items()
    )
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Put pieces one behind the other."""
    return Markup("".join(_child(child) for child in children))


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(child, quote=False)
    return join(*child)


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    return f" {key}" if value is True else f' {key}="{escape(str(value))}"'
