"""The nouns by semantic class, their adjectives, and the prepositional phrases they take."""

from __future__ import annotations

from structprobe.stimuli.grammar.listed import listed

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
            daughter grandmother grandfather nephew niece colleague boss""",
        "group": """committee council government company club team jury ministry union agency
            parliament board court commission orchestra newspaper bank university charity""",
        "animal": """dog cat horse cow goat fox wolf rabbit mouse sheep duck goose donkey pony
            hen owl crow squirrel hedgehog puppy kitten pig""",
        "food": """apple sandwich cake pie potato pizza egg carrot pear biscuit tomato omelette
            pancake sausage bread~ cheese~ rice~ pasta~ soup~ butter~ meat~ honey~ salad
            mushroom onion""",
        "drink": "coffee~ tea~ water~ milk~ wine~ juice~ beer~ lemonade~ cider~",
        "document": """letter report book article essay story poem note message email novel
            magazine contract diary speech review manuscript pamphlet recipe""",
        "picture": "painting portrait drawing photograph sculpture sketch poster",
        "music": "song tune symphony melody waltz",
        "show": "film play opera comedy documentary musical",
        "tool": "knife hammer saw spade brush rope ladder axe broom chisel screwdriver",
        "device": """phone computer camera laptop radio television printer clock machine heater
            kettle telescope fridge""",
        "instrument": "piano guitar violin flute trumpet",
        "thing": """key wallet umbrella bottle cup plate ball watch ring coin ticket candle mirror
            parcel present toy map blanket pillow necklace kite flag vase lamp""",
        "container": "box bag basket drawer suitcase cupboard jar bucket trunk rucksack",
        "furniture": "table chair desk sofa shelf bed bench carpet stool",
        "clothing": """coat hat shirt dress jacket scarf shoe glove sweater uniform boot suit
            raincoat cap apron""",
        "vehicle": "car van lorry tractor motorbike jeep",
        "transport": "train bus tram ferry plane taxi ship boat",
        "home": "house cottage barn flat mill bungalow",
        "building": """hotel museum church hospital library office shop restaurant factory station
            theatre school palace tower prison castle warehouse café bakery cinema""",
        "room": "kitchen bedroom cellar hall corridor attic classroom bathroom lounge laboratory",
        "place": """park garden forest field village square market harbour valley meadow
            street orchard""",
        "town": "village town valley island city district",
        "water": "river lake canal pond",
        "event": """meeting concert wedding party match lecture festival election lesson race
            ceremony trial funeral conference exhibition debate interview rehearsal""",
        "disaster": "storm war strike flood fire earthquake",
        "problem": "problem mystery mistake crisis conflict dispute error",
        "plan": "plan proposal offer decision reform law rule budget project agreement scheme",
        "idea": "idea theory argument hypothesis belief view opinion claim",
        "body": "arm leg hand finger knee shoulder",
        "money": "prize loan salary grant pension bonus",
        "info": "information~ advice~ news~ evidence~ support~",
        "plant": "tree rose bush flower oak vine hedge tulip lilac",
        "job": "job scholarship contract",
    }.items()
}
# Classes of people, names and pronouns included.
PEOPLE = ("person", "relative", "name", "pronoun", "police1")
# How often a noun of the class is plural, where it is not a third of the time.
PLURAL_SHARE = {
    "event": 0.1, "disaster": 0.08, "place": 0.12, "building": 0.15, "home": 0.15, "room": 0.08,
    "group": 0.14, "town": 0.15, "water": 0.1, "relative": 0.1, "job": 0.05, "plan": 0.2,
    "instrument": 0.05, "body": 0.0, "body1": 0.0, "hand1": 0.0, "show": 0.15,
}  # fmt: skip

NAMES = {
    "Fem": listed("""Anna Maria Sophie Clara Lucy Helen Irene Martha Nadia Olga Ruth Sarah Emma
        Julia
        Laura Alice Ingrid Fatima Mei Priya"""),
    "Masc": listed("""Peter John Thomas Martin Daniel Paul Henry Oscar George Simon Victor Walter
        Ivan
        Carlos Ahmed Hugo Felix Robert Samuel Kenji"""),
}
SURNAMES = listed("""Keller Brown Novak Lindgren Moreau Okafor Tanaka Silva Fischer Murphy Rossi
    Haddad
    Jensen Carter Bennett Petrov""")
CITIES = listed("""London Paris Berlin Rome Madrid Vienna Oslo Lisbon Prague Dublin Warsaw Athens
    Cairo
    Boston Chicago Toronto Bristol Leeds Geneva Budapest""")
COUNTRIES = listed("""France Spain Italy Norway Poland Egypt Canada Japan Brazil Ireland Portugal
    Greece
    Kenya India""")
GROUPS = listed("Parliament Oxfam Unicef Siemens Volvo Reuters Greenpeace")

# Nouns that stand before a noun.
COMPOUNDS: dict[str, tuple[str, ...]] = {
    lemma: tuple(words.split())
    for lemma, words in {
        "teacher": "school music village history", "doctor": "village hospital army",
        "driver": "bus taxi lorry", "reporter": "newspaper television", "singer": "opera jazz",
        "worker": "factory farm hospital office", "clerk": "bank office",
        "manager": "hotel bank factory", "visitor": "museum hospital weekend",
        "student": "history law exchange", "painter": "portrait landscape", "pilot": "airline",
        "council": "city town village", "club": "chess football book sailing",
        "team": "football rescue school", "committee": "school parish festival",
        "company": "insurance oil railway", "board": "school hospital", "church": "village stone",
        "school": "village music language", "station": "railway police bus", "hotel": "seaside",
        "shop": "village flower corner", "factory": "shoe paper chocolate", "museum": "art railway",
        "office": "post tax ticket", "report": "newspaper police school", "book": "history cookery",
        "article": "newspaper magazine", "novel": "crime adventure", "contract": "work",
        "sandwich": "cheese chicken", "cake": "chocolate birthday lemon", "soup": "onion chicken",
        "salad": "potato fruit", "pie": "apple meat", "bag": "leather shopping", "box": "cardboard",
        "jacket": "leather winter", "coat": "winter wool", "shirt": "cotton silk", "scarf": "silk",
        "dress": "wedding summer", "boot": "rubber winter", "bus": "school", "train": "night",
        "boat": "fishing rescue", "car": "police sports", "van": "delivery",
        "house": "country brick",
        "concert": "school charity", "match": "football tennis", "party": "birthday garden",
        "festival": "music film", "meeting": "council family", "lesson": "piano driving",
        "trial": "murder", "table": "kitchen garden", "chair": "garden kitchen", "bench": "park",
        "plan": "peace tax", "budget": "school defence", "reform": "tax prison", "law": "tax press",
        "agreement": "peace trade", "tree": "apple cherry", "clock": "kitchen station",
        "knife": "bread pocket", "brush": "paint", "key": "car house", "lamp": "desk street",
        "ticket": "train concert", "map": "road", "film": "war", "crisis": "energy bank",
        "dog": "farm police", "horse": "race", "photograph": "wedding family", "flower": "garden",
    }.items()
}  # fmt: skip

ADJECTIVES: dict[str, tuple[str, ...]] = {
    kind: tuple(words.split())
    for kind, words in {
        "person": """young old tall tired famous friendly nervous clever quiet kind brave lazy
            polite rude elderly angry happy careful patient ambitious shy talented honest""",
        "sister": "older younger",
        "brother": "older younger",
        "son": "older younger",
        "daughter": "older younger",
        "cousin": "older younger",
        "group": "local powerful small new national foreign independent large",
        "animal": "small brown black hungry old wild white frightened lame grey stray",
        "food": "fresh hot cold delicious sweet cheap stale warm",
        "drink": "hot cold fresh strong cheap sweet",
        "document": "long short angry interesting boring detailed secret famous old anonymous",
        "picture": "famous beautiful old modern strange early unfinished",
        "music": "sad beautiful famous old simple cheerful",
        "show": "famous long boring new funny terrible",
        "instrument": "old new expensive",
        "tool": "sharp heavy old rusty long small blunt",
        "device": "new old broken expensive noisy cheap heavy",
        "thing": "small old broken expensive beautiful heavy silver empty lost blue",
        "container": "heavy empty small red large old wooden",
        "furniture": "old wooden comfortable small round heavy antique",
        "clothing": "red warm expensive dirty new blue old black torn elegant",
        "vehicle": "old red fast new slow expensive yellow blue rusty",
        "transport": "crowded late slow empty last early",
        "home": "old small large empty white comfortable beautiful",
        "building": "old large new famous small abandoned ancient modern empty",
        "room": "dark small large cold bright empty",
        "place": "quiet beautiful busy small old peaceful",
        "town": "quiet small old remote beautiful",
        "water": "deep wide cold quiet",
        "event": "long important boring annual noisy final short",
        "disaster": "terrible long sudden",
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

# Adjectives without degrees.
ABSOLUTE = set(
    listed("""red blue black white yellow brown grey wooden silver annual final national foreign
        local
    independent broken empty left right young early last abandoned ancient antique unfinished
    political stray lost anonymous round fresh new sudden""")
)

# Adjectives of which no two go together.
OPPOSED = set(
    listed("""small large long short new old young tall ancient modern hot cold fresh stale warm
    cheap expensive fast slow crowded empty boring interesting funny quiet noisy heavy simple
    difficult brilliant wrong foolish sensible careful""")
)

# Prepositional phrases that a noun of the class takes: preposition, then classes or @lists.
NOUN_PHRASES: dict[str, tuple[str, ...]] = {
    "person": ("from @city", "from town", "in clothing", "with animal"),
    "relative": ("in @city", "from @country"),
    "group": ("in @city", "from @country"),
    "animal": ("from home", "with wound1"),
    "food": ("with food", "from building4", "on furniture"),
    "drink": ("from @country",),
    "document": ("about event", "about animal", "about @country", "from person", "on furniture"),
    "picture": ("by @name", "of animal", "of person", "from @country", "on wall1"),
    "music": ("by @name", "about town", "from @country"),
    "show": ("by @name", "about disaster", "about person", "from @country"),
    "tool": ("in container", "from home"),
    "device": ("in room", "in building", "on furniture"),
    "thing": ("on furniture", "in container", "from @country", "under furniture"),
    "container": ("of food", "of document", "with handle1", "under furniture"),
    "furniture": ("in room", "near window1"),
    "clothing": ("from @country", "on furniture", "with button1"),
    "vehicle": ("from @country", "near building", "behind home"),
    "transport": ("from @city", "to @city"),
    "home": ("in town", "near place", "beside water", "with garden1"),
    "building": ("in @city", "near place", "beside water", "with garden1", "behind building"),
    "room": ("behind room", "in building"),
    "place": ("near @city", "behind building", "between building"),
    "event": ("in @city", "at building", "about plan", "for person"),
    "disaster": ("in @country",),
    "problem": ("with device", "with vehicle", "with plan"),
    "plan": ("for building", "for place", "for event", "of group"),
    "idea": ("about disaster", "about event", "of person"),
    "money": ("from group", "for person"),
    "info": ("about event", "about person", "from group"),
    "plant": ("in place", "near building", "beside home"),
    "job": ("at group1", "in @city"),
}

# Nouns with an "of" of their own; they carry subjects far from their verbs.
ROLES: dict[str, tuple[str, ...]] = {
    "person": (
        "owner home",
        "owner vehicle",
        "owner animal",
        "author document",
        "manager building",
        "director group",
        "director building",
        "captain ship",
        "captain transport",
        "editor document",
        "member group",
        "member group",
        "leader group",
        "head group",
        "founder group",
        "guest feast",
        "organiser event",
        "winner contest",
        "friend relative",
        "parent person",
        "victim disaster",
        "inhabitant town",
        "mayor town",
        "child relative",
        "composer music",
        "director show",
        "sister person",
        "neighbour relative",
    ),
    "thing": ("copy document", "map town", "key building", "key home", "key container"),
    "picture": ("photograph relative", "portrait person", "drawing animal"),
    "document": ("draft document", "chapter document", "translation document"),
    "event": ("opening building", "end event", "anniversary event"),
    "place": ("edge town", "side building", "centre town"),
    "home": ("roof home", "wall home"),
    "building": ("roof building", "tower building"),
    "idea": ("cause disaster", "explanation problem"),
    "plan": ("part plan", "purpose plan", "cost plan"),
}
# What stands in the place of "of".
ROLE_PREPOSITIONS = {"key": "to", "guest": "at", "explanation": "for"}
# Nouns of `ROLES` that have no plural.
SINGLE = {"end", "centre", "purpose", "opening", "edge", "roof"}

# Small classes of single verbs or nouns. A word with ~ stands here without an article.
OWN: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "animal1": "dog fox puppy terrier", "animal2": "mouse rabbit duck hen",
        "answer1": "answer address name", "bicycle1": "bicycle motorbike",
        "bill1": "bill fee fine debt",
        "bird1": "bird figure spoon", "body1": "leg arm hand", "book1": "book novel diary",
        "building2": "shop market station bakery", "building4": "bakery market shop restaurant",
        "button1": "button pocket belt hood", "contest": "race match election competition",
        "crime1": "theft~ fraud~ murder~", "debate1": "discussion~", "detail1": "detail~",
        "device1": "lamp lantern candle", "device2": "telescope camera",
        "device3": "radio computer television", "device4": "computer calculator",
        "device5": "camera microscope", "door1": "door gate", "drink1": "water~ soap~",
        "feast": "wedding party festival ceremony",
        "field1": "field square park meadow street bridge",
 "form1": "form questionnaire application",
        "garden1": "garden tower balcony terrace", "group1": "university college academy",
        "group2": "class choir beginner", "hand1": "hand", "handle1": "handle lid lock",
        "help1": "help~ assistance~", "horse1": "horse pony donkey", "hours1": "hour week",
        "language1": "history~ music~ chemistry~ grammar~ French~",
        "letter1": "letter postcard email",
        "map1": "map plan diagram", "money2": "card cheque coin", "passing1": "passing~",
        "pen1": "pen pencil", "pleasure1": "pleasure~ interest~",
        "police1": "detective inspector officer policeman", "relief1": "relief~ pleasure~",
        "ship": "ship boat ferry", "song1": "song tune", "story1": "story joke truth secret",
        "station": "station", "story2": "story poem letter", "street1": "street bridge square road",
        "support1": "support~ money~", "thing1": "cup bottle glass mug",
        "thing2": "key knife screwdriver", "ticket1": "ticket passport bill",
        "tool1": "knife fork spoon",
        "tool2": "brush broom cloth", "tool3": "net rope trap", "tool4": "saw axe",
        "trace1": "trace~ warning~", "vehicle0": "train~ bus~ car~ boat~", "wall1": "wall",
        "window1": "window", "wound1": "collar bell spot",
    }.items()
}  # fmt: skip
