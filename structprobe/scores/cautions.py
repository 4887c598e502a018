"""Warnings about scores that can be computed, but may not mean what they seem to.

Each check is one function, which returns a short text or None. Result rows list these texts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from structprobe.errors import counted
from structprobe.scores.protocol import PENN_PUNCTUATION, Protocol, kept_words

FEW = 30  # sentences, below which scores say little
MOST_IGNORED = 0.5  # of the words of a treebank that punctuation may be
PENN_SHARE = 0.01  # of the words of a treebank, above which Penn tags are no slip

# The tags of the Penn Treebank that are no UPOS; SYM is both.
_PENN_WORDS = (
    "CC CD DT EX FW IN JJ JJR JJS LS MD NN NNS NNP NNPS PDT POS PRP PRP$ RB RBR RBS RP TO UH VB "
    "VBD VBG VBN VBP VBZ WDT WP WP$ WRB"
)
_PENN = {*_PENN_WORDS.split(), *PENN_PUNCTUATION}

# By which part the dev loss has to fall in the second half of the training, and by how much it may
# be above its lowest at the end.
_FALL, _RISE = 0.025, 0.001


def cautions_of(parts: Mapping[str, Sequence[Any]], part: str, protocol: Protocol) -> list[str]:
    """Check the treebanks of a run by the names of their parts; scores are on `part`."""
    scored = parts[part]
    others = {name: bank for name, bank in parts.items() if name != part}
    found = [same_as_dev(parts), *shared(scored, part, others)]
    found += [punctuation(scored, part, protocol), penn_tags(scored, part), few(scored, part)]
    return [text for text in found if text]


def same_as_dev(parts: Mapping[str, Sequence[Any]]) -> str | None:
    """Check for a test set on which training was stopped and choices were made."""
    dev, test = parts.get("dev"), parts.get("test")
    if not dev or not test or _words(dev) != _words(test):
        return None
    return (
        "dev and test are the same sentences: the scores are on what stopped the training and "
        "made the choices"
    )


def same_as_train(part: str) -> str:
    """Tell that a method is scored on what it was fitted on."""
    return f"{part} is the treebank that the probe was fitted on: the scores are far too high"


def shared(scored: Sequence[Any], part: str, others: Mapping[str, Sequence[Any]]) -> list[str]:
    """Check for scored sentences that are also in another part, by their words."""
    found = []
    for name, bank in others.items():
        known = _words(bank)
        if name == "test" or (name == "dev" and known == _words(scored)):
            continue  # the latter is told by `same_as_dev`
        again = [one for one in scored if tuple(one.words) in known]
        if again:
            share = 100 * len(again) / len(scored)
            text = f"{len(again):,} of {counted(len(scored), 'sentence')} of {part} "
            text += f"({share:.1f}%) {'is' if len(again) == 1 else 'are'} also in {name}"
            found.append(f"{text}, such as {_shortened(' '.join(again[0].words))!r}")
    return found


def punctuation(scored: Sequence[Any], part: str, protocol: Protocol) -> str | None:
    """Check how many words the choice of punctuation ignores: none, or most of them."""
    if protocol.punct not in ("upos", "xpos"):
        return None
    kept = kept_words(scored, np.array([*map(len, scored)]), protocol)
    ignored, total = int((~kept).sum()), len(kept)
    told = f'punct="{protocol.punct}" ignores'
    if ignored > MOST_IGNORED * total:
        share = 100 * ignored / total
        return f"{told} {ignored:,} of {counted(total, 'word')} of {part} ({share:.1f}%)"
    if ignored:
        return None
    missing = "UPOS PUNCT" if protocol.punct == "upos" else "a Penn punctuation tag as XPOS"
    return f"{told} none of {counted(total, 'word')} of {part}: no word has {missing}"


def penn_tags(scored: Sequence[Any], part: str) -> str | None:
    """Check for Penn tags in the column of UPOS."""
    tags = Counter(tag for one in scored for tag in getattr(one, "upos", None) or ())
    wrong = [tag for tag, _ in tags.most_common() if tag in _PENN]
    share = sum(tags[tag] for tag in wrong) / max(1, tags.total())
    if share <= PENN_SHARE:
        return None
    return (
        f"the UPOS of {100 * share:.1f}% of the words of {part} are Penn tags "
        f"({', '.join(wrong[:3])}): they belong in the column XPOS"
    )


def few(scored: Sequence[Any], part: str) -> str | None:
    """Check for a treebank that is too small to say much."""
    if len(scored) >= FEW:
        return None
    return f"{part} has only {counted(len(scored), 'sentence')}: the scores are very uncertain"


def still_falling(evaluations: Sequence[Mapping[str, float]]) -> str | None:
    """Check the evaluations of a training run for a dev loss that fell until the end."""
    if not evaluations:
        return None
    last = evaluations[-1]
    before = [one["dev_loss"] for one in evaluations if 2 * one["step"] <= last["step"]]
    lowest = min(one["dev_loss"] for one in evaluations)
    if last["dev_loss"] > (1 + _RISE) * lowest or (before and lowest > (1 - _FALL) * min(before)):
        return None
    return (
        f"training ended after {counted(int(last['step']), 'step')} while the dev loss was still "
        "falling: with more steps (max_steps), the scores may be higher"
    )


def too_much_memory(memory_gb: float | None) -> str | None:
    """Check for more memory than the machine has."""
    there = machine_bytes()
    if memory_gb is None or there is None or memory_gb * 1e9 <= there:
        return None
    return (
        f"memory_gb is {memory_gb:g}, but this machine has {there / 1e9:.1f} GB: training may run "
        "out of memory"
    )


def machine_bytes() -> int | None:
    """Find the memory of the machine, or of the container that this process runs in."""
    found = []
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        limit = "max"
    return min([*found, *([int(limit)] if limit.isdigit() else [])], default=None)


def _words(bank: Iterable[Any]) -> set[tuple[str, ...]]:
    return {tuple(one.words) for one in bank}


def _shortened(text: str, width: int = 40) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
