"""Small suites for tests: files as BLiMP and SyntaxGym write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_blimp(path: Path, pairs: Sequence[tuple[str, str]], term: str = "agreement") -> Path:
    """Write pairs as BLiMP does, under the name of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        {"sentence_good": good, "sentence_bad": bad, "linguistics_term": term, "UID": path.stem,
         "pairID": str(number), "simple_LM_method": True}
        for number, (good, bad) in enumerate(pairs)
    )  # fmt: skip
    path.write_text("".join(f"{json.dumps(one)}\n" for one in lines))
    return path


def suite_of(
    formulas: Sequence[str], *items: Mapping[str, Sequence[str]], name: str = "toy"
) -> dict[str, Any]:
    """Make the JSON of a suite: for each item, the regions of each condition."""
    return {
        "meta": {"name": name, "metric": "sum"},
        "region_meta": {},
        "predictions": [{"type": "formula", "formula": one} for one in formulas],
        "items": [
            {
                "item_number": number,
                "conditions": [
                    {
                        "condition_name": condition,
                        "regions": [
                            {"region_number": place, "content": text}
                            for place, text in enumerate(regions, 1)
                        ],
                    }
                    for condition, regions in item.items()
                ],
            }
            for number, item in enumerate(items, 1)
        ],
    }


def write_suite(path: Path, told: object) -> Path:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))
    return path
