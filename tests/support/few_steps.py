"""All methods, those that train with few steps: where it does not matter how good they are."""

from __future__ import annotations

from structprobe.recoverers.methods import find_methods

STEPS = 20


def with_few_steps(name: str) -> str:
    """Give a method's name with the option of few steps, where it has one."""
    takes_steps = "max_steps" in find_methods()[name].cls.options
    return f"{name}[max_steps={STEPS}]" if takes_steps else name
