"""Sentences and treebanks: read, check and write CoNLL-U, knowing no models and no trees."""

from structprobe.treebank.bank import Treebank
from structprobe.treebank.sentence import Sentence
from structprobe.treebank.text import join_words
from structprobe.treebank.writing import join_blocks, rewrite

__all__ = ["Sentence", "Treebank", "join_blocks", "join_words", "rewrite"]
