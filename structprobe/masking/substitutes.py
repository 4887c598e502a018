"""Words that a masked language model would write in the place of others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from structprobe.encoder.checks import overflow
from structprobe.encoder.encoder import Encoder, unwatched
from structprobe.encoder.subwords.batching import Layout, TextBatch, make_halving, pad_rows
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.sentences import SentenceLike, SpacedWords
from structprobe.errors import EncoderError
from structprobe.masking.masked_head import MaskedHead, find_mask
from structprobe.progress import progress_bar


class _Gap(NamedTuple):
    """A word that is masked in its sentence."""

    sentence: int
    word: int
    text: SpacedWords
    pieces: Pieces


class Substitutes:
    """Finds the most probable substitutes of words, each masked alone in its sentence.

    A word is masked by one token, however many subwords it has. Its substitutes are of one token
    each, consist of letters, and differ from it in more than case; words without letters have none.
    """

    def __init__(self, encoder: Encoder, k: int) -> None:
        self.encoder, self.k = encoder, k
        self._mask_token = find_mask(encoder, "substitution")
        self._head = MaskedHead(encoder, "substitution")
        self._halving = make_halving(encoder.loaded.name)

    def find(
        self, sentences: Sequence[SentenceLike], progress: bool | None = None
    ) -> list[list[list[str]] | None]:
        """Give up to k substitutes of each word, the best first; None if a sentence is too long."""
        found: list[list[list[str]] | None] = [None] * len(sentences)
        with progress_bar("substitute", len(sentences), "sent", shown=progress) as advance:
            for batch in self.encoder.batches(sentences):
                layout, gaps = batch.layout, list(_gaps(batch))
                for gap in gaps:
                    found[gap.sentence] = [[] for _ in gap.text.words]
                gaps = [gap for gap in gaps if any(map(str.isalpha, gap.text.words[gap.word]))]
                widest = max((layout.width(len(gap.pieces.ids)) for gap in gaps), default=1)
                step = max(1, layout.batch_tokens // widest)

                def fill(some: Sequence[_Gap], layout: Layout = layout) -> list[list[str]]:
                    return self._fill(some, layout)

                for start in range(0, len(gaps), step):
                    some = gaps[start : start + step]
                    best = chain.from_iterable(self._halving.run(fill, some, _halve))
                    for gap, words in zip(some, best, strict=True):
                        of_sentence = found[gap.sentence]
                        assert of_sentence is not None
                        of_sentence[gap.word] = words
                advance(len(batch.numbers))
        return found

    def _fill(self, gaps: Sequence[_Gap], layout: Layout) -> list[list[str]]:
        """Give the best substitutes for each gap."""
        places, rows = [], []
        for gap in gaps:
            own = gap.pieces.links[gap.pieces.links[:, 1] == gap.word, 0]
            places.append(len(layout.surroundings.before) + int(own[0]))
            row = layout.row(gap.pieces, 0)
            row[places[-1]] = self._mask_token
            rows.append(np.delete(row, own[1:] + len(layout.surroundings.before)))
        ids, mask = pad_rows(rows, layout.pad)
        is_gap = np.arange(ids.shape[1]) == np.array(places)[:, None]  # (n_rows, n_positions)
        strings, tokens = self._vocabulary
        # A word may be its own best substitute, in several spellings or at the start of a text.
        n_best = min(2 * self.k + 8, len(tokens))

        def look(logits: Tensor, is_gap: Tensor) -> Tensor:
            # (n_rows, n_positions, n_vocabulary) -> (n_rows, n_positions, n_best)
            scores = logits[is_gap][:, torch.from_numpy(tokens).to(logits.device)]
            if not torch.isfinite(scores).all():
                raise overflow("the score of a substitute", gaps[0].text.where)
            best = scores.new_zeros(*is_gap.shape, n_best, dtype=torch.int64)
            best[is_gap] = scores.topk(n_best).indices
            return best

        with torch.no_grad():
            best = self._head.read(look, *self.encoder.loaded.put(ids, mask, is_gap))
        found = best.cpu().numpy()[is_gap]  # (n_rows, n_best)
        return [
            self._others(gap.text.words[gap.word], [strings[i] for i in row])
            for gap, row in zip(gaps, found.tolist(), strict=True)
        ]

    def _others(self, word: str, strings: Sequence[str]) -> list[str]:
        """Give the first k strings that are not the word."""
        others = [one for one in dict.fromkeys(strings) if one.casefold() != word.casefold()]
        return others[: self.k]

    @cached_property
    def _vocabulary(self) -> tuple[list[str], NDArray[np.int64]]:
        """List the words of one token that consist of letters, and their tokens."""
        loaded = self.encoder.loaded
        n_tokens = loaded.model.get_input_embeddings().weight.shape[0]
        special = set(loaded.tokenizer.all_special_ids)
        ids = [one for one in range(min(n_tokens, len(loaded.tokenizer))) if one not in special]
        decoded = loaded.tokenizer.batch_decode([[one] for one in ids])
        words = [one.strip() for one in decoded]
        known = {word for word in words if word.isalpha()}
        # Twice, as the token may be another at the start of a text.
        pairs = [[word, word] for word in sorted(known)] or [["a"]]
        whole: dict[int, str] = {}
        for batch in unwatched(self.encoder).batches(pairs):
            for text, pieces in zip(batch.sentences, batch.pieces, strict=True):
                piece, word = pieces.links.T
                alone = (np.bincount(word)[word] == 1) & (np.bincount(piece)[piece] == 1)
                whole |= dict.fromkeys(pieces.ids[piece[alone]].tolist(), text.words[0])
        tokens = [one for one, word in zip(ids, words, strict=True) if whole.get(one) == word]
        if not tokens:
            what = f"{loaded.name!r} has no token that is a whole word, which substitution needs"
            raise EncoderError(what)
        return [whole[one] for one in tokens], np.array(tokens, dtype=np.int64)


def _gaps(batch: TextBatch) -> list[_Gap]:
    """List the words of those sentences of a batch that are not too long for the model."""
    size = batch.layout.size
    return [
        _Gap(number, word, text, pieces)
        for number, text, pieces in zip(
            batch.numbers.tolist(), batch.sentences, batch.pieces, strict=True
        )
        if len(pieces.ids) <= (size or len(pieces.ids))
        for word in range(pieces.n_words)
    ]


def _halve(gaps: list[_Gap]) -> list[list[_Gap]]:
    """Divide the gaps of a batch."""
    middle = len(gaps) // 2
    return [gaps[:middle], gaps[middle:]] if middle else []
