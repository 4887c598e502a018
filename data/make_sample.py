"""Draw the sample treebank from the grammar: ``python data/make_sample.py``.

The same seed gives the same files, byte for byte, on every platform.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from grammar.sentences import sentence

from structprobe.stimuli.grammar.conllu_text import block, finish, text_of
from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.listed import listed
from structprobe.stimuli.grammar.modifiers import MONTHS, SEASONS, SPANS, WEEKDAYS
from structprobe.stimuli.grammar.nouns import CITIES
from structprobe.stimuli.grammar.words import Word

SEED = 20240
PARTS = {"train": 2000, "dev": 300, "test": 300}
SHORTEST, LONGEST = 4, 30
TIMES = {*WEEKDAYS, *MONTHS, *SEASONS, *SPANS, "yesterday", "tomorrow", "now", "ago",
         "morning", "afternoon", "evening", "day", "hour"}  # fmt: skip
DENIALS = {"not", "never", "nobody", "no", "rarely", "seldom"}
ONCE = listed("about after at before behind by during for from near since when while with")
OPEN = {"NOUN", "VERB", "ADJ", "PROPN", "ADV", "NUM"}


def acceptable(words: list[Word]) -> bool:
    """Tell whether a drawn sentence has a fair length and no silly repetition.

    It may not repeat a content word or its stem, deny twice, name two times or two cities, or use
    the same preposition over and over.

    Parameters
    ----------
    words : list of Word
        The sentence in order.
    """
    if not SHORTEST <= len(words) <= LONGEST:
        return False
    stems = Counter(word.lemma[:5] for word in words if word.upos in OPEN)
    links = Counter(word.lemma for word in words if word.upos in ("ADP", "SCONJ"))
    denials = sum(word.lemma in DENIALS for word in words)
    cities = sum(word.form in CITIES for word in words)
    times = sum(
        word.lemma in TIMES and not (word.head and word.head.lemma == "ago") for word in words
    )
    times += sum(word.xpos == "CD" and word.form.isdigit() for word in words)
    rare = max((links[form] for form in ONCE), default=0)
    return max(stems.values()) == 1 and max(links.values(), default=0) <= 2 and (
        rare <= 1 and denials <= 1 and cities <= 1 and times <= 1
    )  # fmt: skip


def draw(seed: int = SEED) -> dict[str, str]:
    """Draw all parts; no two sentences of all of them have the same words.

    Parameters
    ----------
    seed : int
        The seed of the draws.

    Returns
    -------
    dict
        The text of each part's file.
    """
    dice, seen, texts = Dice(seed), set(), {}
    for part, size in PARTS.items():
        blocks: list[str] = []
        while len(blocks) < size:
            words = finish(sentence(dice).words)
            text = text_of(words)
            if text.lower() in seen or not acceptable(words):
                continue
            seen.add(text.lower())
            blocks.append(block(words, f"{part}-{len(blocks) + 1:04}"))
        texts[part] = "".join(blocks)
    return texts


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "sample",
                        help="the folder to write to (default: data/sample)")  # fmt: skip
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    for part, text in draw().items():
        (folder / f"{part}.conllu").write_bytes(text.encode())


if __name__ == "__main__":
    main()
