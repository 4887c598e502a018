"""The costs of a sweep as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def format_plan(plan: Mapping[str, Any]) -> str:
    """Write a plan for people.

    Parameters
    ----------
    plan : mapping
        As `structprobe.experiments.planning.plan_sweep` gives it.

    Returns
    -------
    str
        One line each: model and treebank, runs, disk, what is kept, memory, time.

    Examples
    --------
    >>> print(format_plan({"model": "bert", "train": "en.conllu", "runs": 7,
    ...     "runs_done": 2, "layers": 7, "n_words": 1000, "bytes_kept": 2.5e5, "bytes_saved": 1e6,
    ...     "bytes_per_layer": 1536000, "bytes_in_all": 10752000, "bytes_free": 5e6,
    ...     "peak_bytes": None, "encode_seconds": 90.0, "train_seconds": 7200.0}))
    model     bert on en.conllu
    runs      7, of which 2 are done
    disk      1.5 MB a layer, 10.8 MB in all; TOO MUCH: 5.0 MB are free
    kept      some 250.0 kB of predictions, 1.0 MB of probes
    memory    unknown on this system
    encode    1.5 min, 1,000 words
    train     at most 2.0 h, one run after another
    """
    fits = plan["bytes_in_all"] <= plan["bytes_free"]
    free = f"{'' if fits else 'TOO MUCH: '}{_size(plan['bytes_free'])} are free"
    on_disk = f"{_size(plan['bytes_per_layer'])} a layer, {_size(plan['bytes_in_all'])} in all"
    kept = {"predictions": plan["bytes_kept"], "probes": plan["bytes_saved"]}
    parts = [f"{_size(count)} of {name}" for name, count in kept.items() if count]
    peak = plan["peak_bytes"]
    memory = f"{_size(peak)} at the peak of a process" if peak else "unknown on this system"
    lines = {
        "model": f"{plan['model']} on {plan['train'] or 'sentences from no file'}",
        "runs": f"{plan['runs']:,}, of which {plan['runs_done']:,} are done",
        "disk": f"{on_disk}; {free}",
        "kept": f"some {', '.join(parts)}" if parts else "rows alone",
        "memory": memory,
        "encode": f"{_time(plan['encode_seconds'])}, {plan['n_words']:,} words",
        "train": f"at most {_time(plan['train_seconds'])}, one run after another",
    }
    return "\n".join(f"{name:<10}{told}" for name, told in lines.items())


def _size(count: float) -> str:
    """Write a number of bytes with the unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _time(seconds: float) -> str:
    """Write a duration with the unit that suits it."""
    for unit, length in (("s", 60), ("min", 60), ("h", 48)):
        if seconds < length:
            return f"{seconds:.1f} {unit}"
        seconds /= 24 if unit == "h" else 60
    return f"{seconds:,.1f} days"
