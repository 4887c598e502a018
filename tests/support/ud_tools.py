"""The official tools of Universal Dependencies, run as processes of their own."""

from __future__ import annotations

import os
import shutil

import pytest


def ud_tool(name: str) -> str:
    """The path of ``udvalidate`` or ``udeval`` (PyPI: udtools), or a skip that says what to do."""
    folder = os.environ.get("STRUCTPROBE_UDTOOLS")
    found = shutil.which(name, path=folder)
    if found is None:
        pytest.skip(f"no {name}; install udtools elsewhere, set STRUCTPROBE_UDTOOLS to its bin/")
    return found
