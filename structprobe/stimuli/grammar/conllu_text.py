"""Writing a drawn sentence as CoNLL-U."""

from __future__ import annotations

from structprobe.stimuli.grammar.morphology import article
from structprobe.stimuli.grammar.words import Word


def finish(words: list[Word]) -> list[Word]:
    """Mend what only the neighbours decide: *a* or *an*, double commas, the first capital."""
    kept: list[Word] = []
    for word, following in zip(words, [*words[1:], None], strict=True):
        # a comma before another mark, or at the very beginning, says nothing
        if word.form == "," and (not kept or following is None or following.upos == "PUNCT"):
            continue
        if word.lemma == "a" and following is not None:
            word.form = article(following.form)
        kept.append(word)
    kept[0].form = kept[0].form[0].upper() + kept[0].form[1:]
    return kept


def text_of(words: list[Word]) -> str:
    """Give the sentence as it is read."""
    return "".join((" " if not word.join and place else "") + word.form
                   for place, word in enumerate(words))  # fmt: skip


def block(words: list[Word], sent_id: str) -> str:
    """Give the CoNLL-U block of a finished sentence, its blank line included."""
    place = {id(word): number for number, word in enumerate(words, start=1)}
    lines = [f"# sent_id = {sent_id}", f"# text = {text_of(words)}"]
    for number, word in enumerate(words, start=1):
        following = words[number : number + 1]
        opens = bool(following) and following[0].join == "token"
        if opens and word.join != "token":
            lines.append(_range(words, number))
        glued = bool(following) and following[0].join == "bare" and word.join != "token"
        head = 0 if word.head is None else place[id(word.head)]
        lines.append("\t".join([
            str(number), word.form, word.lemma, word.upos, word.xpos, word.feats, str(head),
            word.deprel, "_", "SpaceAfter=No" if glued else "_",
        ]))  # fmt: skip
    return "\n".join(lines) + "\n\n"


def _range(words: list[Word], first: int) -> str:
    """Give the line of the token that begins with a word."""
    last = first
    while last < len(words) and words[last].join == "token":
        last += 1
    form = "".join(word.form for word in words[first - 1 : last])
    glued = last < len(words) and words[last].join == "bare"
    misc = "SpaceAfter=No" if glued else "_"
    return "\t".join([f"{first}-{last}", form, *["_"] * 7, misc])
