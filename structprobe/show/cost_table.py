"""The costs of a sweep as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structprobe.errors import counted


def format_plan(plan: Mapping[str, Any]) -> str:
    """Write a plan for people."""
    memory = _memory_lines(plan["memory"]) if "memory" in plan else {}
    if "runs" not in plan:  # the model was not loaded
        lines = {"model": str(plan["model"]), **memory}
        return "\n".join(f"{name:<10}{told}" for name, told in lines.items())
    on_disk = f"{_size(plan['bytes_per_layer'])} per layer, {_size(plan['bytes_in_all'])} in total"
    streamed = f"about {_size(plan['bytes_streamed'])} at a time during training"
    kept = {"predictions": plan["bytes_kept"], "saved probes": plan["bytes_saved"]}
    parts = [f"{_size(count)} of {name}" for name, count in kept.items() if count]
    peak = plan["peak_bytes"]
    lines = {
        "model": f"{plan['model']} on {plan['train'] or 'sentences in memory'}",
        **memory,
        "runs": f"{plan['runs']:,}, {plan['runs_done']:,} already done",
        "disk": f"{on_disk}; {_free(plan['bytes_in_all'], plan['bytes_free'])}",
        "kept": f"about {', '.join(parts)}" if parts else "rows only",
        "temporary": f"{streamed}; {_free(plan['bytes_streamed'], plan['bytes_temporary'])}",
        "memory": f"{_size(peak)} peak per process" if peak else "unknown on this system",
        "encode": f"{tell_time(plan['encode_seconds'])}, {counted(plan['n_words'], 'word')}",
        "train": f"at most {tell_time(plan['train_seconds'])} without parallel jobs",
    }
    if not plan["bytes_streamed"]:
        del lines["temporary"]
    return "\n".join(f"{name:<10}{told}" for name, told in lines.items())


def _memory_lines(memory: Mapping[str, Any]) -> dict[str, str]:
    """Say what a model takes, and which ways to load it fit."""
    asked, free = memory["ways"][0], memory["bytes_available"]
    batch = "" if asked["batch"] is None else f", {_size(asked['batch'])} more for a batch"
    there = "" if free is None else f"; {_size(free)} free on {memory['device']}"
    lacking = "" if asked["fits"] is not False else "; NOT ENOUGH MEMORY"
    lines = {"weights": f"{_size(asked['weights'])} in {asked['way']}{batch}{there}{lacking}"}
    for name, fits in (("fits", True), ("too large", False)):
        told = [
            f"{one['way']} ({_size(one['weights'] + (one['batch'] or 0))}"
            f"{'' if one['installed'] else ', not installed'})"
            for one in memory["ways"]
            if one["fits"] is fits
        ]
        lines |= {name: "; ".join(told)} if told else {}
    if memory["bfloat16"] and "float32" in asked["way"]:
        lines["faster"] = "--dtype auto, which is bfloat16 on this hardware"
    return lines


def _free(needed: float, free: float) -> str:
    return f"{'' if needed <= free else 'NOT ENOUGH SPACE: '}{_size(free)} free"


def _size(count: float) -> str:
    """Write a number of bytes with the unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def tell_time(seconds: float) -> str:
    """Write a duration with the unit that suits it."""
    for unit, length in (("s", 60), ("min", 60), ("h", 48)):
        if seconds < length:
            return f"{seconds:.1f} {unit}"
        seconds /= 24 if unit == "h" else 60
    return f"{seconds:,.1f} days"
