"""A hand-written dependency grammar of English, from which `make_sample.py` draws sentences.

The files, in the order in which they import: `dice` (drawing), `words` (words and phrases),
`morphology` (inflection), `nouns`, `verbs` and `modifiers` (the lexicon), `verb_groups`
(auxiliaries, negation, agreement), `noun_phrases`, `clauses`, `sentences`, and `conllu_text`
(writing). It is needed to make the sample only, never to use it.
"""
