"""The rules of a dependency grammar of English, from which `make_sample.py` draws sentences.

Words, inflection and lexicon are in `structprobe.stimuli.grammar`. Rules, from small to large:
`noun_phrases`, `adverbials`, `clauses`, `extraposition`, `questions`, `sentences`. As clauses
contain clauses, `clauses`, `complements`, `copulas` and `relatives` call one another, by module.
The rules are needed to make the sample only, never to use it.
"""
