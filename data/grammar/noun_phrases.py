"""Noun phrases without clauses in them: determiners, adjectives, prepositional phrases, names."""

from __future__ import annotations

from structprobe.stimuli.grammar import modifiers, nouns
from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.words import (
    Phrase,
    Word,
    bare_noun,
    case,
    comma,
    conjunction,
    hang,
    leaf,
)

# nominative, accusative, genitive, lemma, number, person, features
PRONOUNS = (
    ("I", "me", "my", "I", "Sing", "1", "Number=Sing|Person=1"),
    ("you", "you", "your", "you", "Sing", "2", "Person=2"),
    ("he", "him", "his", "he", "Sing", "3", "Gender=Masc|Number=Sing|Person=3"),
    ("she", "her", "her", "she", "Sing", "3", "Gender=Fem|Number=Sing|Person=3"),
    ("we", "us", "our", "we", "Plur", "1", "Number=Plur|Person=1"),
    ("they", "them", "their", "they", "Plur", "3", "Number=Plur|Person=3"),
)
INDEFINITE = {
    "someone": "Ind", "somebody": "Ind", "everyone": "Tot", "everybody": "Tot", "nobody": "Neg",
}  # fmt: skip
DETERMINERS = {
    "the": "Definite=Def|PronType=Art", "a": "Definite=Ind|PronType=Art", "some": "PronType=Ind",
    "this": "Number=Sing|PronType=Dem", "that": "Number=Sing|PronType=Dem",
    "these": "Number=Plur|PronType=Dem", "those": "Number=Plur|PronType=Dem",
    "every": "PronType=Tot", "each": "PronType=Tot", "all": "PronType=Tot", "no": "PronType=Neg",
    "another": "PronType=Ind", "any": "PronType=Ind",
}  # fmt: skip
SINGULAR = {"the": 52, "a": 28, "poss": 9, "this": 3, "that": 2, "every": 2, "another": 2, "no": 1}
PLURAL = {"the": 50, "bare": 8, "poss": 9, "these": 4, "those": 2, "some": 6, "many": 4, "two": 8,
          "several": 4, "all": 2}  # fmt: skip
# Classes whose number does not play against that of the noun they hang from.
FIXED = ("event", "disaster", "place", "water", "room", "wall1", "garden1", "handle1", "group1")
INDEFINITES = ("a", "another", "bare", "some", "many", "two", "several")
MASS = {"the": 55, "bare": 15, "some": 20, "poss": 10}


def noun_phrase(
    dice: Dice,
    kind: str,
    *,
    number: str = "",
    nominative: bool = False,
    pronouns: bool = True,
    depth: int = 0,
    only: str = "",
) -> Phrase:
    """Draw a noun phrase of a semantic class.

    Parameters
    ----------
    dice : Dice
        Where to draw from.
    kind : str
        A class of `nouns.NOUNS` or of `nouns.OWN`, or ``@city``, ``@country``, ``@name``.
    number : str
        ``Sing`` or ``Plur`` where it matters.
    nominative : bool
        Whether pronouns are subjects.
    pronouns : bool
        Whether a pronoun or a name will do.
    depth : int
        How deep in the sentence the phrase lies; the deeper, the plainer.
    only : str
        ``definite`` to avoid the quantifiers, ``the`` for the article, ``indefinite`` to have
        nothing definite.
    """
    if kind.startswith("@"):
        return name(dice, kind)
    if pronouns and kind == "person" and not number:
        choice = dice.weighted({"pronoun": 22, "name": 20, "relative": 8, "some": 3, "noun": 47})
        if choice == "pronoun":
            return pronoun(dice, nominative)
        if choice == "name":
            return person_name(dice, depth)
        if choice == "some":
            return indefinite(dice, nominative)
        kind = "relative" if choice == "relative" else kind
    if pronouns and kind == "group" and not number and dice.chance(0.08):
        form = dice.pick(nouns.GROUPS)
        return _proper(form, "group")
    return common_noun(dice, kind, number=number, depth=depth, only=only)


def pronoun(dice: Dice, nominative: bool) -> Phrase:
    """Draw a personal pronoun."""
    subject, obj, _, lemma, number, person, feats = dice.pick(PRONOUNS)
    form, letter = (subject, "Nom") if nominative else (obj, "Acc")
    word = Word(form, lemma, "PRON", "PRP", f"Case={letter}|{feats}|PronType=Prs")
    return Phrase(word, [word], number, person, "pronoun")


def indefinite(dice: Dice, nominative: bool) -> Phrase:
    """Draw an indefinite pronoun; *nobody* as a subject only, where no negation is before it."""
    form = dice.pick([form for form in INDEFINITE if nominative or form != "nobody"])
    word = Word(form, form, "PRON", "NN", f"Number=Sing|PronType={INDEFINITE[form]}")
    return Phrase(word, [word], kind="person")


def name(dice: Dice, kind: str) -> Phrase:
    """Draw a name of a list: ``@city``, ``@country`` or ``@name``."""
    if kind == "@name":
        return person_name(dice, 1)
    return _proper(dice.pick(nouns.CITIES if kind == "@city" else nouns.COUNTRIES), kind)


def person_name(dice: Dice, depth: int) -> Phrase:
    """Draw a person's name, with a surname, a title or an apposition at times."""
    phrase = _proper(dice.pick(nouns.NAMES[dice.pick(("Fem", "Masc"))]), "name")
    head = phrase.head
    if dice.chance(0.35):
        surname = dice.pick(nouns.SURNAMES)
        phrase.words.append(Word(surname, surname, "PROPN", "NNP", "Number=Sing", head, "flat"))
        if depth == 0 and dice.chance(0.3):
            note = _with_role(dice, "person", "Sing", 1)
            phrase.words += [comma(note.head), *hang(note, head, "appos"), comma(note.head)]
    return phrase


def common_noun(
    dice: Dice, kind: str, *, number: str = "", depth: int = 0, only: str = ""
) -> Phrase:
    """Draw a phrase with a common noun as its head."""
    role = 0.22 if depth == 0 else 0.1
    if kind in nouns.ROLES and depth < 2 and not only and dice.chance(role):
        return _with_role(dice, kind, number, depth)
    lemma = dice.pick(nouns.NOUNS.get(kind) or nouns.OWN[kind])
    if lemma.startswith("@"):
        return name(dice, lemma)
    mass = lemma.endswith("~")
    phrase = bare_noun(lemma.rstrip("~"), kind, "Sing" if mass else number or _number(dice, kind))
    if mass and kind in nouns.OWN:
        return phrase
    _adorn(dice, phrase, depth)
    _determine(dice, phrase, mass, only, depth)
    if kind in nouns.NOUN_PHRASES and dice.chance((0.2, 0.09, 0.02, 0.0)[min(depth, 3)]):
        _attach_phrase(dice, phrase, dice.pick(nouns.NOUN_PHRASES[kind]), depth)
    return phrase


def prepositional(
    dice: Dice, form: str, kind: str, *, depth: int = 1, number: str = "", pronouns: bool = False
) -> Phrase:
    """Draw a prepositional phrase; its head is the noun."""
    if form == "between":
        number = "Plur"
    phrase = noun_phrase(dice, kind, depth=depth, number=number, pronouns=pronouns)
    phrase.words.insert(0, case(phrase.head, form))
    return phrase


def coordinated(dice: Dice, kind: str, depth: int, nominative: bool) -> Phrase:
    """Draw two or three noun phrases of a class joined by *and* or *or*."""
    only = "the" if dice.chance(0.65) else "indefinite"
    first = noun_phrase(dice, kind, pronouns=dice.chance(0.4), depth=depth + 1, only=only)
    if first.kind in ("pronoun", "@city") or first.words[-1].form == ",":
        return first
    others = [
        noun_phrase(dice, kind, pronouns=dice.chance(0.2), depth=depth + 1, only=only)
        for _ in range(1 + dice.chance(0.2))
    ]
    others = [other for other in others if other.kind != "pronoun"]
    if not others or any(o.head.lemma == first.head.lemma for o in others):
        return first
    join = "and" if dice.chance(0.85) else "or"
    for other in others:
        last = other is others[-1]
        first.words += [] if last else [comma(other.head)]
        first.words += [conjunction(other.head, join)] if last else []
        first.words += hang(other, first.head, "conj")
    first.number = "Plur" if join == "and" else others[-1].number
    return first


def possessive(dice: Dice, head: Word, number: str) -> list[Word]:
    """Draw a possessive pronoun, or a name or a noun in the genitive, of a number if it matters."""
    choice = dice.weighted({"pronoun": 70, "name": 15, "noun": 15})
    if choice == "pronoun":
        _, _, form, _, _, _, feats = dice.pick(PRONOUNS)
        feats = f"Case=Gen|{feats}|Poss=Yes|PronType=Prs"
        return [leaf(head, "nmod:poss", form, "PRON", "PRP$", feats)]
    if choice == "name":
        owner = person_name(dice, 1)
    else:
        number = number or dice.pick(("Sing", "Plur"))
        owner = bare_noun(dice.pick(nouns.NOUNS["person"]), "person", number)
        owner.words.insert(0, leaf(owner.head, "det", "the", "DET", "DT", DETERMINERS["the"]))
    ending = "'" if owner.words[-1].form.endswith("s") else "'s"
    mark = Word(ending, "'s", "PART", "POS", "_", owner.head, "case", "token")
    return [*hang(owner, head, "nmod:poss"), mark]


def _number(dice: Dice, kind: str) -> str:
    return "Plur" if dice.chance(nouns.PLURAL_SHARE.get(kind, 0.33)) else "Sing"


def _proper(form: str, kind: str) -> Phrase:
    word = Word(form, form, "PROPN", "NNP", "Number=Sing")
    return Phrase(word, [word], kind=kind)


def _adorn(dice: Dice, phrase: Phrase, depth: int) -> None:
    """Put a compound noun and adjectives before the head."""
    head, kind = phrase.head, phrase.kind
    if head.lemma in nouns.COMPOUNDS and dice.chance(0.3):
        form = dice.pick(nouns.COMPOUNDS[head.lemma])
        phrase.words.insert(0, leaf(head, "compound", form, "NOUN", "NN", "Number=Sing"))
    forms = nouns.ADJECTIVES.get(head.lemma) or nouns.ADJECTIVES.get(kind)
    if not forms or not dice.chance(0.3 if depth < 2 else 0.17):
        return
    adjective = _adjective(dice.pick(forms), head)
    front = [adjective]
    if adjective.xpos == "JJ" and adjective.form not in nouns.ABSOLUTE and dice.chance(0.12):
        front.insert(0, leaf(adjective, "advmod", dice.pick(("very", "rather")), "ADV", "RB"))
    elif kind not in ("body", "job", "relative") and dice.chance(0.08):
        other = _adjective(dice.pick(forms), head)
        opposed = {other.form, adjective.form} <= nouns.OPPOSED
        if other.form != adjective.form and not opposed and other.form not in nouns.ABSOLUTE:
            front[:0] = [other] if adjective.form in nouns.ABSOLUTE else [other, comma(adjective)]
    phrase.words[:0] = front


def _adjective(form: str, head: Word) -> Word:
    """Make an adjective before a noun."""
    lemma = {"older": "old", "younger": "young", "better": "good"}.get(form, form)
    tag, degree = ("JJ", "Pos") if lemma == form else ("JJR", "Cmp")
    return Word(form, lemma, "ADJ", tag, f"Degree={degree}", head, "amod")


def _determine(dice: Dice, phrase: Phrase, mass: bool, only: str, depth: int) -> None:
    """Put a determiner, a numeral or a possessor before the phrase."""
    table = MASS if mass else PLURAL if phrase.number == "Plur" else SINGULAR
    if only == "indefinite":
        table = {key: table[key] for key in table if key in INDEFINITES}
    choice = dice.weighted(table)
    if phrase.kind in ("relative", "body", "body1", "hand1"):
        choice = "poss"
    elif only == "the":
        choice = only
    elif (depth > 1 or only) and only != "indefinite":
        choice = choice if choice in ("the", "a", "poss") or (mass and choice == "bare") else "the"
    if choice == "no" and depth:
        choice = "the"
    head = phrase.head
    if choice == "bare":
        return
    if choice == "poss":
        phrase.words[:0] = possessive(dice, head, "Sing" if phrase.kind == "relative" else "")
        return
    if choice in ("many", "several"):
        word = leaf(head, "amod", choice, "ADJ", "JJ", "Degree=Pos")
        phrase.words.insert(0, word)
        return
    if choice == "two":
        form = dice.pick(modifiers.NUMBERS[:5])
        word = leaf(head, "nummod", form, "NUM", "CD", "NumForm=Word|NumType=Card")
        phrase.words.insert(0, word)
        if dice.chance(0.4):
            phrase.words.insert(0, leaf(head, "det", "the", "DET", "DT", DETERMINERS["the"]))
        return
    word = leaf(head, "det", choice, "DET", "DT", DETERMINERS[choice])
    word.lemma = {"these": "this", "those": "that"}.get(choice, choice)
    phrase.words.insert(0, word)


def _attach_phrase(dice: Dice, phrase: Phrase, pattern: str, depth: int) -> None:
    """Hang a prepositional phrase from the noun, often of the other number."""
    form, kind = pattern.split()
    number = ""
    if kind in ("clothing", "animal") and phrase.kind == "person":
        number = phrase.number
    elif kind[0] != "@" and kind not in FIXED and dice.chance(0.55):
        number = "Sing" if phrase.number == "Plur" else "Plur"
    if form == "of" and phrase.kind == "container":
        noun = bare_noun(dice.pick(nouns.NOUNS[kind]).rstrip("~"), kind, "Plur")
        noun.words.insert(0, case(noun.head, form))
    else:
        noun = prepositional(dice, form, kind, depth=max(depth + 1, 2), number=number)
    if noun.kind != "pronoun" and noun.head.lemma != phrase.head.lemma:
        phrase.words += hang(noun, phrase.head, "nmod")


def _with_role(dice: Dice, kind: str, number: str, depth: int) -> Phrase:
    """Draw a noun with the complement of its own, as in *the owners of the shop*."""
    lemma, of = dice.pick(nouns.ROLES[kind]).split()
    number = (
        "Sing" if lemma in nouns.SINGLE else number or ("Plur" if dice.chance(0.33) else "Sing")
    )
    phrase = bare_noun(lemma, kind, number)
    the = leaf(phrase.head, "det", "the", "DET", "DT", DETERMINERS["the"])
    phrase.words.insert(0, the)
    other = "Sing" if phrase.number == "Plur" else "Plur"
    number = other if of not in FIXED and dice.chance(0.5) else ""
    form = nouns.ROLE_PREPOSITIONS.get(lemma, "of")
    noun = prepositional(dice, form, of, depth=max(depth + 1, 2), number=number)
    phrase.words += hang(noun, phrase.head, "nmod")
    return phrase
