"""Short ways to write CoNLL-U in tests."""

from __future__ import annotations

from pathlib import Path


def line(number: object, form: str, head: object = "_", misc: str = "_", **columns: str) -> str:
    """One line of ten columns, without its ending."""
    cells = {"lemma": "_", "upos": "_", "xpos": "_", "feats": "_", "deprel": "_", "deps": "_"}
    cells |= columns
    before = [str(number), form, cells["lemma"], cells["upos"], cells["xpos"], cells["feats"]]
    return "\t".join([*before, str(head), cells["deprel"], cells["deps"], misc])


def block(*lines: str, sent_id: str | None = None) -> str:
    """A sentence: its name, its lines, an empty line."""
    name = [] if sent_id is None else [f"# sent_id = {sent_id}"]
    return "\n".join([*name, *lines, "", ""])


def dog(sent_id: str | None = None) -> str:
    """The sentence 'the dog barks', a tree."""
    rows = [line(1, "the", 2), line(2, "dog", 3), line(3, "barks", 0)]
    return block(*rows, sent_id=sent_id)


def cut(source: Path, target: Path, wanted: slice) -> None:
    """Write some sentences of a file into another, without the time that reading them takes."""
    sentences = source.read_text(encoding="utf-8").split("\n\n")[:-1]
    target.write_text("\n\n".join([*sentences[wanted], ""]), encoding="utf-8")
