"""Attention probes: trees from all attention heads of a model together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.recoverers.base import TextRecoverer
from structprobe.recoverers.best_layer import NO_DEV
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence
from structprobe.trees import gold_depths
from structprobe.trees.arborescences import arborescences
from structprobe.trees.padding import pad

if TYPE_CHECKING:
    from structprobe.attention.word_attentions import AttentionBatch
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.form_vectors import FormVectors
    from structprobe.probe.readers.head_candidates import CandidateFile


class AttentionProbe(TextRecoverer):
    """Combines all attention heads of all layers, weighted to predict syntactic heads.

    Clark et al. (2019), 'What does BERT look at? An analysis of BERT's attention', on probing
    combinations of attention heads. There is one weight per head and direction; with `words`, each
    weight is a linear function of context-free vectors of the two words. The paper uses GloVe
    vectors; here it is the vector of the word form alone at layer 0 (`form_vectors`), projected to
    the first 128 principal axes of the training words. The root is a candidate too, scored by
    attention to special tokens and a constant. The tree is the most probable one with one root
    (Chu-Liu/Edmonds).

    Parameters
    ----------
    encoder : Encoder
        The model. For a causal model, heads on both sides can be found, since both directions of
        attention have weights.
    words : bool, default False
        Whether the weights depend on the words: the method ``attention-probe-words``, with about
        200 times as many parameters. It also learns which words tend to be heads, so not all that
        it scores above ``attention-probe`` is due to attention.
    max_steps : int, default 2000
        Training steps; the weights with the lowest loss on dev are kept.
    cache, random_state, device, progress
        As for `BestLayer`.

    Attributes
    ----------
    weights_ : ndarray of float32, shape (n_layers, n_heads, 2), or None
        Weights of the attention from a word to its head, and back, in the layers that have
        attention (`WordAttentions.layers`); None with `words`.
    history_ : list of dict
        ``step``, ``learning_rate``, ``train_loss`` and ``dev_loss`` (in nats per word).
    chosen_ : dict
        ``choice``: the training step that was kept.

    Raises
    ------
    EncoderError
        If the model returns no attention, or the device is unknown.

    Notes
    -----
    `fit` stores the attention of the training sentences in a temporary file: two bytes for each
    pair of words and head, about 0.9 GB for 12,500 sentences and 72 heads.
    """

    name = "attention-probe"
    order = 30
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {"attention-probe": {}, "attention-probe-words": {"words": True}}
    )
    options = MappingProxyType({"max_steps": int})
    fitted_attribute = "scorer_"
    from_context = ("encoder", "cache", "random_state", "device", "progress")

    weights_: NDArray[np.float32] | None
    history_: list[dict[str, float]]

    def __init__(
        self,
        encoder: Encoder,
        *,
        words: bool = False,
        max_steps: int = 2000,
        cache: str | os.PathLike[str] | None = None,
        random_state: int = 0,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        from structprobe.attention.word_attentions import WordAttentions
        from structprobe.devices import find_device
        from structprobe.probe.training.settings import read_whole

        read_whole("max_steps", max_steps)
        self.encoder, self.words, self.max_steps, self.cache = encoder, words, max_steps, cache
        self.random_state, self.device, self.progress = random_state, device, progress
        self.name += "-words" * words
        self.attentions = WordAttentions(encoder, special="keep")
        find_device(device, error=ProbeError)

    def _fit(self, train: Sequence[Sentence], dev: Sequence[Sentence] | None) -> None:
        """Train the weights; dev is needed for early stopping."""
        from structprobe.attention.scorers import LEARNING_RATE, WORDS_RATE
        from structprobe.devices import find_device
        from structprobe.probe.readers.head_candidates import Candidates
        from structprobe.probe.readers.head_choice import train_heads
        from structprobe.probe.training.loop import Cosine
        from structprobe.probe.training.recipes import Whitened
        from structprobe.progress import progress_bar

        if dev is None:
            raise ProbeError("early stopping needs a dev set", hint=NO_DEV)
        device = find_device(self.device, error=ProbeError)
        gold, dev_gold = _gold_heads(train), _gold_heads(dev)
        rate = WORDS_RATE if self.words else LEARNING_RATE
        with self._read(train) as file, self._read(dev) as dev_file:
            vectors, dev_vectors = self._vectors(train), self._vectors(dev)
            scorer = self._scorer(file, vectors).to(device)
            candidates = Candidates(file, gold, vectors, device)
            epochs = candidates.epochs(np.random.default_rng(self.random_state))
            held_out = Candidates(dev_file, dev_gold, dev_vectors, device)
            rates, shown = Cosine(Whitened(), rate, self.max_steps), self.progress
            with progress_bar("attention probe", self.max_steps, "step", shown=shown) as on_steps:
                self.history_ = train_heads(scorer, epochs, held_out, rates, lambda _: on_steps(1))
        self.scorer_ = scorer.cpu()
        self.weights_ = None
        if not self.words:
            shape = (self.attentions.n_layers, self.attentions.n_heads, 2)
            self.weights_ = scorer.weights()[1].detach().numpy().reshape(shape)
        best = min(self.history_, key=lambda entry: entry["dev_loss"])
        self.chosen_ = {"choice": f"step {best['step']} of {self.max_steps}"}

    def predict(self, sentences: Sequence[Sentence]) -> list[Prediction]:
        """Recover the tree of each sentence; arc scores are the log-probabilities of heads."""
        import torch

        from structprobe.probe.readers.head_choice import head_log_probabilities

        self._check_fitted()
        if not len(sentences):
            return []
        found: dict[int, Prediction] = {}
        vectors = self._vectors(sentences)
        for batch in self.attentions.read(sentences, progress=self.progress):
            own = None if vectors is None else pad([vectors[i] for i in batch.sentences])
            words = None if own is None else torch.from_numpy(own)
            is_word = torch.arange(batch.lengths.max()) < torch.from_numpy(batch.lengths)[:, None]
            with torch.inference_mode():
                scores = self.scorer_((torch.from_numpy(_features(batch)), words))
                told = head_log_probabilities(scores, is_word).numpy()  # (b, n, n + 1)
            heads = arborescences(told, batch.lengths)
            numbers = batch.sentences.tolist()
            for number, n, row, arcs in zip(numbers, batch.lengths, heads, told, strict=True):
                found[number] = Prediction(row[:n], arc_scores=arcs[:n, : n + 1].copy())
        return [found[number] for number in range(len(sentences))]

    def _vectors(self, sentences: Sequence[Sentence]) -> FormVectors | None:
        """Return the vectors of words, if they are used."""
        if not self.words:
            return None
        from structprobe.encoder.form_vectors import form_vectors

        return form_vectors(self.encoder, sentences, cache=self.cache, progress=self.progress)

    def _read(self, sentences: Sequence[Sentence]) -> CandidateFile:
        """Read the attention within all sentences into a file."""
        from structprobe.probe.readers.head_candidates import CandidateFile

        n_features = self.attentions.n_layers * self.attentions.n_heads
        file = CandidateFile([len(sentence) for sentence in sentences], n_features)
        for batch in self.attentions.read(sentences, progress=self.progress):
            features = _features(batch)
            for number, n, own in zip(batch.sentences, batch.lengths, features, strict=True):
                file.write(int(number), own[:n, : n + 1])
        return file

    def _scorer(self, file: CandidateFile, vectors: FormVectors | None) -> Any:
        """Create the scorer to train."""
        import torch

        from structprobe.attention.scorers import AXES, AttentionScorer, AttentionWordsScorer

        scales = torch.from_numpy(file.scales())
        if vectors is None:
            return AttentionScorer(scales)
        return AttentionWordsScorer(scales, *vectors.main_axes(AXES))


def _features(batch: AttentionBatch) -> NDArray[np.float32]:
    """Arrange attention by candidate: (b, n, n + 1, n_layers * n_heads), special tokens first."""
    scores = batch.arc_scores()  # (b, n_layers, n_heads, n, n + 1)
    scores = scores.reshape(len(scores), -1, *scores.shape[-2:])
    return np.ascontiguousarray(np.moveaxis(scores, 1, -1))


def _gold_heads(sentences: Sequence[Sentence]) -> list[NDArray[np.int32]]:
    """Return the gold heads, checked."""
    for sentence in sentences:
        if sentence.heads is None:
            raise ProbeError("a training sentence has no heads", where=sentence.where)
    heads = [sentence.heads for sentence in sentences if sentence.heads is not None]
    gold_depths(heads)  # refuses what is no tree
    return heads
