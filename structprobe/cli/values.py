"""From the text of an option to its value, or one line on what is wrong with it."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

Number = TypeVar("Number", int, int | None)


def _whole(text: str, least: int) -> int:
    if "," in text:
        raise argparse.ArgumentTypeError(f"{text!r} is a list; this command takes one value")
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


positive = partial(_whole, least=1)
seed = partial(_whole, least=0)


def several(one: Callable[[str], Number]) -> Callable[[str], list[Number]]:
    """Make the reader of a list of numbers separated by commas, as in ``32,128``."""

    def read(text: str) -> list[Number]:
        try:
            return [one(part.strip()) for part in text.split(",")]
        except argparse.ArgumentTypeError as error:
            hint = "write a list as 32,128" if "," not in text else f"in the list {text!r}"
            raise argparse.ArgumentTypeError(f"{error} ({hint})") from None

    return read


def names(text: str) -> list[str]:
    """Read names separated by commas."""
    found = [one.strip() for one in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty name; separate names by commas")
    return list(dict.fromkeys(found))


def sample(text: str) -> int | None:
    """Read a number of sentences, or ``all``."""
    return None if text == "all" else positive(text)


def layer(text: str) -> int:
    """Read the number of one layer."""
    if text == "all" or re.fullmatch(r"\d+(?:[,-]\d+)+", text):
        raise argparse.ArgumentTypeError(f"{text!r} names several layers; this command takes one")
    _refuse_no_layer(text, r"\d+", "a layer")
    return int(text)


def layers(text: str) -> str:
    """Check what names layers: ``all``, or such as ``0,8,16-24``."""
    if text != "all":
        for part in text.split(","):
            _refuse_no_layer(part.strip(), r"\d+(?:-\d+)?", "a layer or a range of layers")
    return text


def device_map(text: str) -> str | dict[str, Any]:
    """Read the name of a device map, or one written as JSON, such as ``{"": "cpu"}``."""
    return _object(text) if text.lstrip().startswith("{") else text


def max_memory(text: str) -> dict[int | str, Any]:
    """Read the memory of devices, such as ``{"0": "20GB", "cpu": "60GB"}``."""
    return {int(name) if name.isdecimal() else name: most for name, most in _object(text).items()}


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is not a JSON object, as in {{"cpu": "9GB"}}')
    return found


def port(text: str) -> int:
    """Read the number of a port, 0 to 65535."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give a number up to 65535")
    return int(text)


def above_zero(text: str) -> float:
    """Read a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def share(text: str) -> float:
    """Read a share, a number from 0 to 1."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share from 0 to 1")
    return number


def weight(text: str) -> float:
    """Read the weight of a penalty, a number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return number


def _refuse_no_layer(text: str, pattern: str, what: str) -> None:
    """Refuse what is no layer; a module's name tells which layer was meant."""
    if re.fullmatch(pattern, text):
        return
    hint = "0 is the embedding output, 1 the first layer"
    if module := re.search(r"[a-z]\.(\d+)(?:\.|$)", text):  # counted from 0: encoder.layer.3
        hint = f"the output of this module is layer {int(module[1]) + 1} (0 = embedding output)"
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}; {hint}")
