"""Words, inflection and lexicon of a hand-written dependency grammar of English.

Tools: `dice` (drawing), `listed` (word lists), `words` (words and phrases), `morphology`
(inflection), `verb_groups` (auxiliaries, agreement), `conllu_text` (writing). Lexicon: `nouns`,
`verb_tables`, `clause_verbs`, `verbs`, `modifiers`. The rules of the sample treebank, in
`data/grammar`, use them.
"""
