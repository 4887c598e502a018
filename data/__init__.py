"""The embedded treebanks: CoNLL-U files of our own making, CC0; see README.md beside them."""
