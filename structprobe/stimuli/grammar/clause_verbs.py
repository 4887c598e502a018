"""The verbs that take a clause, an infinitive or a predicate, in the columns of `verb_tables`.

Verbs of control and raising have in the last column (without an object: in the third) the verbs
that may stand below them; where there are none, any verb may.
"""

CLAUSE_TABLES = {
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
want* | person
try | person animal
decide* | person
decide* | group | support reject discuss approve publish buy build cancel organise vote
hope | person
hope | group | win organise buy build publish
plan | person
plan | group | build buy publish organise cancel reject
refuse* | person
refuse* | group | support approve accept discuss publish pay
promise* | person
need* | person
agree* | person
agree* | group | support discuss build organise invite
manage* | person animal
learn | person | cook sing dance swim drive ride repair play paint draw carve tune
offer | person | repair carry cook help wash clean paint feed drive move
forget* | person | close turn feed pay check call invite thank wash clean put bring
intend* | person
threaten | person | leave resign sell complain throw
attempt | person | open repair catch cross solve rescue escape swim steal
hesitate | person | call buy accept invite open cross speak sell
""",
    "raising": """
seem* | person group
appear* | person group
tend* | person | arrive complain sleep cook argue wear drink eat
happen* | person | see meet find hear know
continue* | person | work read play watch smoke sing
begin* | person animal | sing run cry eat walk read write clean bark
start* | person animal | sing run cry eat walk read write paint bark chase
""",
    "object control": """
ask | person | person |
ask | group | person | repair paint organise write explain examine
persuade | person | person |
order | group | person | leave close sell pay
allow | person | person |
help | person | person | carry find repair clean move cook paint build solve
encourage | person | person | write sing play apply paint study travel speak
force | group | person | resign leave sell close pay cancel
invite | person group | person | sing speak play attend
teach | person | relative | swim drive cook play ride paint sing
teach | person | animal1 | bark swim run
warn | person | person | close leave hide
advise | person | person |
tell | person | person |
want*- | person | person |
want*- | person | group | support reject accept cancel
expect* | person | person group | win arrive resign accept support
remind | person | person | close turn feed pay call invite thank wash
urge | person group | group | support approve reject cancel build
""",
    "object predicate": """
consider*- | person group | plan idea event
find*- | person | document event show plan music
call- | person group | plan idea
make- | problem event document | person
""",
    "linking": """
become | person room place town
look*- | person food room clothing
feel*- | person
remain* | person place
sound*- | idea plan music
taste*- | food
get | person
""",
}
