"""Control tasks: the same words with other trees, to see what a probe can learn without syntax.

After Hewitt & Liang 2019 (Designing and Interpreting Probes with Control Tasks), with whole trees
in place of labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import TreebankError, refuse_kind, unknown_name
from structprobe.tree_faults import tree_fault
from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence


def by_form(bank: Sequence[Sentence], seed: int = 0) -> Treebank:
    """Give each sentence a tree that depends only on the forms of its words.

    Every form, in lower case, has a random number. In each sentence, the words are ranked by their
    numbers (equal forms by their order in the sentence). The word of rank 1 is the root, and the
    word of rank k is attached to the word of rank k // 2. A form has the same number in all
    treebanks, so a probe can memorise the number of each form, but syntax is of no use. Case is
    ignored, since uncased models could not learn the task otherwise.

    Parameters
    ----------
    bank : sequence of Sentence
        The sentences, with or without heads.
    seed : int
        Random state of the numbers.

    Returns
    -------
    Treebank
        The same sentences with other heads; the relations are ``root`` and ``dep``.
    """
    return _heaps(bank, lambda sentence: [_number(seed, form.lower()) for form in sentence.words])


def by_position(bank: Sequence[Sentence], seed: int = 0) -> Treebank:
    """Give each sentence a tree that depends only on the positions of its words.

    As `by_form`, but the random numbers belong to the positions in a sentence instead of the forms.
    All sentences of the same length have the same tree.

    Parameters
    ----------
    bank, seed
        As for `by_form`.

    Returns
    -------
    Treebank
        As for `by_form`.
    """
    return _heaps(bank, lambda sentence: [_number(seed, i) for i in range(len(sentence))])


def permute_trees(bank: Sequence[Sentence], seed: int = 0) -> Treebank:
    """Permute the words at the nodes of each sentence's tree at random.

    Each sentence has its own random permutation, so there is nothing to learn. All permutations are
    equally likely, including the one that changes nothing. Relations stay with their nodes, tags
    with their words.

    Parameters
    ----------
    bank : sequence of Sentence
        The sentences, with heads.
    seed : int
        Random state.

    Returns
    -------
    Treebank
        The same sentences with other heads and relations.

    Raises
    ------
    TreebankError
        If a sentence has no heads, or they are not a tree.
    """
    generator = np.random.default_rng(seed)
    return Treebank(_permuted(one, generator.permutation(len(one))) for one in bank)


CONTROLS: Mapping[str, Callable[[Sequence[Sentence], int], Treebank]] = MappingProxyType(
    {"form": by_form, "position": by_position, "random": permute_trees}
)
"""The control tasks, called with a treebank and a seed, by their name in result rows."""


# The tasks of an orthogonal probe: distances and depths in gold trees, in the chain of the words,
# and in the trees of control tasks; and those of Limisiewicz and Mareček 2021, except lexical ones.
TASKS = tuple(map("-".join, product(("syntax", "linear", *CONTROLS), ("distance", "depth"))))
PAPER_TASKS = tuple(name for name in TASKS if not name.startswith(("form", "position")))


def choose_controls(names: str | Iterable[str]) -> tuple[str, ...]:
    """Read the names of control tasks, in a list or separated by commas, or "all"."""
    if not isinstance(names, Iterable):
        refuse_kind("controls", names, "a name or a list of names", TreebankError)
    given = [one.strip() for one in names.split(",")] if isinstance(names, str) else [*names]
    for name in given:
        if name not in (*CONTROLS, "all"):
            raise TreebankError(unknown_name("control task", name, [*CONTROLS, "all"]))
    return tuple(CONTROLS) if "all" in given else tuple(dict.fromkeys(given))


def with_controls(
    bank: Sequence[Sentence], controls: str | Iterable[str] = "all"
) -> dict[str, Sequence[Sentence]]:
    """Give the sentences with their own trees, and with those of control tasks.

    Parameters
    ----------
    bank : sequence of Sentence
        The sentences, with heads.
    controls : str or iterable of str, default="all"
        The control tasks: ``"form"``, ``"position"``, ``"random"``, or ``"all"``.

    Returns
    -------
    dict of sequence of Sentence
        The given sentences as ``"syntax"``, and those of each control task by its name, as an
        `OrthogonalProbe` is fitted to them.

    Raises
    ------
    TreebankError
        If a control task is unknown, or the heads of a sentence are not a tree.
    """
    return {"syntax": bank, **{name: CONTROLS[name](bank, 0) for name in choose_controls(controls)}}


def _number(seed: int, drawer: object) -> bytes:
    """Draw the number of a form or position, the same in every treebank and process."""
    told = f"{seed}\n{drawer}".encode(errors="surrogatepass")
    return hashlib.blake2b(told, digest_size=8).digest()


def _heaps(bank: Sequence[Sentence], numbers_of: Callable[[Sentence], Sequence[bytes]]) -> Treebank:
    """Attach the word of rank k to that of rank k // 2."""

    def changed(sentence: Sentence) -> Sentence:
        numbers = numbers_of(sentence)
        order = sorted(range(len(numbers)), key=lambda i: (numbers[i], i))
        heads = np.zeros(len(order), dtype=np.int32)
        for rank, i in enumerate(order, start=1):
            heads[i] = order[rank // 2 - 1] + 1 if rank > 1 else 0
        return _with_heads(sentence, heads, ["dep" if head else "root" for head in heads])

    return Treebank(map(changed, bank))


def _permuted(sentence: Sentence, place: NDArray[np.int64]) -> Sentence:
    """Put the word at ``place[i]`` (from 0) at the node of word i."""
    heads = sentence.heads
    if heads is None:
        raise TreebankError(
            f"{sentence.where}: no heads to permute", hint="use a treebank with trees"
        )
    if fault := tree_fault(heads.tolist()):
        what = f"{sentence.where}: the heads are not a tree: {fault.what}"
        raise TreebankError(what, hint=fault.hint)
    named = np.concatenate([[0], place + 1]).astype(np.int32)  # (n_words + 1,), of each old node
    found = np.empty_like(heads)
    found[place] = named[heads]
    node_of = np.argsort(place)
    deprels = None if sentence.deprels is None else [sentence.deprels[node] for node in node_of]
    return _with_heads(sentence, found, deprels)


def _with_heads(
    sentence: Sentence, heads: NDArray[np.int32], deprels: Sequence[str] | None
) -> Sentence:
    """Replace a tree; the raw lines no longer describe the sentence."""
    relations = None if deprels is None else tuple(deprels)
    return replace(sentence, heads=heads, deprels=relations, raw_lines=(), rows=())
