"""A hand-written dependency grammar of English, from which `make_sample.py` draws sentences.

Tools: `dice` (drawing), `listed` (word lists), `words` (words and phrases), `morphology`
(inflection), `conllu_text` (writing). Lexicon: `nouns`, `verb_tables`, `verbs`, `modifiers`.
Rules, from small to large: `verb_groups` (auxiliaries, negation, agreement), `noun_phrases`,
`adverbials`, `clauses`, `extraposition`, `questions`, `sentences`. As clauses contain clauses,
`clauses`, `complements`, `copulas` and `relatives` call one another, by module.
It is needed to make the sample only, never to use it.
"""
