"""Small annotated treebanks over the words that the tiny models know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from support.tiny_checkpoints import WORDS

from structprobe.recoverers.random_tree import random_heads
from structprobe.treebank import Treebank


def tiny_bank(n: int = 12, seed: int = 0, longest: int = 7) -> Treebank:
    """Random sentences of 1 to `longest` words with random trees, full stops among the words."""
    return Treebank.from_text(tiny_text(n, seed, longest))


def labelled(bank: Treebank, names: str = "ab") -> Treebank:
    """Relations by the direction of the arc."""
    return Treebank(
        replace(one, deprels=tuple(
            "root" if head == 0 else names[int(head > i)] for i, head in enumerate(one.heads, 1)
        ))
        for one in bank
    )  # fmt: skip


def tiny_file(path: Path, n: int = 12, seed: int = 0) -> Treebank:
    """The same, read from a file."""
    path.write_text(tiny_text(n, seed))
    return Treebank.read(path)


def tiny_text(n: int = 12, seed: int = 0, longest: int = 7) -> str:
    """The same as CoNLL-U."""
    generator = np.random.default_rng(seed)
    blocks = []
    for number in range(n):
        length = 1 + (longest - 1 if number == 0 else int(generator.integers(longest)))
        heads = random_heads(length, generator)
        rows = [f"# sent_id = tiny-{number}"]
        for i, head in enumerate(heads, start=1):
            word = str(generator.choice([*WORDS, "."]))
            upos, deprel = "PUNCT" if word == "." else "X", "root" if head == 0 else "dep"
            rows.append(f"{i}\t{word}\t_\t{upos}\t_\t_\t{head}\t{deprel}\t_\t_")
        blocks.append("\n".join(rows) + "\n\n")
    return "".join(blocks)
