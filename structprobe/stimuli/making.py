"""`make_stimuli`: sentences by condition, written and read as CoNLL-U."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any
from zlib import crc32

from structprobe.errors import StructprobeError, refuse_kind, unknown_name
from structprobe.stimuli.conditions import CONDITIONS
from structprobe.stimuli.grammar.conllu_text import block, finish, text_of
from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.phrases import Draft
from structprobe.stimuli.stimulus import Stimulus, value_text
from structprobe.treebank.bank import Treebank

_MOST_FAILURES = 1000  # items in a row that say what was said before


def make_stimuli(
    conditions: str | Iterable[str] = "all", n: int = 200, seed: int = 0
) -> list[Stimulus]:
    """Generate English sentences by condition, with gold trees and named words.

    A condition varies one property of a sentence and keeps the rest the same. Its sentences come in
    items: the sentences of an item share their content words as far as the condition allows. No
    sentence occurs twice in a condition. The same seed gives the same sentences on every platform.
    The sentences of a condition do not depend on which other conditions are given, and a larger `n`
    only adds sentences.

    - ``"distance"``: 0 to 12 words ``between`` subject and verb; all sentences of an item have the
      same words and the same tree, only the word order differs.
    - ``"nesting"``: clauses nested to a ``depth`` of 1 to 6, after the main verb (``embedding``
      ``"right"``) or between the main subject and verb (``"centre"``).
    - ``"attractors"``: 0 to 3 nouns between subject and verb, of the ``"same"`` ``number`` as the
      subject or the ``"other"``.
    - ``"agreement"``: a ``verb`` in its ``"grammatical"`` or ``"ungrammatical"`` form, after an
      ``attractor`` of the ``"same"`` or the ``"other"`` number as the subject.
    - ``"nonce"``: ``"real"`` ``words``, or ``"nonce"`` nouns and verbs in the same inflected forms.
    - ``"attachment"``: a prepositional phrase whose noun attaches it to the verb (``"high"``) or to
      the object (``"low"``).
    - ``"garden_path"``: *While the man hunted the deer ran*, ``"with"`` and ``"without"`` the
      ``comma`` that marks the end of the first clause.
    - ``"relatives"``: ``"subject"`` and ``"object"`` relative clauses.
    - ``"main_auxiliary"``: a relative clause after the object or the subject, so that the
      ``first_auxiliary`` is the ``"main"`` or the ``"inner"`` one.
    - ``"subject_noun"``: a ``phrase`` with another noun ``"behind subject"``, ``"behind object"``
      or ``"in front"``, or the noun as a ``"possessor"``; only in the first two is the first noun
      the subject.

    Parameters
    ----------
    conditions : str or iterable of str
        The names of conditions, or ``"all"``.
    n : int
        The number of sentences of each condition. The last item may be incomplete.
    seed : int
        Random seed.

    Returns
    -------
    list of Stimulus
        The stimuli, by condition, then by item.

    Raises
    ------
    StructprobeError
        If a condition is unknown, none is given, or one has fewer than `n` different sentences.
    """
    if isinstance(n, bool) or not isinstance(n, Integral) or n < 1:
        raise StructprobeError(f"n={n!r} sentences of each condition", hint="ask for at least 1")
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        refuse_kind("seed", seed, "an integer", StructprobeError)
    made = [pair for name in _names(conditions) for pair in _draw(name, n, seed)]
    bank = Treebank.from_text("".join(text for text, _ in made))
    return [
        Stimulus(sentence=sentence, **values)
        for sentence, (_, values) in zip(bank, made, strict=True)
    ]


def _names(conditions: str | Iterable[str]) -> list[str]:
    """List the conditions that are asked for."""
    if isinstance(conditions, str):
        names = [conditions]
    elif isinstance(conditions, Iterable):
        names = list(dict.fromkeys(conditions))
    else:
        refuse_kind("conditions", conditions, "a name or a list of names", StructprobeError)
    if not names:
        choices = ", ".join(map(repr, CONDITIONS))
        raise StructprobeError("no conditions", hint=f"give 'all', or some of {choices}")
    for name in names:
        if name not in (*CONDITIONS, "all"):
            raise StructprobeError(unknown_name("condition", name, [*CONDITIONS, "all"]))
    return list(CONDITIONS) if "all" in names else names


def _draw(name: str, n: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Draw the sentences of a condition: their blocks of CoNLL-U, and what names their words."""
    dice = Dice(crc32(f"{name} {seed}".encode()))
    seen: set[str] = set()
    item = failures = found = 0
    while found < n:
        drafts = CONDITIONS[name](dice)
        for draft in drafts:
            draft.words = finish(draft.words)
        texts = {text_of(draft.words).lower() for draft in drafts}
        if seen & texts or len(texts) < len(drafts):
            failures += 1
            if failures > _MOST_FAILURES:
                what = f"condition {name!r} has no {n:,} different sentences: {found:,} were found"
                raise StructprobeError(what, hint=f"ask for at most {found:,}")
            continue
        failures = 0
        seen |= texts
        item += 1
        for draft in drafts[: n - found]:
            found += 1
            yield _written(draft, name, item)


def _written(draft: Draft, condition: str, item: int) -> tuple[str, dict[str, Any]]:
    """Write a draft, and give the fields of its stimulus."""
    places = {id(word): place for place, word in enumerate(draft.words, 1)}
    fields = {
        "condition": condition,
        "values": draft.values,
        "words": {name: places[id(word)] for name, word in draft.named.items()},
        "pair": draft.pair,
        "item": item,
    }
    sent_id = f"{condition}-{item}-{value_text(draft.values).replace(' ', '')}"
    return block(draft.words, sent_id), fields
