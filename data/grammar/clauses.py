"""Clauses: a subject, a verb in its frame, complements, modifiers, and clauses within them."""

from __future__ import annotations

from dataclasses import dataclass, field

from grammar import complements, copulas, relatives
from grammar.adverbials import adverbials, before_verb, time_expression
from grammar.noun_phrases import coordinated, noun_phrase, prepositional

from structprobe.stimuli.grammar.dice import Dice
from structprobe.stimuli.grammar.nouns import PEOPLE
from structprobe.stimuli.grammar.verb_groups import MODALS, VerbGroup, verb_group
from structprobe.stimuli.grammar.verbs import Verb, choose
from structprobe.stimuli.grammar.words import Phrase, Word, hang, mark

TENSES = {"past": 52, "pres": 13, "perf": 7, "pastperf": 4, "fut": 7, "modal": 8, "prog": 4,
          "pastprog": 4}  # fmt: skip
FRAMES = {"transitive": 50, "intransitive": 25, "ditransitive": 10, "copular": 8, "passive": 10,
          "subject control": 5}  # fmt: skip

# Verbs out of whose clause an object may be fronted: *what did she say that he bought*.
BRIDGES = ("say", "think", "believe", "claim", "suspect", "know")


@dataclass
class Gap:
    """A word that stands elsewhere and is the object of a clause's verb, and its class."""

    word: Word
    kind: str


@dataclass
class Clause:
    """A clause in the pieces that its word order moves about.

    Attributes
    ----------
    head : Word
        The predicate.
    subject : Phrase or None
        The subject; None in infinitives and imperatives.
    finite, rest : list of Word
        The finite auxiliary with its negation; other auxiliaries and the adverb before the verb.
    predicate : list of Word
        The verb and all behind it.
    late : list of Word
        What is extraposed to the end.
    tense : str
        A key of `verb_groups.TENSES`.
    """

    head: Word
    subject: Phrase | None
    finite: list[Word]
    rest: list[Word]
    predicate: list[Word]
    tense: str
    late: list[Word] = field(default_factory=list)

    @property
    def words(self) -> list[Word]:
        """The words in the order of a statement."""
        subject = self.subject.words if self.subject else []
        return [*subject, *self.finite, *self.rest, *self.predicate, *self.late]

    @property
    def question(self) -> list[Word]:
        """The words in the order of a question: the finite auxiliary first."""
        first, second = self.finite, []
        if len(self.finite) > 1 and not self.finite[1].join:
            first, second = self.finite[:1], self.finite[1:]
        subject = self.subject.words if self.subject else []
        return [*first, *subject, *second, *self.rest, *self.predicate, *self.late]


def argument(
    dice: Dice, kind: str, depth: int, *, nominative: bool = False, pronouns: bool = True
) -> Phrase:
    """Draw a noun phrase that may be coordinated or carry a relative or other clause."""
    if kind[0] != "@" and dice.chance((0.08, 0.05, 0.02, 0.0)[min(depth, 3)]):
        return coordinated(dice, kind, depth, nominative)
    phrase = noun_phrase(dice, kind, nominative=nominative, pronouns=pronouns, depth=depth)
    if dice.chance((0.15, 0.08, 0.02, 0.0)[min(depth, 3)]):
        relatives.modify(dice, phrase, depth)
    return phrase


def clause(
    dice: Dice,
    *,
    depth: int = 0,
    tense: str = "",
    frame: str = "",
    verb: Verb | None = None,
    subject: Phrase | None = None,
    gap: Gap | None = None,
    question: bool = False,
    negation: float = 0.12,
) -> Clause:
    """Draw a clause.

    Parameters
    ----------
    dice : Dice
        Where to draw from.
    depth : int
        How deep it lies in the sentence; the deeper, the plainer.
    tense, frame : str
        A tense of `TENSES` and a frame of verbs, or ``copular``, ``passive``; drawn if empty.
    verb : Verb or None
        A verb to use.
    subject : Phrase or None
        A subject to use; a relative pronoun carries the number and class of its antecedent.
    gap : Gap or None
        An object that stands elsewhere.
    question : bool
        Whether a finite auxiliary is needed.
    negation : float
        How often to negate.
    """
    tense = tense or dice.weighted(TENSES)
    frame = verb.frame if verb else frame or dice.weighted(FRAMES)
    kind = subject.kind if subject else ""
    kind = "person" if kind in PEOPLE else kind
    negative = ""
    if dice.chance(negation):
        negative = "n't" if dice.chance(0.6) else "not"
    if frame == "copular":
        return copulas.copular(dice, depth, tense, subject, kind, question, negative)
    if frame == "passive":
        verbs = choose("transitive", obj=kind, passive=True)
        if verbs:
            return passive(dice, dice.pick(verbs), depth, tense, subject, question, negative)
        frame = "transitive"
    if verb is None:
        verbs = choose(frame, subject=kind) or choose("intransitive", subject=kind)
        verb = dice.pick(verbs or choose("transitive", subject=kind))
    if verb.stative and tense in ("prog", "pastprog"):
        tense = "past" if tense == "pastprog" else "pres"
    if subject is None:
        subject = argument(dice, dice.pick(verb.subjects), depth, nominative=True)
    group = verb_group(
        verb.lemma, tense, subject.number, subject.person,
        negation=negative, question=question, modal=dice.pick(MODALS),
    )  # fmt: skip
    hang(subject, group.verb, "nsubj")
    after = complements.build(dice, verb, group.verb, tense, depth, subject, gap)
    after += adverbials(dice, verb, group.verb, depth)
    share = (0.28, 0.08, 0.04, 0.0)[min(depth, 3)]
    if tense == "pres" and not verb.stative and depth == 0:
        share = 0.7
    after += time_expression(dice, group.verb, tense, share)
    return _joined(dice, group, subject, after, tense, negative or question or verb.stative)


def passive(
    dice: Dice, verb: Verb, depth: int, tense: str, subject: Phrase | None, question: bool,
    negation: str,
) -> Clause:  # fmt: skip
    """Draw a passive clause of a transitive verb."""
    tense = {"prog": "fut", "pastprog": "past"}.get(tense, tense)
    objects = [kind for kind in verb.objects if kind[0] != "@"]
    subject = subject or argument(dice, dice.pick(objects), depth, nominative=True)
    group = verb_group(
        verb.lemma, tense, subject.number, subject.person,
        passive=True, negation=negation, question=question, modal=dice.pick(MODALS),
    )  # fmt: skip
    hang(subject, group.verb, "nsubj:pass")
    after = complements.particle(verb, group.verb)
    if dice.chance(0.45):
        agent = prepositional(dice, "by", dice.pick(verb.subjects), depth=depth + 1)
        after += hang(agent, group.verb, "obl:agent")
    after += adverbials(dice, verb, group.verb, depth + 1)
    after += time_expression(dice, group.verb, tense, 0.3 if depth == 0 else 0.1)
    return _joined(dice, group, subject, after, tense, negation or question)


def gapped(
    dice: Dice, gap: Gap, depth: int, *, tense: str = "", question: bool = False
) -> Clause | None:
    """Draw a clause whose object stands elsewhere; None if no verb fits.

    The object belongs to the clause's own verb, or to an infinitive or a clause below it, which
    makes the tree non-projective.
    """
    verbs = choose("transitive", subject="person", obj=gap.kind)
    if not verbs:
        return None
    route = dice.weighted({"own": 72, "subject control": 16, "clausal": 12})
    if route != "own":
        among = BRIDGES if route == "clausal" else ()
        verbs = choose(route, subject="person", among=among)
    subject = noun_phrase(dice, "person", nominative=True, depth=max(depth, 2))
    return clause(
        dice, verb=dice.pick(verbs), gap=gap, subject=subject, depth=depth, tense=tense,
        question=question, negation=0.04,
    )  # fmt: skip


def bare_verb(
    dice: Dice, kind: str, form: str, depth: int, *, gap: Gap | None = None,
    verb: Verb | None = None, among: tuple[str, ...] = (),
) -> Phrase:  # fmt: skip
    """Draw a verb without a subject: ``inf`` with *to*, ``ger`` or ``part`` in -ing.

    The understood subject has the class `kind`; `among` names the verbs that will do.
    """
    if verb is None:
        if gap:
            frames, obj, among = ["transitive"], gap.kind, ()
        else:
            frame = dice.weighted({"transitive": 60, "intransitive": 30, "ditransitive": 10})
            frames, obj = [frame, "transitive", "intransitive", "ditransitive"], ""
        found = (choose(frame, subject=kind, obj=obj, among=among) for frame in frames)
        verb = dice.pick(next(verbs for verbs in map(_active, found) if verbs))
    word = verb_group(verb.lemma, "inf" if form == "inf" else "ger").verb
    if form == "ger":
        word.feats = "VerbForm=Ger"
    after = complements.build(dice, verb, word, "pres", depth, None, gap)
    after += adverbials(dice, verb, word, depth)
    return Phrase(word, [*([mark(word, "to")] if form == "inf" else []), word, *after])


def _active(verbs: list[Verb]) -> list[Verb]:
    """Keep the verbs that somebody can decide to do."""
    return [verb for verb in verbs if not verb.stative]


def conjunct(dice: Dice, subject: Phrase, tense: str, depth: int) -> Phrase | None:
    """Draw a verb and its complements that shares the subject of another verb."""
    kind = "person" if subject.kind in PEOPLE else subject.kind
    verbs = choose(dice.pick(("transitive", "transitive", "intransitive")), subject=kind)
    if not verbs:
        return None
    verb = dice.pick(verbs)
    word = verb_group(verb.lemma, tense, subject.number, subject.person).verb
    after = complements.build(dice, verb, word, tense, depth, subject, None)
    return Phrase(word, [word, *after, *adverbials(dice, verb, word, depth)])


def _joined(
    dice: Dice, group: VerbGroup, subject: Phrase, after: list[Word], tense: str, plain: str | bool
) -> Clause:
    """Put the pieces of a clause together, with an adverb before the verb where not `plain`."""
    rest = [*group.rest]
    if not plain:
        rest[:0] = before_verb(dice, group.verb, tense)
    return Clause(group.verb, subject, group.finite, rest, [group.verb, *after], tense)
