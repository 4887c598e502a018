"""The nouns by semantic class, their adjectives, and the prepositional phrases they take."""

from __future__ import annotations

# A word with ~ is a mass noun.
NOUNS: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "person": """teacher doctor nurse farmer lawyer engineer student driver journalist waiter
            baker painter singer neighbour child woman man girl boy clerk pilot sailor judge
            carpenter gardener musician scientist actor tailor butcher plumber soldier tourist
            visitor guest stranger customer lodger photographer poet cook shopkeeper dentist
            professor librarian postman reporter worker manager mechanic fisherman widow
            apprentice accountant architect translator historian chemist secretary detective""",
        "relative": """sister brother mother father uncle aunt cousin friend husband wife son
            daughter grandmother grandfather nephew niece colleague boss partner""",
        "group": """committee council government company club team jury ministry union agency
            parliament board court commission party orchestra newspaper bank university
            parish charity""",
        "animal": """dog cat horse cow goat fox wolf rabbit mouse sheep duck goose donkey pony
            hen owl crow sparrow squirrel hedgehog puppy kitten pig monkey""",
        "food": """apple sandwich cake pie potato pizza egg carrot pear biscuit tomato omelette
            pancake sausage bread~ cheese~ rice~ pasta~ soup~ butter~ meat~ honey~ salad fish
            mushroom onion""",
        "drink": "coffee~ tea~ water~ milk~ wine~ juice~ beer~ lemonade~ cider~",
        "document": """letter report book article essay story poem note message email novel
            magazine contract diary speech review letter manuscript pamphlet recipe""",
        "art": "song painting film play symphony sculpture portrait drawing opera photograph tune",
        "tool": "knife hammer saw spade brush rope ladder axe broom chisel screwdriver stick",
        "device": """phone computer camera laptop radio television printer clock machine engine
            heater kettle telescope piano fridge""",
        "thing": """key wallet umbrella bottle cup plate ball watch ring coin ticket candle mirror
            parcel present toy stone map blanket pillow necklace kite flag vase lamp""",
        "container": "box bag basket drawer suitcase cupboard jar bucket trunk rucksack",
        "furniture": "table chair desk sofa shelf bed bench carpet counter stool",
        "clothing": """coat hat shirt dress jacket scarf shoe glove sweater uniform boot suit
            raincoat cap apron""",
        "vehicle": "car bus train truck bicycle boat ship van plane taxi tractor tram ferry lorry",
        "building": """house hotel museum church hospital library office shop restaurant factory
            station theatre school palace tower cottage barn prison castle warehouse café
            bakery cinema""",
        "room": "kitchen bedroom cellar hall corridor attic classroom bathroom lounge laboratory",
        "place": """park garden street forest beach field village town river lake mountain bridge
            market harbour square island valley path meadow hill border""",
        "event": """meeting concert wedding party match lecture festival election storm lesson
            race ceremony trial funeral conference exhibition strike debate holiday war
            interview rehearsal""",
        "problem": "problem question puzzle mystery mistake crisis conflict dispute error",
        "plan": "plan proposal offer decision reform law rule budget project agreement scheme",
        "idea": "idea theory argument hypothesis belief view opinion claim",
        "body": "arm leg hand finger knee shoulder",
        "money": "prize loan salary grant pension bonus fee",
        "info": "information~ advice~ news~ evidence~ permission~ help~ support~",
        "plant": "tree rose bush flower oak lawn vine hedge tulip",
        "job": "job place scholarship contract chance",
    }.items()
}


NAMES = {
    "Fem": """Anna Maria Sophie Clara Lucy Helen Irene Martha Nadia Olga Ruth Sarah Emma Julia
        Laura Alice Ingrid Fatima Mei Priya""".split(),
    "Masc": """Peter John Thomas Martin Daniel Paul Henry Oscar George Simon Victor Walter Ivan
        Carlos Ahmed Hugo Felix Robert Samuel Kenji""".split(),
}
SURNAMES = """Keller Brown Novak Lindgren Moreau Okafor Tanaka Silva Fischer Murphy Rossi Haddad
    Jensen Carter Bennett Petrov""".split()
CITIES = """London Paris Berlin Rome Madrid Vienna Oslo Lisbon Prague Dublin Warsaw Athens Cairo
    Boston Chicago Toronto Bristol Leeds Geneva Budapest""".split()
COUNTRIES = """France Spain Italy Norway Poland Egypt Canada Japan Brazil Ireland Portugal Greece
    Kenya India""".split()
GROUPS = "Parliament Oxfam Unicef Siemens Volvo Reuters Greenpeace".split()

# Nouns that stand before a noun of the class.
COMPOUNDS: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "person": "police village school hospital bus army theatre newspaper",
        "group": "city school football village student housing hospital",
        "building": "village town stone country brick corner",
        "document": "newspaper school police history travel",
        "food": "chicken vegetable lemon cheese breakfast",
        "container": "leather wood metal plastic paper",
        "clothing": "leather wool silk winter cotton",
        "vehicle": "police school delivery passenger",
        "event": "school town summer football family charity",
        "furniture": "kitchen garden office oak",
        "plan": "government tax peace school building",
        "device": "kitchen office pocket",
    }.items()
}

ADJECTIVES: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "person": """young old tall tired famous friendly nervous clever quiet kind brave lazy
            polite rude elderly angry happy careful patient ambitious shy talented honest""",
        "relative": "older younger",
        "group": "local powerful small new national foreign independent regional large",
        "animal": "small brown black hungry old wild white frightened lame grey stray",
        "food": "fresh hot cold delicious sweet cheap stale warm",
        "drink": "hot cold fresh strong cheap sweet",
        "document": "long short angry interesting boring detailed secret famous old anonymous",
        "art": "famous beautiful old modern sad strange early unfinished",
        "tool": "sharp heavy old rusty long small blunt",
        "device": "new old broken expensive noisy cheap heavy",
        "thing": "small old broken expensive beautiful heavy silver empty lost blue",
        "container": "heavy empty small red large old wooden",
        "furniture": "old wooden comfortable small round heavy antique",
        "clothing": "red warm expensive dirty new blue old black torn elegant",
        "vehicle": "old red fast new slow crowded empty expensive yellow",
        "building": "old large new famous small abandoned ancient modern empty expensive",
        "room": "dark small large cold bright empty",
        "place": "quiet beautiful busy small narrow old dangerous peaceful",
        "event": "long important boring annual noisy final terrible short",
        "problem": "serious difficult strange old simple common political",
        "plan": "new secret ambitious expensive final controversial sensible foolish",
        "idea": "strange new popular brilliant simple old wrong radical",
        "body": "left right",
        "money": "small large generous annual",
        "info": "useful important new valuable reliable",
        "plant": "old tall beautiful young yellow",
        "job": "new good better",
    }.items()
}

# Prepositional phrases that a noun of the class takes: preposition, then classes or @lists.
NOUN_PHRASES: dict[str, tuple[str, ...]] = {
    "person": ("from @city", "from place", "in clothing", "with clothing", "with animal"),
    "relative": ("in @city", "from @country"),
    "group": ("in @city", "of @country"),
    "animal": ("from building", "of person"),
    "food": ("with food", "from building", "on furniture"),
    "drink": ("from @country",),
    "document": ("about event", "about animal", "about @country", "from person", "on furniture"),
    "art": ("by @name", "about place", "from @country"),
    "tool": ("in container", "from building"),
    "device": ("in room", "in building", "on furniture"),
    "thing": ("on furniture", "in container", "from @country", "under furniture"),
    "container": ("of food", "of document", "with thing", "under furniture", "from building"),
    "furniture": ("in room", "near furniture"),
    "clothing": ("from @country", "on furniture"),
    "vehicle": ("from @city", "to @city", "near building"),
    "building": ("in @city", "near place", "beside place", "with vehicle", "behind building"),
    "room": ("behind building", "in building"),
    "place": ("near @city", "behind building", "between building"),
    "event": ("in @city", "at building", "for person", "about plan"),
    "problem": ("with device", "with vehicle", "about money", "with plan"),
    "plan": ("for building", "for place", "for event", "about vehicle"),
    "idea": ("about place", "about event", "of person"),
    "money": ("from group", "for person"),
    "info": ("about event", "about person", "from group"),
    "plant": ("in place", "near building", "beside building"),
    "job": ("at group", "in @city", "at building"),
}

# Nouns with an "of" of their own; they carry subjects far from their verbs.
ROLES: dict[str, tuple[str, ...]] = {
    "person": (
        "owner building", "owner vehicle", "owner animal", "author document", "manager building",
        "director group", "director building", "captain ship", "captain group", "editor document",
        "member group", "leader group", "head group", "founder group", "guest event",
        "organiser event", "winner event", "friend relative", "parent person", "victim event",
        "inhabitant place", "mayor town",
    ),
    "thing": ("photograph person", "picture animal", "copy document", "map place", "key building"),
    "document": ("draft document", "chapter document", "translation document"),
    "event": ("opening building", "end event", "anniversary event"),
    "place": ("edge place", "side building", "centre town"),
    "room": ("window room", "door room"),
    "building": ("roof building", "wall building"),
    "idea": ("reason event", "explanation problem"),
    "plan": ("part plan", "purpose plan", "cost plan"),
}  # fmt: skip
# What stands in the place of "of".
ROLE_PREPOSITIONS = {"key": "to", "guest": "at", "reason": "for", "explanation": "for"}
