"""How time and memory grow with the data and with the length of a sentence."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import inside
from benchmarks.clock import in_own_process, peak_of_own, timed
from benchmarks.plan import HIDDEN_SIZE, LAYER, RANK, Plan
from benchmarks.table import Line, number
from structprobe import StructuralProbe
from structprobe.encoder.vectors import WordVectors

SHARES = (8, 4, 2, 1)  # one sentence of so many
LENGTHS = (16, 32, 64, 128, 256, 512)
TRAIN_WORDS, ENCODE_WORDS = 32_768, 8_192  # in all, whatever the length of the sentences
STREAM_STEPS = 50


def scale(plan: Plan) -> Iterator[Line]:
    """Measure all growth, one kind after another."""
    in_own_process(fill_cache, plan)
    yield in_own_process(train_by_sentences, plan)
    yield in_own_process(encode_by_sentences, plan)
    yield in_own_process(train_by_length, plan)
    yield in_own_process(encode_by_length, plan)
    yield in_own_process(long_sentence, LENGTHS[-1])
    yield streaming("train one layer", train_streamed, plan)
    yield streaming("encode into the store", encode_streamed, plan)


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Fit the power of the size with which the seconds grow, by least squares of logarithms.

    Examples
    --------
    >>> round(exponent([1, 2, 4], [3, 12, 48]), 6)
    2.0
    """
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def fill_cache(plan: Plan) -> None:
    """Have the vectors of train there."""
    plan.vectors("train", LAYER)


def train_by_sentences(plan: Plan) -> Line:
    """One distance epoch on more and more of EWT train."""
    bank, encoded = plan.vectors("train", LAYER)
    vectors = encoded.layer(LAYER)
    seconds = [
        inside.distance_epochs(
            [vectors[i] for i in range(0, len(bank), share)], bank[::share]
        ).ours.cpu
        for share in SHARES
    ]
    return _linear("one distance epoch", seconds)


def encode_by_sentences(plan: Plan) -> Line:
    """All layers of more and more of EWT train, into the store."""
    bank, encoder = plan.bank("train"), plan.encoder()
    encoder.encode(bank[:64], progress=False)  # warm
    seconds = []
    for share in SHARES:
        with tempfile.TemporaryDirectory(dir=plan.cache) as folder:
            part = bank[::share]
            seconds.append(_once(partial(encoder.encode, part, cache=folder, progress=False)))
    return _linear("encode, all layers", seconds)


def train_by_length(plan: Plan) -> Line:
    """One distance epoch on as many words, in longer and longer sentences."""
    del plan
    made = (made_up(TRAIN_WORDS // n, n) for n in LENGTHS)
    seconds = [inside.distance_epochs(*one).ours.cpu for one in made]
    return _by_length("one distance epoch", TRAIN_WORDS, seconds)


def encode_by_length(plan: Plan) -> Line:
    """As many words, in longer and longer sentences, through the model."""
    encoder = plan.encoder()
    words = list(islice(chain.from_iterable(s.words for s in plan.bank("dev")), ENCODE_WORDS))
    texts = [[words[i : i + n] for i in range(0, len(words), n)] for n in LENGTHS]
    seconds = [_once(partial(encoder.encode, text, progress=False)) for text in (texts[0], *texts)]
    return _by_length("encode, all layers", len(words), seconds[1:])  # the first was to get warm


def long_sentence(n: int) -> Line:
    """One long sentence in a batch of ordinary ones."""
    (short, short_heads), (long, long_heads) = made_up(31, 20), made_up(1, n)
    whole = [*short, *long], [*short_heads, *long_heads]
    memory = inside.fit_memory(*whole, warm=(short, short_heads))
    return Line(
        f"training on a batch with one {n}-word sentence, above the resident data",
        f"{number(memory)} MB",
        "under 200 MB",
        memory < 200,
    )


def streaming(name: str, stage: Callable[[Plan, int], float], plan: Plan) -> Line:
    """Peak memory of a stage on EWT train, and on four times that, each in its own process."""
    one, four = (in_own_process(stage, plan, times) for times in (1, 4))
    return Line(
        f"peak memory, {name}, at 1 and 4 × the data",
        f"{number(one)} and {number(four)} MB: {number(four / one)} ×",
        "within 20 %",
        four / one <= 1.2,
    )


def train_streamed(plan: Plan, times: int) -> float:
    """Train on vectors on disk, so many times EWT train."""
    heads = [sentence.heads for sentence in plan.bank("train")] * times
    offsets = np.cumsum([0, *map(len, heads)])
    with tempfile.TemporaryDirectory(dir=plan.cache) as folder:
        values = _random_file(Path(folder) / "vectors.npy", int(offsets[-1]))
        vectors = WordVectors(values, offsets)
        probe = StructuralProbe(
            rank=RANK, max_steps=STREAM_STEPS, random_state=0, device="cpu", **inside.STREAMED
        )
        dev = made_up(64, 20)
        return peak_of_own(lambda: probe.fit(vectors, heads, dev=dev))


def encode_streamed(plan: Plan, times: int) -> float:
    """Encode so many times EWT train, one layer kept."""
    encoder, bank = plan.encoder(), [s.words for s in plan.bank("train")] * times
    with tempfile.TemporaryDirectory(dir=plan.cache) as folder:
        return peak_of_own(lambda: encoder.encode(bank, layers=LAYER, cache=folder, progress=False))


def made_up(n_sentences: int, n: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.int64]]]:
    """Draw vectors, (n, hidden_size) each, and trees in which every head comes before its words."""
    rng = np.random.default_rng(n)
    vectors = [rng.normal(size=(n, HIDDEN_SIZE)).astype(np.float32) for _ in range(n_sentences)]
    heads = [
        np.array([0, *(rng.integers(1, i + 1) for i in range(1, n))]) for _ in range(n_sentences)
    ]
    return vectors, heads


def _random_file(path: Path, n_words: int) -> Any:
    """Write random vectors by ordinary I/O, and map them."""
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        for start in range(0, n_words, 8192):
            rows = min(8192, n_words - start)
            file.write(rng.standard_normal((rows, HIDDEN_SIZE), dtype=np.float32).tobytes())
    return np.memmap(path, np.float32, "r", shape=(n_words, HIDDEN_SIZE))


def _once(call: Callable[[], object]) -> float:
    return timed(call, repeats=1, warm_up=False).cpu


def _linear(name: str, seconds: Sequence[float]) -> Line:
    """Hold growth with sentences to a straight line."""
    grown = exponent([1 / share for share in SHARES], seconds)
    told = ", ".join(map(number, seconds))
    return Line(
        f"{name} at {', '.join(f'1/{share}' for share in SHARES[:-1])} and all of EWT train",
        f"{told} CPU s: exponent {grown:.2f}",
        "exponent 1.0 ± 0.1",
        abs(grown - 1) <= 0.1,
    )


def _by_length(name: str, n_words: int, seconds: Sequence[float]) -> Line:
    """Tell growth with the length of sentences; nothing to hold it to."""
    told = ", ".join(number(one / n_words * 1e6) for one in seconds)
    return Line(
        f"{name}, a word, in sentences of {', '.join(map(str, LENGTHS))} words",
        f"{told} CPU µs: exponent {exponent(LENGTHS, seconds):.2f}",
        "–",
        True,
    )
