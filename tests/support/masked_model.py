"""A small masked language model, trained for some seconds on sentences of our own grammar.

No pretrained masked head can be had here, so methods that need one are tried on this one. Its
sentences are such as *the aunt of the mechanics smiles .*: the verb agrees with the first noun, and
the noun between them is of either number. Nothing else in a sentence depends on anything else.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from support.tiny_checkpoints import make_tokenizer
from transformers import BertConfig, BertForMaskedLM

from structprobe import Encoder
from structprobe.stimuli.making import make_stimuli
from structprobe.treebank import Sentence

SUBJECT, VERB = 1, 5  # places of the two words that agree, from 0
STEPS = 400


@cache
def trained_bank() -> list[Sentence]:
    """All sentences that there are of one pattern, in a mixed order."""
    found = {}
    for seed in range(3):
        for one in make_stimuli("attractors", n=1500, seed=seed):
            if one.values["attractors"] == 1:
                found[tuple(word.lower() for word in one.sentence.words)] = one.sentence
    kept = list(found.items())
    order = torch.randperm(len(kept), generator=torch.Generator().manual_seed(0)).tolist()
    return [Sentence(kept[i][0], heads=kept[i][1].heads, upos=kept[i][1].upos) for i in order]


@cache
def trained() -> tuple[Any, Any]:
    """The model and its tokenizer."""
    bank = trained_bank()
    words = sorted({word for one in bank for word in one.words})
    tokenizer = make_tokenizer(["<mask>", *words], mask_token="<mask>")
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=128, max_position_embeddings=16, pad_token_id=1,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertForMaskedLM(config)
        ids = torch.tensor([tokenizer(" ".join(one.words)).input_ids for one in bank])
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
        slower = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, STEPS)
        for _ in range(STEPS):
            batch = ids[torch.randint(len(ids), (64,))]
            hidden = torch.zeros_like(batch, dtype=torch.bool)
            # One or two words, as they are masked in pairs.
            hidden.scatter_(1, torch.randint(1, batch.shape[1] - 1, (64, 2)), True)
            labels = batch.where(hidden, -100)
            output = model(
                input_ids=batch.masked_fill(hidden, tokenizer.mask_token_id), labels=labels
            )
            optimiser.zero_grad()
            output.loss.backward()
            optimiser.step()
            slower.step()
    return model.eval(), tokenizer


def trained_encoder(**options: Any) -> Encoder:
    """An encoder of the model, with its head."""
    model, tokenizer = trained()
    return Encoder(model, tokenizer=tokenizer, **options)
