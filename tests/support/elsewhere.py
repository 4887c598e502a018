"""Run Python in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def in_subprocess(script: str, **environment: str) -> tuple[str, str]:
    """Run Python lines elsewhere; give what they print and their stderr."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout.strip(), result.stderr
