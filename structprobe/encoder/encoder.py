"""`Encoder`: a language model that turns the words of sentences into vectors, layer by layer."""

from __future__ import annotations

import contextlib
import copy
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.encoder.cache.shards import Shard
from structprobe.encoder.cache.store import MemoryStore, VectorStore, open_store, storage_dtype
from structprobe.encoder.checks import NormWatch, refuse_non_finite
from structprobe.encoder.pooling import word_vectors
from structprobe.encoder.subwords.batching import (
    TextBatch,
    batch_up,
    check_pooling,
    lay_out,
    make_layout,
)
from structprobe.encoder.subwords.prefetch import make_parts, make_reader, read_ahead
from structprobe.encoder.subwords.sentences import (
    SentenceLike,
    SpacedWords,
    check_spacing,
    digest,
    space_sentences,
)
from structprobe.encoder.subwords.special_tokens import Surroundings, find_surroundings
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import EncoderError
from structprobe.models import Model, Tokenizer
from structprobe.models.limits import Layers, pick_layers
from structprobe.models.loading import LoadedModel, load_model, refresh, untrained
from structprobe.models.reading import reading
from structprobe.notebook import html_table
from structprobe.progress import progress_bar


class Seconds(NamedTuple):
    """Time that was spent, on processors and on the wall."""

    cpu: float
    wall: float


class _Clock:
    """An account of time that all copies of an encoder share."""

    def __init__(self) -> None:
        self.spent = Seconds(0.0, 0.0)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Add the time that the block takes, whatever becomes of it."""
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            self.spent = Seconds(self.spent.cpu + cpu, self.spent.wall + wall)


class Encoder:
    """A language model as a maker of word vectors.

    The model reads a text: the words with the gaps of `spacing` between them. A piece counts for
    every word with which it shares a character that is no space; a word that would yield no
    piece is written as the unknown token (U+FFFD where there is none), and one that spells a
    special token is text. Sentences longer than the model takes are read in overlapping
    windows, each word from the window that gives it most context.

    Parameters
    ----------
    model : str, path or transformers.PreTrainedModel
        Hub id, folder, ``.gguf`` file, or a loaded model. Of an encoder-decoder the encoder
        is read.
    tokenizer : str, path or transformers.PreTrainedTokenizerBase, optional
        The tokenizer, where it does not lie beside the model.
    revision : str, optional
        Branch, tag or commit on the hub.
    trust_remote_code : bool, default False
        Whether code that comes with the model may run.
    gguf_file : str, optional
        Name of a ``.gguf`` file in the folder or repository.
    device : str or torch.device, default "auto"
        As torch names it; ``"auto"`` takes a GPU where there is one.
    dtype : {"float32", "bfloat16", "float16"}, default "float32"
        Type in which the model runs, whatever its checkpoint says. Vectors are pooled in float32
        and kept in float16 where `dtype` is that, else in float32.
    pooling : {"mean", "first", "last"}, default "mean"
        How the pieces of a word make its vector.
    spacing : {"words", "original"}, default "words"
        A single space between all words, or spaces as the treebank has them.
    bos : bool, default False
        Whether to put a beginning-of-sequence token in front where the tokenizer does not.
    batch_tokens : int, optional
        Positions, padding included, that go through the model at once; by default 1,024 on a CPU
        (measured: fewer or more are slower) and 8,192 elsewhere.

    Attributes
    ----------
    n_layers : int
        The highest layer; layers run from 0, the embedding output, to `n_layers`, what the
        model returns, after its final norm where it has one.
    hidden_size : int
        Width of a vector.
    fingerprint : str
        Changes when weights or tokenizer change.
    encoding_seconds : Seconds
        Time that this encoder and its copies spent on word vectors so far: ``cpu`` and ``wall``.

    Raises
    ------
    EncoderError
        If the model or tokenizer cannot be loaded, a name is unknown, or `bos` is asked of a
        tokenizer without such a token.

    Examples
    --------
    >>> encoder = Encoder("bert-base-cased")  # doctest: +SKIP
    >>> bank = encoder.encode([["The", "dog", "barks"]], layers=(0, 7))  # doctest: +SKIP
    >>> bank.layer(7)[0].shape  # doctest: +SKIP
    (3, 768)
    """

    def __init__(
        self,
        model: Model,
        *,
        tokenizer: Tokenizer = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
        gguf_file: str | None = None,
        device: str | torch.device = "auto",
        dtype: str | torch.dtype = "float32",
        pooling: str = "mean",
        spacing: str = "words",
        bos: bool = False,
        batch_tokens: int | None = None,
    ) -> None:
        check_pooling(pooling)
        check_spacing(spacing)
        if batch_tokens is not None and batch_tokens < 1:
            raise EncoderError(f"batch_tokens is {batch_tokens}; at least 1 is needed")
        self.model = model
        self.tokenizer = tokenizer
        self.revision = revision
        self.trust_remote_code = trust_remote_code
        self.gguf_file = gguf_file
        self.device = device
        self.dtype = dtype
        self.pooling = pooling
        self.spacing = spacing
        self.bos = bos
        self.batch_tokens = batch_tokens
        self._loaded = load_model(
            model,
            tokenizer=tokenizer,
            revision=revision,
            trust_remote_code=trust_remote_code,
            gguf_file=gguf_file,
            device=device,
            dtype=dtype,
        )
        self._surroundings = find_surroundings(self._loaded.tokenizer, bos)
        self._reader = make_reader(self._loaded.tokenizer)
        self._clock = _Clock()
        self._batch_tokens = batch_tokens or (1024 if self._loaded.device.type == "cpu" else 8192)

    def __repr__(self) -> str:
        facts = self._facts()
        told = ", ".join(f"{name}={value!r}" for name, value in facts.items() if name != "model")
        return f"Encoder({facts['model']!r}, {told})"

    def _repr_html_(self) -> str:
        return html_table("Encoder", self._facts())

    @property
    def n_layers(self) -> int:
        """The highest layer."""
        return self._loaded.n_layers

    @property
    def hidden_size(self) -> int:
        """Width of a vector."""
        return self._loaded.hidden_size

    @property
    def bytes_per_value(self) -> int:
        """Bytes that each number of a stored vector takes."""
        return storage_dtype(self._loaded.dtype).itemsize

    @property
    def fingerprint(self) -> str:
        """What changes when weights or tokenizer change; of a model object, as it is now."""
        return self._look().fingerprint

    @property
    def encoding_seconds(self) -> Seconds:
        """Time that this encoder and its copies spent on word vectors so far, in seconds."""
        return self._clock.spent

    @property
    def loaded(self) -> LoadedModel:
        """The model that is read: bare, with its tokenizer and limits, as it was last seen."""
        return self._loaded

    @property
    def surroundings(self) -> Surroundings:
        """The special tokens around every text."""
        return self._surroundings

    def origin(self, layer: int) -> dict[str, object]:
        """Say where this encoder's vectors come from, as `WordVectors` carry it.

        Of a model object the weights are looked at, which takes about as long as one short pass.

        Parameters
        ----------
        layer : int
            A layer.

        Returns
        -------
        dict
            Plain values under ``model``, ``revision``, ``fingerprint``, ``pooling``,
            ``spacing``, ``bos``, ``dtype`` and ``layer``.

        Raises
        ------
        EncoderError
            If there is no such layer.
        """
        origin = self._origin()
        return {**origin, "layer": pick_layers(layer, self.n_layers)[0]}

    def untrained(self, random_state: int = 0) -> Encoder:
        """Make the same encoder with random weights: what the architecture gives by itself.

        Parameters
        ----------
        random_state : int, default 0
            Seed of the weights.

        Returns
        -------
        Encoder
            A new encoder; this one stays as it is.
        """
        fresh = copy.copy(self)
        fresh._loaded = untrained(self._loaded, random_state)
        return fresh

    def encode(
        self,
        sentences: Iterable[SentenceLike],
        *,
        layers: Layers = None,
        cache: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> EncodedBank:
        """Turn the words of sentences into vectors, all layers in one pass.

        Parameters
        ----------
        sentences : iterable of Sentence or of sequences of str
            A `Treebank`, or lists of words.
        layers : int or iterable of int or range, optional
            The layers wanted, 0 to `n_layers`; all by default.
        cache : str or path, optional
            A folder in which vectors are kept, and found again where model, words and settings
            are the same; an interrupted run goes on from there. In memory by default.
        progress : bool, optional
            Whether to draw a bar on stderr; by default where stderr is a terminal.

        Returns
        -------
        EncodedBank
            The vectors; its ``outliers`` says for each layer that was encoded in this call how
            many positions have a norm beyond 20 times the median.

        Raises
        ------
        EncoderError
            If there are no sentences or no such layer; if a vector is not finite (the sentence
            and layer are named, and nothing of that batch is kept) or a word yields no piece and
            nothing can stand in for it, which is found when the longer sentences are done.
        StoreError
            If the cache folder is not ours, damaged, or the disk is full.
        """
        spaced = space_sentences(sentences, self.spacing)
        watch = NormWatch()
        with self._clock.running():
            origin = self._origin()  # before the passes: it is kept with the vectors
            with self._open(spaced, origin, layers, cache) as store:
                if store.missing_layers:
                    self._fill(store, spaced, watch, progress)
                    store.finish()
                values = {layer: store.layer(layer) for layer in store.layers}
        return EncodedBank(values, store.offsets, origin, outliers=watch.report())

    def encode_shard(
        self,
        sentences: Iterable[SentenceLike],
        shard: Shard,
        *,
        layers: Layers = None,
        cache: str | os.PathLike[str],
        progress: bool | None = None,
    ) -> tuple[int, ...]:
        """Do a part of what `encode` does, where other processes do the other parts.

        Parameters
        ----------
        sentences : iterable of Sentence or of sequences of str
            All sentences, as `encode` takes them.
        shard : Shard
            Which of them to encode.
        layers : int or iterable of int or range, optional
            The layers wanted; all by default.
        cache : str or path
            The folder of vectors, which all processes see.
        progress : bool, optional
            Whether to draw a bar on stderr; by default where stderr is a terminal.

        Returns
        -------
        tuple of int
            The shards that were still missing when this one was done, counted from 1. When
            there are none, `encode` finds the vectors in the folder.

        Raises
        ------
        EncoderError
            As `encode`.
        StoreError
            As `encode`, or if the folder holds another number of shards.
        """
        spaced = space_sentences(sentences, self.spacing)
        with (
            self._clock.running(),
            self._open(spaced, self._origin(), layers, cache, shard) as store,
        ):
            if store.missing_layers:
                self._fill(store, spaced, NormWatch(), progress)
                store.finish()
            assert isinstance(store, VectorStore)  # since there is a folder
            return store.missing_shards

    def batches(self, sentences: Iterable[SentenceLike]) -> Iterator[TextBatch]:
        """Prepare sentences for other passes through the model than those of `encode`.

        Parameters
        ----------
        sentences : iterable of Sentence or of sequences of str
            A `Treebank`, or lists of words.

        Yields
        ------
        TextBatch
            Some sentences of like length, cut into pieces, the longest first, within the encoder's
            budget of tokens; each sentence in one batch.

        Raises
        ------
        EncoderError
            If there are no sentences, or one has no words.
        """
        spaced = space_sentences(sentences, self.spacing)
        self._look()
        lengths = np.array([len(sentence.words) for sentence in spaced], dtype=np.int64)
        with contextlib.closing(self._batches(spaced, make_parts(lengths))) as batches:
            yield from batches

    def _facts(self) -> dict[str, object]:
        """Say what there is to know about an encoder at a glance."""
        loaded = self._loaded
        return {
            "model": loaded.name,
            "n_layers": loaded.n_layers,
            "hidden_size": loaded.hidden_size,
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "device": str(loaded.device),
            "pooling": self.pooling,
            "spacing": self.spacing,
            "bos": self.bos,
        }

    def _look(self) -> LoadedModel:
        """See what has become of a model object, whose owner may have trained it meanwhile."""
        self._loaded = refresh(self._loaded, self.model, self.device)
        return self._loaded

    def _open(
        self,
        spaced: Sequence[SpacedWords],
        origin: Mapping[str, object],
        layers: Layers,
        cache: str | os.PathLike[str] | None,
        shard: Shard | None = None,
    ) -> VectorStore | MemoryStore:
        """Open the store of these sentences' vectors."""
        # Where the model lies is no part of what makes vectors what they are.
        deciding = {name: origin[name] for name in origin if name not in ("model", "revision")}
        return open_store(
            cache,
            key={**deciding, "words": digest(spaced)},
            layers=pick_layers(layers, self.n_layers),
            offsets=np.cumsum([0, *(len(sentence.words) for sentence in spaced)]),
            hidden_size=self.hidden_size,
            dtype=self._loaded.dtype,
            shard=shard,
        )

    def _fill(
        self,
        store: VectorStore | MemoryStore,
        spaced: Sequence[SpacedWords],
        watch: NormWatch,
        progress: bool | None,
    ) -> None:
        """Encode the sentences that a store is missing, in batches as if all were missing."""
        missing = np.isin(np.arange(len(spaced)), store.missing)
        own = np.diff(store.offsets)[store.own]  # (n_own_sentences,), their words
        parts = [store.own[part] for part in make_parts(own)]
        parts = [part for part in parts if missing[part].any()]
        n_there = len(store.own) - sum(map(len, parts))
        with (
            reading(self._loaded.model),
            progress_bar("encode", len(store.own), "sent", shown=progress, done=n_there) as advance,
            contextlib.closing(self._batches(spaced, parts)) as batches,
        ):
            for batch in batches:
                # A batch of which some is there is done again whole: its make-up decides the
                # last bits, and a resumed run is to give those of an undisturbed one.
                if missing[batch.numbers].any():
                    rows = lay_out(batch.pieces, batch.layout)
                    vectors = word_vectors(self._loaded, rows, store.missing_layers, watch)
                    refuse_non_finite(vectors, batch.sentences)
                    store.write(batch.numbers, vectors)
                advance(len(batch.numbers))

    def _batches(
        self, spaced: Sequence[SpacedWords], parts: Sequence[NDArray[np.int64]]
    ) -> Generator[TextBatch, None, None]:
        """Cut the sentences of each part into pieces, and put those of like length together."""
        with contextlib.closing(read_ahead(self._reader, spaced, parts)) as ahead:
            for part, pieces in ahead:
                layout = make_layout(
                    self._loaded,
                    self._surroundings,
                    self.pooling,
                    self._batch_tokens,
                    longest=max(len(one.ids) for one in pieces),
                )
                for batch in batch_up([spaced[i] for i in part], pieces, layout):
                    yield replace(batch, numbers=part[batch.numbers])

    def _origin(self) -> dict[str, object]:
        """Say where vectors of any layer come from, as the model is now."""
        loaded = self._look()
        return {
            "model": loaded.name,
            "revision": loaded.revision,
            "fingerprint": loaded.fingerprint,
            "pooling": self.pooling,
            "spacing": self.spacing,
            "bos": self.bos,
            "dtype": str(loaded.dtype).removeprefix("torch."),
        }


def pass_key(encoder: Encoder, sentences: Iterable[SentenceLike]) -> dict[str, object]:
    """Say all that decides what a model makes of the pieces of sentences, however pooled."""
    origin = encoder.origin(0)
    words = digest(space_sentences(sentences, encoder.spacing))
    return {"words": words} | {k: origin[k] for k in ("fingerprint", "spacing", "bos", "dtype")}
