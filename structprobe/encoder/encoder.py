"""`Encoder`: a language model that turns the words of sentences into vectors, layer by layer."""

from __future__ import annotations

import contextlib
import copy
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray

from structprobe.encoder.cache.shards import Shard
from structprobe.encoder.cache.store import (
    MemoryStore,
    VectorStore,
    check_store_dtype,
    open_store,
    storage_dtype,
)
from structprobe.encoder.checks import (
    NormWatch,
    check_numbers,
    refuse_beyond_float16,
    refuse_foreign_tokens,
    refuse_non_finite,
)
from structprobe.encoder.keys import current_fingerprint, store_key
from structprobe.encoder.pooling import word_vectors
from structprobe.encoder.subwords.batching import (
    TextBatch,
    batch_up,
    check_pooling,
    halve,
    lay_out,
    make_halving,
    make_layout,
)
from structprobe.encoder.subwords.prefetch import make_parts, read_ahead
from structprobe.encoder.subwords.sentences import (
    SentenceLike,
    SpacedWords,
    check_spacing,
    digest,
    space_sentences,
)
from structprobe.encoder.subwords.special_tokens import find_surroundings
from structprobe.encoder.subwords.tokenizing import make_reader
from structprobe.encoder.subwords.unknown import UnknownWatch
from structprobe.encoder.vectors import EncodedBank
from structprobe.models import Model, Tokenizer
from structprobe.models.limits import Layers, pick_layers
from structprobe.models.loading import LoadedModel, load_model, refresh, untrained
from structprobe.models.reading import reading
from structprobe.models.tap import Tap
from structprobe.models.weights.placement import Placement
from structprobe.notebook import html_table
from structprobe.progress import progress_bar


class Seconds(NamedTuple):
    """CPU time and wall time."""

    cpu: float
    wall: float


class _Clock:
    """The time spent by all copies of an encoder."""

    def __init__(self) -> None:
        self.spent = Seconds(0.0, 0.0)

    def __deepcopy__(self, memo: object) -> Self:
        return self

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Add the time that the block takes, also if it fails."""
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            self.spent = Seconds(self.spent.cpu + cpu, self.spent.wall + wall)


class Encoder:
    """A language model that computes word vectors.

    The model reads a text: the words, separated according to `spacing`. A subword belongs to every
    word with which it shares a non-space character, or a byte of one; a word without any subword is
    replaced by the unknown token (U+FFFD if there is none), and a word that looks like a special
    token is treated as text. Sentences that are too long for the model are read in overlapping
    windows, and each word is taken from the window that gives it most context.

    A model is tried on a few short texts when it is loaded. If padding changes its vectors (by more
    than 1e-4 of a text's largest value in float32, 2e-2 in float16 or 1e-1 in bfloat16), sentences
    are read in batches of equal length or one by one, and a warning says so.

    Parameters
    ----------
    model : str, path or transformers.PreTrainedModel
        Hub id, folder, ``.gguf`` file, or a loaded model. Of an encoder-decoder model, the encoder
        is used; of a model that needs images or sound as well, the part for text.
    tokenizer : str, path or transformers.PreTrainedTokenizerBase, optional
        The tokenizer, if it is not in the same place as the model.
    revision : str, optional
        Branch, tag or commit on the hub.
    trust_remote_code : bool, default False
        Whether to run code that comes with the model.
    gguf_file : str, optional
        Name of a ``.gguf`` file in the folder or repository.
    device : str or torch.device, default "auto"
        A torch device; ``"auto"`` uses a GPU if one is available.
    dtype : {"float32", "bfloat16", "float16", "auto"}, default "float32"
        Data type in which the model runs, whatever the type of its checkpoint. ``"auto"`` is
        bfloat16 where the hardware multiplies such numbers itself, otherwise float32; for a loaded
        model, it is the type of its weights. Vectors are pooled in float32.
    pooling : {"mean", "first", "last"}, default "mean"
        How subwords are pooled into words.
    spacing : {"words", "original"}, default "words"
        A single space between all words, or spaces as in the treebank.
    bos : bool, default False
        Whether to add a beginning-of-sequence token if the tokenizer does not add one.
    batch_tokens : int, optional
        Positions per batch, including padding; by default 1,024 on a CPU (measured: fewer or more
        are slower) and 8,192 otherwise.
    lang : str, optional
        Code of the language of the text, for models that read such a code with it (NLLB, mBART,
        M2M100, X-MOD), in their spelling, such as ``"deu_Latn"``; by default that of the tokenizer.
    max_unknown : float, default 0.2
        The share of words, 0 to 1, that may be unknown to the tokenizer, which writes them all as
        the same token; more are an error. More than 1 % are told in a warning.
    part : {"decoder"}, optional
        Read the decoder of an encoder-decoder model instead of the encoder. Its input is its start
        token and the same text as that of the encoder; the vectors of a word are taken at the
        positions of that word in the input. The whole model is run for any layer.
    window : int, default 1
        The number of layers to average, an odd number: with 3, layer `l` is the mean of layers
        `l` - 1, `l` and `l` + 1; at the first and last layer, of the two that exist.
    site : {"residual", "attention", "mlp", "heads"}, default "residual"
        What to read in each layer: the residual stream after it (the hidden states); what its
        attention or its MLP adds to the residual stream; or the concatenated outputs of its
        attention heads, before they are mixed. Head `h` has the columns ``h * d`` to
        ``(h + 1) * d``, where ``d = hidden_size // n_heads``. All but the residual stream are found
        by comparing module outputs, and exist from layer 1, in layers with attention.
    store_dtype : {"float32", "float16"}, optional
        Data type of the vectors in memory and in a cache; by default float16 if `dtype` is float16,
        otherwise float32. Vectors that float16 cannot hold (above 65,504) are an error.
    device_map : str or mapping of str to device, optional
        How the layers of a model that does not fit one device are spread over several, with the
        package accelerate: ``"auto"``, ``"balanced"``, ``"balanced_low_0"``, ``"sequential"``, or
        the devices of modules by name, where ``"cpu"`` and ``"disk"`` are devices too. The vectors
        and the fingerprint do not depend on it.
    max_memory : mapping of device to int or str, optional
        The most memory that a device map may use of each device, such as
        ``{0: "20GB", "cpu": "60GB"}``; by default what is free.
    offload_folder : str or path, optional
        Where weights that a device map puts on disk are stored if their file cannot be read from
        directly. They are deleted with the encoder.
    quantize : {"8bit", "4bit"}, optional
        Quantise the weights on loading, with bitsandbytes, torchao or optimum-quanto, whichever is
        installed; ``"8bit-torchao"`` names one. The fingerprint depends on it.

    Attributes
    ----------
    n_layers : int
        The highest layer; layers run from 0, the embedding output, to `n_layers`, the output of
        the model (after its final norm, if it has one).
    layers : tuple of int
        The layers that have `site`: 0 to `n_layers` for the residual stream.
    hidden_size : int
        Width of a vector.
    n_heads : int or None
        If `site` is ``"heads"``, the number of heads.
    fingerprint : str
        Changes when weights, tokenizer, `part`, `window` or `site` change.
    encoding_seconds : Seconds
        Time that this encoder and its copies have spent on word vectors: ``cpu`` and ``wall``.

    Raises
    ------
    EncoderError
        If the model or tokenizer cannot be loaded, a name is unknown, `bos` is set for a tokenizer
        without such a token, the model does not have `site` where it shows, or it does not give
        one vector per token and layer, the same each time.

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
        lang: str | None = None,
        max_unknown: float = 0.2,
        part: str | None = None,
        window: int = 1,
        site: str = "residual",
        store_dtype: str | None = None,
        device_map: str | Mapping[str, Any] | None = None,
        max_memory: Mapping[Any, Any] | None = None,
        offload_folder: str | os.PathLike[str] | None = None,
        quantize: str | None = None,
    ) -> None:
        check_pooling(pooling)
        check_spacing(spacing)
        check_numbers(max_unknown, batch_tokens)
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
        self.lang = lang
        self.max_unknown = max_unknown
        self.part = part
        self.window = window
        self.site = site
        self.device_map = device_map
        self.max_memory = max_memory
        self.offload_folder = offload_folder
        placement = Placement(device_map, max_memory, offload_folder, quantize)
        place: Any = {"tokenizer": tokenizer, "revision": revision, "gguf_file": gguf_file}
        use: Any = {"trust_remote_code": trust_remote_code, "device": device, "dtype": dtype}
        use |= {"lang": lang, "tap": Tap(site, part, window)}
        self.loaded = load_model(model, **place, **use, placement=placement)  # as last used
        self.quantize = self.loaded.placement.quantize  # with the package that does it
        self.store_dtype = check_store_dtype(store_dtype or storage_dtype(self.loaded.dtype).name)
        self.surroundings = find_surroundings(self.loaded.tokenizer, bos)
        self._reader = make_reader(self.loaded.tokenizer)
        self._unknown: UnknownWatch | None = UnknownWatch(self._reader, self.loaded.name)
        self._clock = _Clock()
        self._batch_tokens = batch_tokens or (1024 if self.loaded.device.type == "cpu" else 8192)

    def __repr__(self) -> str:
        model, *others = self._facts().items()
        return f"Encoder({model[1]!r}, {', '.join(f'{name}={value!r}' for name, value in others)})"

    def _repr_html_(self) -> str:
        return html_table("Encoder", self._facts())

    @property
    def n_layers(self) -> int:
        """The highest layer."""
        return self.loaded.n_layers

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that have the site, ascending."""
        return self.loaded.layers

    @property
    def n_heads(self) -> int | None:
        """The number of heads in a vector, if `site` is ``"heads"``."""
        return self.loaded.n_heads

    @property
    def hidden_size(self) -> int:
        """Width of a vector."""
        return self.loaded.hidden_size

    @property
    def bytes_per_value(self) -> int:
        """Bytes per number of a stored vector."""
        return np.dtype(self.store_dtype).itemsize

    @property
    def fingerprint(self) -> str:
        """Changes when weights or tokenizer change; that of a model object is always current."""
        return str(self._origin()["fingerprint"])

    @property
    def encoding_seconds(self) -> Seconds:
        """Seconds that this encoder and its copies have spent on word vectors."""
        return self._clock.spent

    def origin(self, layer: int) -> dict[str, object]:
        """Describe where the vectors of a layer come from, as in `WordVectors.origin`.

        For a model object, its weights are checked, which takes about as long as one short pass.

        Parameters
        ----------
        layer : int
            0 to `n_layers`.

        Returns
        -------
        dict
            ``model``, ``revision``, ``fingerprint``, ``pooling``, ``spacing``, ``bos``, ``dtype``,
            ``layer``, and ``lang``, ``model_part``, ``window``, ``site``, ``store_dtype``
            and ``quantize`` if they were chosen.

        Raises
        ------
        EncoderError
            If there is no such layer.
        """
        return {**self._origin(), "layer": pick_layers(layer, self.n_layers)[0]}

    def untrained(self, random_state: int = 0) -> Encoder:
        """Make the same encoder with random weights, as a baseline for what training adds.

        Parameters
        ----------
        random_state : int, default 0
            Seed of the weights.

        Returns
        -------
        Encoder
            A new encoder.
        """
        fresh = copy.copy(self)
        fresh.loaded = untrained(self.loaded, random_state)
        return fresh

    def encode(
        self,
        sentences: Iterable[SentenceLike],
        *,
        layers: Layers = None,
        cache: str | os.PathLike[str] | None = None,
        progress: bool | None = None,
    ) -> EncodedBank:
        """Turn the words of sentences into vectors, in one pass for all layers.

        The forward pass stops at the highest requested layer, and other layers are not kept in
        memory. Both need modules that return only the hidden states, which are found when a model
        is loaded; for the few architectures without them (such as XLNet and Longformer), full
        passes are run.

        Parameters
        ----------
        sentences : iterable of Sentence or of sequences of str
            A `Treebank`, or lists of words.
        layers : int or iterable of int or range, optional
            The layers to keep, 0 to `n_layers`; all by default.
        cache : str or path, optional
            A cache folder, where vectors are stored and reused if model, words and settings are the
            same; an interrupted run resumes. By default, vectors are in memory only.
        progress : bool, optional
            Whether to show a progress bar; by default if stderr is a terminal.

        Returns
        -------
        EncodedBank
            The vectors; ``outliers`` counts, for each layer encoded in this call, the positions
            with a norm above 20 times the median.

        Raises
        ------
        EncoderError
            If there are no sentences or no such layer; more words than `max_unknown` allows are
            unknown; a vector is not finite (that batch is not stored); or a word has no subword
            and nothing can replace it, which is found once the longer sentences are done.
        StoreError
            If the folder is not a structprobe cache, is damaged, or the disk is full.
        """
        with self._filled(sentences, layers, cache, progress) as (store, origin, watch):
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
        """Encode one part of the sentences, while other processes encode the others.

        Parameters
        ----------
        sentences : iterable of Sentence or of sequences of str
            All sentences, as for `encode`.
        shard : Shard
            Which of them to encode.
        layers, cache, progress
            As for `encode`; all processes share the folder.

        Returns
        -------
        tuple of int
            The shards still missing when this one is done, counted from 1. If there are none,
            `encode` finds the vectors in the folder.

        Raises
        ------
        EncoderError, StoreError
            As for `encode`, and if the folder has another number of shards.
        """
        with self._filled(sentences, layers, cache, progress, shard) as (store, *_):
            assert isinstance(store, VectorStore)  # since there is a folder
            return store.missing_shards

    def batches(self, sentences: Iterable[SentenceLike | SpacedWords]) -> Iterator[TextBatch]:
        """Prepare sentences for other passes through the model than those of `encode`.

        Parameters
        ----------
        sentences : iterable of Sentence or of sequences of str
            A `Treebank`, or lists of words.

        Yields
        ------
        TextBatch
            Tokenized sentences of similar length, the longest first; each is in one batch.

        Raises
        ------
        EncoderError
            If there are no sentences, one has no words, or more words than `max_unknown` allows
            are unknown.
        """
        spaced = space_sentences(sentences, self.spacing)
        self._check_unknown(spaced, digest(spaced))
        self._look()
        lengths = np.array([len(sentence.words) for sentence in spaced], dtype=np.int64)
        with contextlib.closing(self._batches(spaced, make_parts(lengths))) as batches:
            yield from batches

    def _facts(self) -> dict[str, object]:
        """Summarise the encoder, for its repr."""
        loaded = self.loaded
        return {
            "model": loaded.name,
            "n_layers": loaded.n_layers,
            "hidden_size": loaded.hidden_size,
            "dtype": str(loaded.dtype).removeprefix("torch."),
            "device": str(loaded.device),
            **{name: getattr(self, name) for name in ("pooling", "spacing", "bos")},
            **self._choices(),
        }

    def _choices(self) -> dict[str, object]:
        """Give what was chosen instead of a default, beside what every origin says."""
        usual = storage_dtype(self.loaded.dtype).name
        chosen = {
            "lang": self.lang,
            **self.loaded.tap.chosen,
            "store_dtype": None if self.store_dtype == usual else self.store_dtype,
            "quantize": self.quantize,
        }
        return {name: value for name, value in chosen.items() if value}

    def _look(self) -> LoadedModel:
        """Refresh a model object, which may have been trained since it was last used."""
        self.loaded = refresh(self.loaded, self.model, self.device)
        return self.loaded

    @contextlib.contextmanager
    def _filled(
        self,
        sentences: Iterable[SentenceLike],
        layers: Layers,
        cache: str | os.PathLike[str] | None,
        progress: bool | None,
        shard: Shard | None = None,
    ) -> Iterator[tuple[MemoryStore, dict[str, object], NormWatch]]:
        """Open the store of these sentences' vectors, and encode what is missing in it."""
        spaced, watch = space_sentences(sentences, self.spacing), NormWatch()
        with self._clock.running():
            words = digest(spaced)
            self._check_unknown(spaced, words)
            origin = self._origin()  # before the passes, as it is stored with the vectors
            with open_store(
                cache,
                key=store_key(origin, words, cache),
                layers=pick_layers(layers, self.n_layers, self.layers),
                offsets=np.cumsum([0, *(len(sentence.words) for sentence in spaced)]),
                hidden_size=self.hidden_size,
                dtype=self.store_dtype,
                shard=shard,
            ) as store:
                if store.missing_layers:
                    self._fill(store, spaced, watch, progress)
                    store.finish()
                yield store, origin, watch

    def _fill(
        self,
        store: MemoryStore,
        spaced: Sequence[SpacedWords],
        watch: NormWatch,
        progress: bool | None,
    ) -> None:
        """Encode the sentences missing in a store, in the same batches as if all were missing."""
        missing = np.isin(np.arange(len(spaced)), store.missing)
        own = np.diff(store.offsets)[store.own]  # (n_own_sentences,), their words
        parts = [store.own[part] for part in make_parts(own)]
        halving = make_halving(self.loaded.name)

        def fill(batch: TextBatch) -> None:
            rows = lay_out(batch.pieces, batch.layout, batch.numbers)
            vectors = word_vectors(self.loaded, rows, store.missing_layers, watch)
            refuse_non_finite(vectors, batch.sentences)
            if self.store_dtype == "float16":
                refuse_beyond_float16(vectors, batch.sentences)
            store.write(batch.numbers, vectors)

        parts = [part for part in parts if missing[part].any()]
        n_there = len(store.own) - sum(map(len, parts))
        with (
            reading(self.loaded.model),
            progress_bar("encode", len(store.own), "sent", shown=progress, done=n_there) as advance,
            contextlib.closing(self._batches(spaced, parts)) as batches,
        ):
            for batch in batches:
                # A partly finished batch is repeated as a whole: its composition affects the last
                # bits, and a resumed run must give the same bits as an uninterrupted one.
                if missing[batch.numbers].any():
                    halving.run(fill, batch, halve)
                advance(len(batch.numbers))

    def _batches(
        self, spaced: Sequence[SpacedWords], parts: Sequence[NDArray[np.int64]]
    ) -> Generator[TextBatch, None, None]:
        """Tokenize the sentences of each part, and batch those of similar length."""
        with contextlib.closing(read_ahead(self._reader, spaced, parts)) as ahead:
            for part, pieces in ahead:
                refuse_foreign_tokens(self.loaded, pieces, [spaced[i] for i in part])
                longest = max(len(one.ids) for one in pieces)
                settings = (self.surroundings, self.pooling, self._batch_tokens, longest)
                layout = make_layout(self.loaded, *settings)
                yield from batch_up(part, spaced, pieces, layout)

    def _check_unknown(self, spaced: Sequence[SpacedWords], words: str) -> None:
        """Tell of unknown words, or refuse them, where they are watched."""
        if self._unknown is not None:
            self._unknown.check(spaced, words, self.max_unknown)

    def _origin(self) -> dict[str, object]:
        """Describe where vectors of any layer come from, with the current state of the model."""
        loaded = self._look()
        return {
            "model": loaded.name,
            "revision": loaded.revision,
            "fingerprint": current_fingerprint(loaded),
            **{name: getattr(self, name) for name in ("pooling", "spacing", "bos")},
            "dtype": str(loaded.dtype).removeprefix("torch."),
            **self._choices(),
        }


def unwatched(encoder: Encoder) -> Encoder:
    """Make a copy that does not tell of unknown words, for texts that are not sentences."""
    alone = copy.copy(encoder)
    alone._unknown = None
    return alone
