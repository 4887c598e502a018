"""Adverbs, expressions of time, predicate adjectives, subordinators."""

from __future__ import annotations

from structprobe.stimuli.grammar.listed import listed

SENTENCE_ADVERBS = listed("fortunately unfortunately surprisingly apparently nevertheless")
STORY_ADVERBS = listed("suddenly finally eventually meanwhile later")
# What people do something for.
PURPOSES = tuple(
    listed("""buy see find help meet visit read watch catch repair sell wash feed cook discuss
        finish
    rescue photograph study thank write eat drink""")
)
FREQUENCY = {
    "pres": listed("often usually rarely sometimes always never still seldom"),
    "past": listed("often finally never soon once"),
    "perf": listed("already recently never finally just"),
    "pastperf": listed("already never recently often"),
    "fut": listed("probably certainly never soon definitely"),
    "modal": listed("probably certainly easily"),
    "prog": listed("still probably always"),
    "pastprog": listed("still already probably"),
}
ADVERB_FEATS = {
    "always": "PronType=Tot", "sometimes": "PronType=Ind", "never": "PronType=Neg",
    "once": "NumForm=Word|NumType=Mult",
}  # fmt: skip
DEGREE = listed("very quite rather extremely too really fairly")

WEEKDAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = listed("January March April June July September October December")
SEASONS = listed("spring summer autumn winter")
SPANS = listed("week month year")
LENGTHS = listed("hour day week month year")
NUMBERS = listed("two three four five six ten twenty")
# Which expressions of time go with which tense.
TIMES = {
    "past": listed("yesterday last part_of_day on_day in_month in_year ago after before during"),
    "pastperf": listed("on_day before in_month during"),
    "pres": listed("every every in_season on_days"),
    "fut": listed("tomorrow next on_day in_month after before"),
    "modal": listed("tomorrow next on_day after"),
    "perf": listed("for since"),
    "prog": listed("now part_of_day"),
    "pastprog": listed("yesterday during after part_of_day"),
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
        "picture": "beautiful famous strange modern",
        "music": "sad beautiful famous simple",
        "show": "long boring funny famous sad",
        "device": "broken old expensive noisy slow heavy",
        "thing": "heavy expensive beautiful old empty useless",
        "container": "heavy empty full light",
        "clothing": "dirty expensive wet new warm",
        "vehicle": "slow old expensive dirty fast",
        "transport": "late crowded full slow early",
        "home": "empty old beautiful small large",
        "building": "empty old closed famous full",
        "room": "cold dark empty dirty quiet",
        "place": "quiet beautiful crowded empty peaceful",
        "town": "quiet beautiful famous poor rich",
        "water": "deep cold dangerous wide",
        "event": "long boring important noisy successful short",
        "problem": "serious simple difficult common",
        "plan": "expensive secret foolish sensible popular unfair",
        "idea": "strange wrong popular simple brilliant",
        "plant": "tall old beautiful",
    }.items()
}
# What a person can become or be made.
STATES = listed("tired angry nervous ill hungry sad worried happy rich famous")
# Adjectives of persons with their complements: preposition and class, "to" or "that".
COMPLEMENTED = (
    "proud of relative", "afraid of animal", "afraid of group", "angry about plan",
    "interested in picture", "interested in idea", "worried about disaster",
    "worried about relative",
    "responsible for event", "responsible for problem", "tired of music", "famous for music",
    "able to", "ready to", "willing to", "likely to", "eager to", "unable to",
    "sure that", "certain that", "confident that", "aware that",
)  # fmt: skip
# "It is clear that ...", "It is important to ..."
CLEAR_THAT = listed("clear obvious likely possible strange surprising certain true unlikely")
GOOD_TO = listed("important difficult easy dangerous pleasant necessary impossible useful")

CAUSES = listed("because although since")
TIMES_WHEN = listed("when while before after")
CONDITIONS = listed("if unless")
