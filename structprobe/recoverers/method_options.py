"""Methods with options, as they are written: ``attention-max[layer=3,head=9]``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from structprobe.errors import MethodError, unknown_name

_HINT = "write it such as attention-max[layer=3,head=9]"
_KINDS = {
    int: "give a whole number",
    float: "give a number with a point",
    bool: "give True or False",
    str: "give a name",
}
_ONE = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")
_WRITTEN = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<options>[^\[\]]*)\])?")


def split_names(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read names parted by commas, each with or without options in brackets."""
    if re.sub(r"[^\[\]]", "", text).replace("[]", ""):
        raise MethodError(f"brackets do not match in {text!r}", hint=_HINT)
    for written in filter(None, map(str.strip, _ONE.findall(text))):
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise MethodError(f"{written!r} names no method", hint=_HINT)
        parts = (found["options"] or "").split(",") if found["options"] else []
        options = {}
        for part in parts:
            option, is_there, value = (piece.strip() for piece in part.partition("="))
            if not (option and is_there and value):
                raise MethodError(f"{part.strip()!r} in {written!r} is no option", hint=_HINT)
            options[option] = _value(value)
        yield found["name"].strip(), options


def with_options(name: str, options: Mapping[str, Any], known: Mapping[str, type]) -> str:
    """Write a method's name with its options, which must be among those that it takes."""
    for option, value in options.items():
        if not known:
            raise MethodError(f"the method {name!r} takes no options, but {option!r} was given")
        if option not in known:
            raise MethodError(f"{name}: {unknown_name('option', option, known)}")
        if type(value) is not known[option]:
            raise MethodError(f"{name}: {option}={value!r}", hint=_KINDS[known[option]])
    told = ",".join(f"{option}={value}" for option, value in options.items())
    return f"{name}[{told}]" if told else name


def _value(text: str) -> Any:
    """Read a number, True or False; all else is text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, bool | int | float) else text
