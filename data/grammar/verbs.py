"""The verbs by frame, with the classes of their subjects and objects and what modifies them.

Each line: the verb | classes of its subject | classes of its object | modifiers. The verb may
carry ``*`` (no progressive), ``-`` (no passive) and a particle (``pick_up``). A modifier is a
preposition with classes or ``@`` lists (``with tool``), one with ``!`` is never left out, and
``+quietly`` is an adverb. Attachment is decided here: what a verb takes hangs from the verb, what
`nouns.NOUN_PHRASES` gives hangs from the noun.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """A verb in one frame.

    Attributes
    ----------
    lemma, particle : str
        The verb, and its particle or nothing.
    frame : str
        One of the names in `TABLES`.
    subjects, objects : tuple of str
        Semantic classes.
    modifiers : tuple of str
        As in the tables.
    stative, passive : bool
        Whether it has no progressive; whether it has a passive.
    """

    lemma: str
    particle: str
    frame: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    modifiers: tuple[str, ...]
    stative: bool
    passive: bool


TABLES = {
    "intransitive": """
sleep | person animal | | in room, on furniture, under plant, +badly, +soundly
laugh | person | | at person, at idea, during event, +loudly
smile | person | | at person, +politely, +sadly
arrive | person vehicle | | at building, in @city, from @city, with relative, +late, +early
come | person | | from place, to event, with relative, +early
leave | person vehicle | | for @city, with relative, after event, +early
travel | person | | to @city, with relative, by vehicle0, through @country
work | person | | in building, for group, with person, +hard
wait | person animal | | for! vehicle, in room, +patiently
wait | person | | for! person, outside building, +patiently
live | person | | in! @city, with relative
live | animal | | in! place
bark | animal1 | | at person, behind building, +loudly
run | person animal | | across place, through place, towards building, +fast
walk | person animal | | along place, to building, across place, with relative, +slowly
swim | person animal | | in place1, across place1, +fast
fall | person thing | | from furniture, into place1
fall | plant | | across place, during event
disappear | person animal thing | | from building, from room, without trace1
complain | person | | about! food, to person, +bitterly
complain | person | | about! event, to group, +loudly
argue | person | | with! person, about plan, about money
talk | person | | to! person, about event, about idea
speak | person | | to! group, about plan, at event, +briefly
sing | person | | in building, at event, +beautifully
dance | person | | at event, with person, in place
smoke | person | | in room, outside building
agree | person group | | with! plan
agree | person | | with! idea
depend* | plan event | | on! group
belong* | building vehicle thing | | to! person
happen* | event | | in @city, during event
begin | event | | in room, with art, +late, +early
end | event | | in @city, with art, +late
stop | vehicle | | outside building, near place, +suddenly
break | device tool thing | | during event
stand | building plant | | near place, behind building, in place
hang | clothing art | | in room, on wall1
lie | animal | | on furniture, under furniture, in place
look | person | | at! art, through window1, +carefully
look | person | | for! thing, under furniture, in room
listen | person | | to! art, in room, with relative
vote | group | | for! plan
vote | group | | against! plan, after event
cry | person | | during event, in room, +quietly
grow | plant | | near building, in place, +slowly
bloom | plant | | in place
crash | vehicle | | into! building, during event
crash | vehicle | | near @city, in place
apply | person | | for! job, after event
resign | person | | from group, after event, +suddenly
escape | animal | | from building, into place
escape | person | | from building, through window1
succeed | plan | | without help1
fail | plan device | | without support1
cook | person | | for relative, in room, +well
sit | person | | on furniture, beside person, under plant
shine | device | | in room
graduate | person | | from group1
retire | person | | from group1, after event
hide | person animal | | under furniture, behind building, in container
""",
    "transitive": """
read | person | document | in room, to person, +carefully, +aloud
write | person | document | about place, to person, for group, with pen1
eat | person | food | with tool1, in room, with person, +slowly
eat | animal | food | in place, under furniture
drink | person | drink | from thing1, with person, in room
cook | person | food | for person, in room, with drink
cut | person | food | with tool1, on furniture, +carefully
open | person | container building | with thing2, for person, +slowly
close | person | building container | before event, +quietly
break | person | thing device | with tool, during event
repair | person | device vehicle building | with tool, for person, in building
paint | person | building furniture | with tool2, for person
paint | person | person animal | in place
build | person group | building furniture | with tool, near place, for person
buy | person | food thing clothing | for person, in place2, at building2
buy | person | vehicle device | from person, for relative, in place2
buy | group | building | from group, in @city
sell | person | vehicle thing clothing | to person, at event, in place2
steal | person | thing device vehicle | from building, from person, during event
find | person animal | thing clothing food | in container, under furniture, in place
lose | person | thing clothing money | in place, during event, on vehicle
carry | person | container thing furniture | to building, across place, for person
push | person | furniture vehicle | across room, into building, through door1
throw | person | thing | into place1, at animal, through window1
catch | person | animal | with tool3, in place
catch | animal | animal1 | in place
chase | animal person | animal | through place, across place
follow | person animal | person | through place, into building, +quietly
bite | animal1 | person | in body1
feed | person | animal | with food
wash | person | clothing vehicle | in place1, with drink1
see* | person | person animal vehicle | in place, with device1, near building, from window1
watch | person | film1 event | with relative, in room, at building3
watch | person | animal person | from window1, with device1
hear* | person | art | on device2, through window1
meet- | person | person | at event, in place, near building
visit | person | relative building @city | in @city2, with relative, during event
know* | person | person answer1 | from group1
love*- | person | relative art place food | 
hate*- | person | event food clothing | 
remember* | person | event person | 
admire* | person | art person building | 
like*- | person | idea art food clothing | 
help | person | person | with problem, after event
invite | person group | person | to event
thank | person | person | for thing, for info, after event
call | person | person | from building, during event
call_off | group person | event | 
arrest | police1 | person | in place, near building, after event
accuse | group | person | of crime1
criticise | person group | plan group | in document, at event, +sharply
reject | group | plan idea | after event, without debate1
accept | group person | plan idea money | after event, with relief1
discuss | group person | plan problem idea | with group, at event, in document
support | group person | plan group | at event, with money
announce | group | plan event | at event, in document
approve | group | plan | after event
cancel | group person | event | after event
organise | group person | event | for person, in building, in @city
attend | person | event | with relative, in @city
win | group person | money | at event
solve | person | problem | with device3, without help1, +quickly
cause | event device | problem | in place, for person
explain | person | problem idea plan | to person, at event, in document, +clearly
describe | document person | event place person | in detail1
mention | person document | event group | in document
damage | event | building vehicle plant | 
destroy | event | building place | 
delay | event problem | vehicle event | 
frighten*- | animal event | person animal | 
surprise*- | plan document | person group | 
please*- | plan art | person group | 
clean | person | room furniture clothing | with tool2, before event, +thoroughly
move | person | furniture container | into room, with person
put- | person | thing document | on! furniture
put- | person | clothing food | in! container
leave- | person | thing clothing | in! vehicle
hide | person | thing document | in! container, from person
keep- | person | document thing | in! container
drive | person | vehicle | to @city, through place, +carefully
ride- | person | horse1 bicycle1 | across place, to building
wear- | person | clothing | at event, to event
play | person | art device4 | at event, for person, +badly
sing | person | song1 | for person, at event, in building
record | person group | song1 event | with device, in room
photograph | person | animal building person | in place, with device5
plant | person | plant | behind building, in place
cut_down | person | plant | with tool4, behind building
pick_up | person | thing clothing container | from furniture, in place
turn_off | person | device | before event
throw_away | person | food clothing document | after event
look_up | person | answer1 | in document, on device2
fill_in | person | form1 | for person, with pen1
put_off | group person | event | 
take_off- | person | clothing | before event
bring_up | person | problem idea | at event
give_up | person | job plan | after event
hold | person | thing tool | in hand1
investigate | group police1 | problem event | in @city
examine | person | document body animal | with device5, +carefully
check | person | ticket1 document device | before event
publish | group | document | in @city
review | person | film1 document | for group
finish | person | document art | before event, in room
study | person | idea document art | at group1, in @city, with person
question | police1 group | person | about event, in building
guard | animal person | building | 
cross | person vehicle animal | place1 street1 | with relative, +slowly
pay | person group | money | to person, for help1
receive | person group | document money info | from group, from relative
need*- | person group | info money device | for event
have*- | person | animal vehicle problem | 
own*- | person group | building vehicle | in @city
""",
    "ditransitive": """
give | person group | document thing money food | person
send | person group | document thing money | person
show | person | document art building | person
offer | group person | job money food | person
lend | person | vehicle money clothing tool | relative
sell | person | vehicle building animal | person
bring | person | food drink clothing | person
tell- | person | story1 | person
teach | person | language1 | person
hand | person | document thing | person
promise | group person | money job | person
pay | group | money | person
write- | person | letter1 | relative
read | person | document | relative
""",
    "clausal": """
say* | person group
think* | person
believe* | person
know* | person
hope | person
claim | person group document
announce | group person
explain | person document
complain | person
admit | person group
suspect* | person
remember* | person
notice* | person
report | group person document
argue | person document
fear* | person group
deny | person group
hear* | person
forget | person
prove | person document
discover | person
predict | person group
insist | person
""",
    "interrogative": """
know* | person
ask | person group
wonder | person
forget | person
discover | person
remember* | person
explain | person
decide | group person
""",
    "subject control": """
want* | person group
try | person animal
decide* | person group
hope | person group
plan | person group
refuse* | person group
promise* | person group
need* | person group
agree* | person group
manage* | person animal
learn | person
offer | person
forget* | person
intend* | person group
threaten | person group
attempt | person
hesitate | person
""",
    "raising": """
seem* | person group
appear* | person group
tend* | person group
happen* | person
continue* | person group
begin* | person animal
start* | person animal
""",
    "object control": """
ask | person group | person group
persuade | person group | person group
order | person group | person
allow | person group | person
help | person | person
encourage | person group | person
force | person group | person group
invite | person group | person
teach | person | relative animal
warn | person group | person
advise | person | person group
tell | person | person
want*- | person | person group
expect* | person group | person group
remind | person | person
""",
    "object predicate": """
consider*- | person group | plan idea event art
find*- | person | document event art plan
call- | person group | plan idea
make- | problem event document | person
keep- | event | person
""",
    "linking": """
become | person event building place
look*- | person building animal food room
feel*- | person
remain* | place person building
sound*- | idea plan person
taste*- | food
get | person room
grow | person
""",
}

# Small classes of single verbs or nouns. A word with ~ stands here without an article.
OWN: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "place1": "river lake", "place2": "@city @country", "building2": "shop market station",
        "building3": "cinema theatre", "animal1": "dog cat fox puppy mouse", "tool1": "knife fork spoon",
        "tool2": "brush broom cloth", "tool3": "net rope trap", "tool4": "saw axe",
        "thing1": "cup bottle glass", "thing2": "key knife", "device1": "telescope camera",
        "device2": "radio computer television", "device3": "computer calculator",
        "device4": "piano guitar violin", "device5": "camera microscope", "drink1": "water~",
        "body1": "leg arm hand", "film1": "film play", "song1": "song tune", "story1": "story joke truth",
        "letter1": "letter postcard email", "language1": "history music chemistry grammar",
        "answer1": "answer address name", "form1": "form questionnaire", "ticket1": "ticket passport bill",
        "street1": "street bridge square", "horse1": "horse pony donkey", "bicycle1": "bicycle motorbike",
        "pen1": "pen pencil", "window1": "window", "door1": "door gate", "hand1": "hand",
        "wall1": "wall", "crime1": "theft~ fraud~ murder~", "police1": "detective inspector officer",
        "help1": "help~ assistance~", "support1": "support~ money~", "group1": "university college academy",
        "vehicle0": "train~ bus~ car~ boat~", "detail1": "detail~", "relief1": "relief~ pleasure~",
        "debate1": "discussion~", "ship": "ship boat ferry",
        "town": "town village", "trace1": "trace~", "mistake": "mistake error", "picture": "picture",
    }.items()
}  # fmt: skip
OWN["language1"] = tuple(word + "~" for word in OWN["language1"])


def _parse(frame: str, table: str) -> list[Verb]:
    """Read the lines of one table."""
    verbs = []
    for line in table.strip().splitlines():
        name, subjects, objects, modifiers = [
            part.strip() for part in (line + " | | |").split("|")[:4]
        ]
        lemma, _, particle = name.rstrip("*-").partition("_")
        verbs.append(
            Verb(
                lemma, particle, frame, tuple(subjects.split()), tuple(objects.split()),
                tuple(part.strip() for part in modifiers.split(",") if part.strip()),
                "*" in name, "-" not in name and bool(objects),
            )
        )  # fmt: skip
    return verbs


VERBS: dict[str, list[Verb]] = {frame: _parse(frame, table) for frame, table in TABLES.items()}


def choose(frame: str, *, subject: str = "", obj: str = "", passive: bool = False) -> list[Verb]:
    """Give the verbs of a frame that take a subject and an object of the given classes.

    Parameters
    ----------
    frame : str
        One of the names in `TABLES`.
    subject, obj : str
        Semantic classes; empty where any will do.
    passive : bool
        Whether only verbs with a passive are wanted.
    """
    return [
        verb
        for verb in VERBS[frame]
        if (not subject or subject in verb.subjects)
        and (not obj or obj in verb.objects)
        and (verb.passive or not passive)
    ]
