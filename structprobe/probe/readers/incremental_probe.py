"""`IncrementalProbe`: what can be read of a tree while the sentence is still going on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import logsigmoid

from structprobe.probe.base import PerSentence
from structprobe.probe.data.ragged_vectors import Words, first_equal
from structprobe.probe.readers.biaffine_probe import BiaffineProbe, whitened
from structprobe.probe.types import Layer, VectorsLike
from structprobe.scores.prediction import Prediction
from structprobe.trees.left_to_right import attach_left_to_right, close_open
from structprobe.trees.padding import group_by_length


def attachment_log_probabilities(scores: Tensor, is_word: Tensor) -> Tensor:
    """Turn scores into log-probabilities of heads that are chosen as the words come.

    Column 0 of the scores is that of waiting. When a word comes, it chooses among the words before
    it and waiting; while it waits, it chooses between each new word and waiting.
    """
    # scores (b, n, n + 1), is_word (b, n) -> (b, n, n + 1)
    wait, heads = scores[..., :1], scores[..., 1:]
    here = torch.arange(is_word.shape[-1], device=scores.device)
    earlier, later = here < here[:, None], (here > here[:, None]) & is_word[:, None]  # (…, n, n)
    first = torch.cat([wait, heads.masked_fill(~earlier, -torch.inf)], -1).log_softmax(-1)
    odds = heads - wait  # (b, n, n)
    waits = logsigmoid(-odds).masked_fill(~later, 0)
    # What a word is to wait for before the one it is attached to
    attach = first[..., :1] + waits.cumsum(-1) - waits + logsigmoid(odds)
    none = first[..., :1] + waits.sum(-1, keepdim=True)  # (b, n, 1)
    return torch.cat([none, torch.where(later, attach, first[..., 1:])], -1)


class IncrementalProbe(BiaffineProbe):
    """Recover trees from left to right, attaching each word among the words before it.

    The probe reads a tree as an incremental parser does: an arc is decided when the later of its
    words comes, from the vectors of the two words and of the words before. When word `j` comes, it
    chooses its head among the words before it, or none yet; and every earlier word that has no head
    so far is attached to `j`, or goes on waiting:

    ``P(head of j is i) = softmax(s(j, i) | i < j, w(j))``,
    ``P(i is attached to j) = sigmoid(s(i, j) - w(i))``,

    with the biaffine scores `s` of `BiaffineProbe` and a learned score `w` of waiting. The loss is
    the cross-entropy of the gold heads: of all decisions up to the one that attaches a word. A root
    waits to the end. This follows Eisape, Gangireddy, Levy & Kim (2022), Probing for Incremental
    Parse States in Autoregressive Language Models, who probe the states of a shift-reduce parser;
    here there is no stack, so that arcs may cross.

    Trees are assembled greedily: the decisions about each new word are the most probable ones that
    make no cycle, and are never changed. Of the words that are left without a head, the one that is
    most probably the root becomes the root, and the others are attached to it.

    Only the vectors of a causal model do not know the words that follow. Those of other models have
    seen the whole sentence, and the probe does not tell the two apart.

    Parameters
    ----------
    rank, dropout
        As for `BiaffineProbe`.
    relations, subtypes, relation_rank, relation_dropout
        As for `BiaffineProbe`; relations are read from both words when the later one has come.
    max_steps, batch_size, learning_rate, validation_fraction
        As for `BiaffineProbe`.
    random_state, device, verbose
        As for `BiaffineProbe`.

    Attributes
    ----------
    scorer_, basis_, history_, relation_scorer_, classes_, relation_history_
        As for `BiaffineProbe`.
    n_features_in_, origin_
        As for `BiaffineProbe`.

    Examples
    --------
    >>> import numpy as np
    >>> heads = [np.array([2, 0, 2]), np.array([0, 1])]
    >>> vectors = [np.array([[1.0, 0], [0, 0], [0, 1.0]]), np.array([[0, 0], [1.0, 0]])]
    >>> probe = IncrementalProbe(max_steps=300, random_state=0)
    >>> probe = probe.fit(vectors, heads, dev=(vectors, heads))
    >>> probe.predict_log_proba(vectors)[1].shape
    (2, 3)
    """

    _label, _choice = "incremental probe", staticmethod(attachment_log_probabilities)

    def predict_log_proba(self, X: VectorsLike) -> list[NDArray[np.float32]]:
        """Predict the log-probability of each head of each word.

        Parameters
        ----------
        X : word vectors
            As for `predict`, which raises the same errors.

        Returns
        -------
        list of ndarray of float32, each (n_words, n_words + 1)
            Row `i` (0-based) is of word `i`, column `h` of its head (1-based); column 0 is the
            probability that the word finds no head in the sentence. What has come by word `j`
            decides the columns up to `j`, and how probable the others are together.
        """
        words = self._words(X)[None]
        found: dict[int, NDArray[np.float32]] = {}
        for sentences, logs in self._log_probabilities(words):
            for index, own in zip(sentences.tolist(), logs, strict=True):
                n = int(words.lengths[index])
                found[index] = own[:n, : n + 1].copy()
        return PerSentence(found[index] for index in range(len(words)))

    def unattached(self, X: VectorsLike) -> float:
        """Give the share of words that are left without a head, roots not counted.

        Parameters
        ----------
        X : word vectors
            As for `predict`, which raises the same errors.

        Returns
        -------
        float
            A fraction of all words. In each sentence, one of these words counts as the root.
        """
        words = self._words(X)[None]
        every = [(heads == 0).sum() - len(heads) for _, _, heads, _ in self._attached(words)]
        return float(sum(every) / words.lengths.sum())

    def _predict(self, words: Mapping[Layer, Words]) -> list[Prediction]:
        """Assemble the tree of each sentence; there are no scores to decode it again from."""
        found: dict[int, Prediction] = {}
        for sentences, lengths, heads, logs in self._attached(words[None]):
            trees = close_open(heads, logs[:, :, 0])
            for index, n, own in zip(sentences.tolist(), lengths, trees, strict=True):
                found[index] = Prediction(own[:n].copy())
        every = [found[index] for index in range(len(words[None]))]
        return self._labelled(every, words[None])

    def _attached(
        self, words: Words
    ) -> Iterator[
        tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.intp], NDArray[np.float32]]
    ]:
        """Attach the words of sentences of similar length, and give what that is based on."""
        # -> (b,), (b,), (b, n), (b, n, n + 1)
        for sentences, logs in self._log_probabilities(words):
            lengths = words.lengths[sentences]
            yield sentences, lengths, attach_left_to_right(logs, lengths), logs

    @torch.no_grad()
    def _log_probabilities(
        self, words: Words
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Predict the heads of sentences of similar length together."""
        # -> (b,), (b, n, n + 1)
        for group in group_by_length(words.lengths):
            lengths = words.lengths[group]
            padded = whitened(words.take(group), self.basis_, self.scorer_.root.device)
            scores = self.scorer_(padded)  # (b, n, n + 1)
            for row, start, n in zip(scores, words.starts[group], lengths, strict=True):
                if (same := first_equal(words.values[start : start + n])) is not None:
                    places = torch.tensor(same)
                    columns = torch.cat([torch.zeros(1, dtype=torch.int64), places + 1])
                    row[:n, : n + 1] = row[places][:, columns]
            is_word = torch.from_numpy(np.arange(padded.shape[1]) < lengths[:, None])
            logs = attachment_log_probabilities(scores, is_word.to(scores.device))
            yield group, logs.cpu().numpy()
