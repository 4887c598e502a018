"""The verbs by frame, with the classes of their subjects and objects and what modifies them.

Each line: the verb | classes of its subject | classes of its object | modifiers. The verb may
carry ``*`` (no progressive), ``-`` (no passive) and a particle (``pick_up``). A modifier is a
preposition with classes or ``@`` lists (``with tool``), one with ``!`` is never left out, and
``+quietly`` is an adverb. Attachment is decided here: what a verb takes hangs from the verb, what
`nouns.NOUN_PHRASES` gives hangs from the noun.

Ditransitives have the class of the receiver in the last column. The verbs that take a clause, an
infinitive or a predicate are in `clause_verbs`.
"""

TABLES = {
    "intransitive": """
sleep | person animal | | in room, on furniture, under plant, +badly, +soundly
laugh | person | | at person, at idea, during event, +loudly
smile | person | | at person, +politely, +sadly
arrive | person transport | | at building, in @city, from @city, with relative, +late, +early
come | person | | from town, to event, with relative, +early
leave | person transport | | for @city, with relative, after event, +early
travel | person | | to @city, with relative, by vehicle0, through @country
work | person | | in building, for group, with relative, +hard
wait | person animal | | for! person, in room, outside building, +patiently
wait | person | | for! transport, in room, +patiently
live | person | | in! @city, with relative
live | person | | in! home, with relative, near water
bark | animal1 | | at person, behind home, +loudly
run | person animal | | across field1, through place, towards building, +fast
walk | person animal | | along water, to building, across field1, with relative, +slowly
swim | person animal | | in water, across water, +fast
fall | person thing | | from furniture, into water
fall | plant | | across street1, during disaster
disappear | person animal | | from home, without trace1, during event
disappear | thing document | | from container, without trace1, from room
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
depend* | plan | | on! event
belong* | home vehicle thing instrument | | to! person
happen* | event disaster | | in @city, near building
begin | event | | in room, with music, +late, +early
begin | show | | with music, +late
end | event show | | with music, +late, +early
stop | transport vehicle | | outside building, near water, +suddenly
break | device tool thing | | during event, in room
stand | building plant home | | near place, behind building, beside water
hang | picture | | in room, on wall1
hang | clothing | | in room, behind door1
lie | animal | | on furniture, under furniture, in place
lie | thing document clothing | | on furniture, under furniture, in container
look | person | | at! picture, through window1, +carefully
look | person animal | | for! thing, under furniture, in room
listen | person | | to! music, in room, with relative
vote | group | | for! plan, after event
vote | group | | against! plan, after event
cry | person | | during show, in room, +quietly
grow | plant | | near building, in place, +slowly
bloom | plant | | in place
crash | vehicle | | into! building, during disaster
crash | transport | | near @city, during disaster
apply | person | | for! job, after event
resign | person | | from group, after event, +suddenly
escape | animal | | from home, into place
escape | person | | from building, through window1
succeed | plan | | without help1
fail | plan | | without support1
cook | person | | for relative, in room, +well
sit | person | | on furniture, beside person, under plant
shine | device1 | | in room
graduate | person | | from group1
retire | person | | from group1, after event
hide | person animal | | under furniture, behind building, in room
""",
    "transitive": """
read | person | document | in room, to person, with pleasure1, +carefully, +aloud
write | person | document | about event, to relative, for group, with pen1
eat | person | food | with tool1, in room, with relative, +slowly
eat | animal | food | in place, under furniture
drink | person | drink | from thing1, with relative, in room
cook | person | food | for person, in room, with drink
cut | person | food | with tool1, on furniture, +carefully
open | person | container building | with thing2, for person, +slowly
close | person | building container | before event, +quietly
break | person | thing device | with tool, during event
repair | person | device vehicle home | with tool, for person, in place
paint | person | home furniture | with tool2, for person
paint | person | relative animal | in place
build | person | home furniture | with tool, near place, for relative
build | group | building | near place, in @city
buy | person | food thing clothing | for relative, at building2
buy | person | vehicle device instrument home | from person, for relative, in @country
buy | group | building | from group, in @city
sell | person | vehicle thing clothing home | to person, at event, in @city
steal | person | thing device vehicle picture | from building, from person, during event
find | person animal | thing clothing food | in container, under furniture, in place
lose | person | thing clothing money | in place, during event, on transport
carry | person | container thing furniture | to building, across street1, for person
push | person | furniture vehicle | across room, into building, through door1
throw | person | thing | into water, at animal, through window1
catch | person | animal | with tool3, in place
catch | animal | animal2 | in place
chase | animal person | animal | through place, across field1
follow | person animal | person | through place, into building, +quietly
bite | animal1 | person | in body1
feed | person | animal | with food
wash | person | clothing vehicle | in water, with drink1
see* | person | person animal vehicle | in place, with device2, near building, from window1
watch | person | show event | with relative, in room, on device3
watch | person | animal person | from window1, with device2
hear* | person | music | on device3, through window1
meet- | person | person | at event, in place, near building
visit | person | relative building @city | with relative, during event
know* | person | person answer1 | from group1
love*- | person | relative picture music place food |
hate*- | person | event food clothing |
remember* | person | event person |
admire* | person | picture person building |
like*- | person | idea show music food clothing |
help | person | person | with problem, after event
invite | person group | person | to event
thank | person | person | for thing, for info, after event
call | person | person | from building, during event
call_off | group person | event | after disaster
arrest | police1 | person | in place, near building, after event
accuse | group | person | of crime1
criticise | person group | plan group | in document, at event, +sharply
reject | group | plan idea | after event, without debate1
accept | group person | plan idea money | after event, with relief1
discuss | group person | plan problem idea | with group, at event
support | group person | plan group | at event, with money
announce | group | plan event | at event, in document
approve | group | plan | after event
cancel | group | event | after disaster
organise | group person | event | for person, in building, in @city
attend | person | event | with relative, in @city
win | group person | money contest | in @city
solve | person | problem | with device4, without help1, +quickly
cause | disaster device | problem | in town
explain | person | problem idea plan | to person, at event, +clearly
describe | document person | disaster person town | in detail1
mention | person document | event group | in passing1
damage | disaster | building vehicle plant home | near water
destroy | disaster | building home | near water, in town
delay | disaster problem | transport event | for hours1
frighten*- | animal disaster | person animal |
surprise*- | plan document | person group |
please*- | plan show picture | person group |
clean | person | room furniture clothing | with tool2, before event, +thoroughly
move | person | furniture container | into room, with relative
put- | person | thing document | on! furniture
put- | person | clothing food | in! container
leave- | person | thing clothing | in! vehicle
leave- | person | thing document | on! transport
hide | person | thing document | in! container, from person
keep- | person | document thing | in! container
drive | person | vehicle | to @city, through town, +carefully
ride- | person | horse1 bicycle1 | across field1, to building
wear- | person | clothing | at event, to event
play | person | instrument music | at event, for relative, +badly, +beautifully
sing | person | song1 | for relative, at event, in building
record | person group | song1 | with device2, in room
photograph | person | animal building person | in place, with device5
plant | person | plant | behind building, in place
cut_down | person | plant | with tool4, behind home
pick_up | person | thing clothing container | from furniture, in place
turn_off | person | device | before event
throw_away | person | food clothing document | after event
look_up | person | answer1 | in book1, on device3
fill_in | person | form1 | for person, with pen1
put_off | group person | event | after disaster
take_off- | person | clothing | before event
bring_up | person | problem idea | at event
give_up | person | job plan | after event
hold | person | thing tool | in hand1
investigate | group police1 | problem disaster | in @city
examine | person | document body animal | with device5, +carefully
check | person | ticket1 document device | before event
publish | group | document | in @city
review | person | show book1 | for group
finish | person | document picture | before event, in room
study | person | idea document music | at group1, in @city, with person
question | police1 group | person | about event, in building
guard | animal1 police1 | building home |
cross | person animal | water street1 | with relative, +slowly
pay | person group | bill1 | for person, with money2
receive | person group | document money info | from group, from relative
need*- | person group | info money device | for event
have*- | person | animal vehicle problem instrument |
own*- | person group | building home | in @city
wake_up | person animal | person | before event
knock_down | vehicle disaster | plant wall1 | behind home
paint | person | picture | for relative, in place
draw | person | animal map1 | with pen1, in book1
carve | person | bird1 animal | with tool1, for relative
lead | person | group event | in @city
elect | group | person | after event
train | person | animal horse1 | for event
tune | person | instrument | before event
teach | person | group2 | in building
hire | group | person | for event
greet | person | person | at event, +politely
rescue | person group | animal person | from water, during disaster, from building
""",
    "ditransitive": """
give | person | thing document food money | person
give | group | money | person
send | person | document thing | person
send | group | document | person
show | person | document picture home | person
offer | group | job money | person
offer | person | food drink | person
lend | person | vehicle clothing tool instrument | relative
sell | person | vehicle home animal | person
bring | person | food drink clothing | person
tell- | person | story1 | person
teach | person | language1 | person
hand | person | document thing | person
promise | person | thing animal | relative
write- | person | letter1 | relative
read | person | story2 | relative
leave | person | home money | relative
""",
}
