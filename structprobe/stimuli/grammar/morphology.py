"""Inflection of nouns and verbs."""

from __future__ import annotations

from structprobe.stimuli.grammar.listed import listed

PLURALS = dict(
    pair.split("/")
    for pair in listed("""
    child/children wife/wives knife/knives shelf/shelves wolf/wolves
    mouse/mice sheep/sheep potato/potatoes tomato/tomatoes
    crisis/crises hypothesis/hypotheses goose/geese scarf/scarves
    """)
)

# past and participle, where they are not made with -ed
IRREGULAR = {
    line.split()[0]: tuple(line.split()[1:])
    for line in """
    be was been
    become became become
    begin began begun
    bite bit bitten
    break broke broken
    bring brought brought
    build built built
    buy bought bought
    catch caught caught
    come came come
    cut cut cut
    do did done
    draw drew drawn
    drink drank drunk
    drive drove driven
    eat ate eaten
    fall fell fallen
    feed fed fed
    feel felt felt
    find found found
    forget forgot forgotten
    get got got
    give gave given
    grow grew grown
    hang hung hung
    have had had
    hear heard heard
    hide hid hidden
    hold held held
    keep kept kept
    know knew known
    lead led led
    leave left left
    lend lent lent
    lie lay lain
    lose lost lost
    make made made
    meet met met
    pay paid paid
    put put put
    read read read
    ride rode ridden
    run ran run
    say said said
    see saw seen
    sell sold sold
    send sent sent
    shine shone shone
    show showed shown
    sing sang sung
    sit sat sat
    sleep slept slept
    speak spoke spoken
    stand stood stood
    steal stole stolen
    swim swam swum
    take took taken
    teach taught taught
    tell told told
    think thought thought
    throw threw thrown
    wake woke woken
    wear wore worn
    win won won
    write wrote written
    """.strip().splitlines()
}

# verbs that double their last consonant
DOUBLING = set(
    listed("""
    admit begin cancel cut forget get plan put run sit stop swim travel win
    """)
)

FINITE = {"VBZ": "Pres", "VBP": "Pres", "VBD": "Past"}


def plural(lemma: str) -> str:
    """Give the plural of a noun."""
    if lemma in PLURALS:
        return PLURALS[lemma]
    if lemma.endswith("man"):
        return lemma[:-2] + "en"
    if lemma.endswith(("s", "x", "z", "ch", "sh")):
        return lemma + "es"
    if lemma.endswith("y") and lemma[-2] not in "aeiou":
        return lemma[:-1] + "ies"
    return lemma + "s"


def verb_form(lemma: str, tag: str, number: str = "Sing", person: str = "3") -> str:
    """Give the form of a verb that a Penn tag asks for."""
    if lemma == "be" and tag in FINITE:
        return _finite_be(tag, number, person)
    if tag in ("VB", "VBP", "MD"):
        return lemma
    if tag == "VBZ":
        return "has" if lemma == "have" else _third_person(lemma)
    if tag == "VBG":
        return _stem(lemma) + "ing"
    past = lemma + "d" if lemma.endswith("e") else _past_stem(lemma) + "ed"
    return IRREGULAR.get(lemma, (past, past))[tag == "VBN"]


def verb_feats(tag: str, number: str = "Sing", person: str = "3", voice: str = "") -> str:
    """Give the features of a verb form, as UD writes them."""
    if tag in FINITE:
        return f"Mood=Ind|Number={number}|Person={person}|Tense={FINITE[tag]}|VerbForm=Fin"
    passive = "|Voice=Pass" if voice else ""
    return {
        "VB": "VerbForm=Inf",
        "MD": "VerbForm=Fin",
        "VBN": f"Tense=Past|VerbForm=Part{passive}",
        "VBG": "Tense=Pres|VerbForm=Part",
    }[tag]


def article(following: str) -> str:
    """Give the indefinite article for the word that follows."""
    lower = following.lower()
    if lower.startswith(("hour", "honest", "honour")):
        return "an"
    if lower.startswith(("uni", "use", "usu", "europe", "one", "once")):
        return "a"
    return "an" if lower[0] in "aeiou" else "a"


def _finite_be(tag: str, number: str, person: str) -> str:
    if number == "Plur" or person == "2":
        return "were" if tag == "VBD" else "are"
    if tag == "VBD":
        return "was"
    return "am" if person == "1" else "is"


def _third_person(lemma: str) -> str:
    """Give the form with -s, which verbs make as nouns make their plural."""
    if lemma.endswith("o"):
        return lemma + "es"
    if lemma.endswith(("s", "x", "z", "ch", "sh")):
        return lemma + "es"
    if lemma.endswith("y") and lemma[-2] not in "aeiou":
        return lemma[:-1] + "ies"
    return lemma + "s"


def _stem(lemma: str) -> str:
    """Give what stands before -ing."""
    if lemma.endswith("ie"):
        return lemma[:-2] + "y"
    if lemma.endswith("e") and lemma != "be" and not lemma.endswith("ee"):
        return lemma[:-1]
    return lemma + lemma[-1] if lemma in DOUBLING else lemma


def _past_stem(lemma: str) -> str:
    """Give what stands before -ed."""
    if lemma.endswith("y") and lemma[-2] not in "aeiou":
        return lemma[:-1] + "i"
    return lemma + lemma[-1] if lemma in DOUBLING else lemma
