"""Adverbs, expressions of time, predicate adjectives, subordinators."""

from __future__ import annotations

SENTENCE_ADVERBS = """fortunately unfortunately surprisingly perhaps suddenly finally eventually
    clearly apparently obviously meanwhile nevertheless""".split()
FREQUENCY = {
    "pres": "often usually rarely sometimes always never still seldom".split(),
    "past": "often quickly finally never suddenly soon simply only secretly".split(),
    "perf": "already recently never finally just".split(),
    "pastperf": "already never recently secretly".split(),
    "fut": "probably certainly never soon definitely".split(),
    "modal": "probably certainly easily".split(),
    "prog": "still probably always".split(),
    "pastprog": "still already probably".split(),
}
ADVERB_FEATS = {
    "always": "PronType=Tot", "sometimes": "PronType=Ind", "never": "PronType=Neg",
    "now": "PronType=Dem", "then": "PronType=Dem", "here": "PronType=Dem", "there": "PronType=Dem",
}  # fmt: skip
DEGREE = "very quite rather extremely too really fairly".split()

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January March April June July September October December".split()
SEASONS = "spring summer autumn winter".split()
SPANS = "week month year".split()
LENGTHS = "hour day week month year".split()
NUMBERS = "two three four five six ten twenty".split()
# Which expressions of time go with which tense.
TIMES = {
    "past": "yesterday last part_of_day on_day in_month in_year ago after before during".split(),
    "pastperf": "on_day before in_month during".split(),
    "pres": "every in_season on_day during".split(),
    "fut": "tomorrow next on_day in_month after before".split(),
    "modal": "tomorrow next on_day after".split(),
    "perf": "for since".split(),
    "prog": "now part_of_day".split(),
    "pastprog": "yesterday during after part_of_day".split(),
}

# What can be said of a class by be, with degree adverbs.
PREDICATES: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "person": """happy tired angry nervous ill proud famous careful busy late hungry sad
            surprised worried rich poor shy honest patient""",
        "group": "powerful small cautious poor slow",
        "animal": "hungry tired wild nervous thirsty gentle",
        "food": "fresh cold salty delicious expensive ready",
        "document": "long boring interesting difficult short famous",
        "art": "beautiful famous strange sad long",
        "device": "broken old expensive noisy slow heavy",
        "thing": "heavy expensive beautiful old empty useless",
        "container": "heavy empty full light",
        "clothing": "dirty expensive wet new warm",
        "vehicle": "late slow old expensive full fast",
        "building": "empty old closed famous full beautiful",
        "room": "cold dark empty dirty quiet",
        "place": "quiet beautiful dangerous crowded empty peaceful",
        "event": "long boring important noisy successful short",
        "problem": "serious simple difficult common",
        "plan": "expensive secret foolish sensible popular unfair",
        "idea": "strange wrong popular simple brilliant",
        "plant": "tall old beautiful",
    }.items()
}
# Adjectives of persons with their complements: preposition and class, "to" or "that".
COMPLEMENTED = (
    "proud of relative", "afraid of animal", "afraid of group", "angry about plan",
    "interested in art", "interested in idea", "worried about event", "worried about relative",
    "responsible for event", "responsible for mistake", "tired of event", "famous for art",
    "able to", "ready to", "willing to", "likely to", "eager to", "unable to",
    "sure that", "certain that", "confident that", "aware that",
)  # fmt: skip
# "It is clear that ...", "It is important to ..."
CLEAR_THAT = "clear obvious likely possible strange surprising certain true unlikely".split()
GOOD_TO = "important difficult easy dangerous pleasant necessary impossible useful".split()

CAUSES = "because although since".split()
TIMES_WHEN = "when while before after until".split()
CONDITIONS = "if unless".split()
COLOURS = "red green blue white".split()
