"""Options in brackets after a method's name: ``attention-max[layer=3,head=9]``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from structprobe.errors import MethodError, unknown_name

_HINT = "use the form attention-max[layer=3,head=9]"
_KINDS = {
    int: "use an integer",
    float: "use a number with a decimal point",
    bool: "use True or False",
    str: "use a name",
}
_ONE = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")
_WRITTEN = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<options>[^\[\]]*)\])?")


def split_names(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read comma-separated names, with or without options in brackets."""
    if re.sub(r"[^\[\]]", "", text).replace("[]", ""):
        raise MethodError(f"unbalanced brackets in {text!r}", hint=_HINT)
    for written in filter(None, map(str.strip, _ONE.findall(text))):
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise MethodError(f"{written!r} is not a method", hint=_HINT)
        parts = (found["options"] or "").split(",") if found["options"] else []
        options = {}
        for part in parts:
            option, is_there, value = (piece.strip() for piece in part.partition("="))
            if not (option and is_there and value):
                raise MethodError(f"{part.strip()!r} in {written!r} is not an option", hint=_HINT)
            options[option] = _value(value)
        yield found["name"].strip(), options


def with_options(name: str, options: Mapping[str, Any], known: Mapping[str, type]) -> str:
    """Format a method's name with its options, which are checked."""
    for option, value in options.items():
        if not known:
            raise MethodError(f"the method {name!r} has no options, but {option!r} was given")
        if option not in known:
            raise MethodError(f"{name}: {unknown_name('option', option, known)}")
        if type(value) is not known[option]:
            raise MethodError(f"{name}: {option}={value!r}", hint=_KINDS[known[option]])
    told = ",".join(f"{option}={value}" for option, value in options.items())
    return f"{name}[{told}]" if told else name


def _value(text: str) -> Any:
    """Read a number, True or False; everything else is text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, bool | int | float) else text
