"""Encode very many sentences of the grammar and fit a probe on them: how much memory it takes.

Run in a process of its own: ``many_sentences.py COUNT FOLDER``; prints megabytes as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np
from support.tiny_checkpoints import make_tokenizer
from transformers import BertConfig, BertModel

from structprobe import Encoder, Sentence, StructuralProbe, Treebank

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "data"))

MOST_WORDS = 6
MEMORY_GB = 0.002


def grow(count: int) -> list[Sentence]:
    """Make sentences by the grammar, short ones, of which each is said again in other words."""
    from grammar.sentences import sentence

    from structprobe.stimuli.grammar.conllu_text import finish
    from structprobe.stimuli.grammar.dice import Dice

    dice, drawn = Dice(1), []
    while len(drawn) < 500:
        words = finish(sentence(dice).words)
        if len(words) <= MOST_WORDS:
            place = {id(word): number for number, word in enumerate(words, 1)}
            heads = [place.get(id(word.head), 0) for word in words]
            drawn.append(([word.form for word in words], np.array(heads, np.int32)))
    every = np.random.default_rng(0).integers(len(drawn), size=count)
    return [Sentence((*drawn[i][0][:-1], str(n)), heads=drawn[i][1]) for n, i in enumerate(every)]


def peak() -> float:
    """Give the most memory that this process has taken so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(count: int, folder: str) -> None:
    """Encode and fit."""
    shape = {"num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 16}
    shape |= {"num_attention_heads": 2, "max_position_embeddings": 24}
    known = sorted({word for one in grow(500) for word in one.words[:-1]})
    tokenizer = make_tokenizer(known)
    model = BertModel(BertConfig(vocab_size=len(tokenizer), **shape)).eval()
    encoder = Encoder(model, tokenizer=tokenizer, device="cpu", max_unknown=1, batch_tokens=4096)
    few = grow(300)
    for bank in (Treebank(few), Treebank(grow(count))):  # first what takes memory only once
        made = peak()
        vectors = encoder.encode(bank, layers=[0, 1], cache=folder, progress=False).layer(1)
        read = peak()
        probe = StructuralProbe(rank=4, max_steps=3, memory_gb=MEMORY_GB, random_state=0)
        probe.fit(vectors, bank, dev=(vectors[:300], bank[:300]))
    told = {"made": made, "read": read, "fitted": peak()}
    print(json.dumps(told | {"vectors": vectors.values.nbytes / 2**20}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
