"""The commands that wrote to a results folder, with versions."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from structprobe._version import __version__
from structprobe.errors import ResultError

COMMANDS = "commands.jsonl"
_PACKAGES = ("torch", "transformers", "numpy", "scipy", "scikit-learn")


def commands_with(folder: str | os.PathLike[str], command: str | None) -> str | None:
    """Return the content of the commands file with one more."""
    known = read_commands(folder)
    packages = {name: version(name) for name in _PACKAGES}
    versions = {"structprobe": __version__, "python": platform.python_version(), **packages}
    told = {"command": command, "versions": versions}
    if known and {name: known[-1].get(name) for name in told} == told:
        return None
    told["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in (*known, told))


def read_commands(folder: str | os.PathLike[str]) -> list[Mapping[str, Any]]:
    """Read the commands that wrote to a results folder."""
    path = Path(folder) / COMMANDS
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    except ValueError as error:
        raise ResultError(f"not JSON: {error}", where=str(path)) from error
    if not all(isinstance(line, dict) for line in lines):
        raise ResultError("not a list of commands", where=str(path), hint="remove it")
    return lines
