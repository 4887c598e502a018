"""Pieces that are cut ahead on another thread: the same, in order, and the thread ends."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.closeness import assert_same_vectors
from support.models import TOKENIZERS, tiny_model, wordpiece

from structprobe.encoder import Encoder
from structprobe.encoder import encoder as encoder_module
from structprobe.encoder.subwords import prefetch as ahead
from structprobe.encoder.subwords.pieces import Pieces
from structprobe.encoder.subwords.prefetch import make_parts, read_ahead
from structprobe.encoder.subwords.sentences import SpacedWords, space_sentences
from structprobe.encoder.subwords.tokenizing import make_reader
from structprobe.errors import EncoderError

WORDS = ["the", "dog", "that", "chased", "the", "cat", "ran", "unbelievable"]
SENTENCES = [(WORDS * 4)[i % 5 : 1 + i % 5 + 7 * i % 19] for i in range(40)]
PART = 60  # words: SENTENCES make seven parts
WAIT = 30  # seconds, after which a thread that should have come is given up


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("structprobe-pieces")]


def encoder_of(model: str = "bert", tokenizer: str = "wordpiece") -> Encoder:
    cutter = TOKENIZERS[tokenizer]()
    return Encoder(tiny_model(model, cutter), tokenizer=cutter, batch_tokens=50)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Cut SENTENCES in parts; these are they."""
    monkeypatch.setattr(ahead, "PART_WORDS", PART)
    parts = make_parts(np.array(list(map(len, SENTENCES))))
    assert len(parts) == 7
    return parts


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "nobody did it"
        time.sleep(0.01)


class Told:
    """A reader that tells which sentences it was given, and may be held up or fail."""

    def __init__(self, hold: dict[str, threading.Event] | None = None, fail: str = "") -> None:
        self.begun: list[str] = []
        self.read_so_far: list[str] = []
        self.on_threads: set[str] = set()
        self._hold, self._fail = hold or {}, fail

    def read(self, sentences: Sequence[SpacedWords]) -> list[Any]:
        self.on_threads.add(threading.current_thread().name)
        for sentence in sentences:
            (word,) = sentence.words
            self.begun.append(word)
            if word in self._hold:
                assert self._hold[word].wait(WAIT), "nobody let it go on"
            if word == self._fail:
                raise EncoderError(f"{word} cannot be cut", where=sentence.where)
            self.read_so_far.append(word)
        return [sentence.words[0].upper() for sentence in sentences]


LETTERS = space_sentences([[letter] for letter in "abcdef"], "words")
PAIRS = [np.array([4, 5]), np.array([2, 3]), np.array([0, 1])]


def test_parts_by_hand() -> None:
    # In order of length: sentences 1 (5 words), 2 (3), 0 and 3 (2), 4 (1); 13 words in 3 parts.
    parts = make_parts(np.array([2, 5, 3, 2, 1]), 6)
    assert [part.tolist() for part in parts] == [[1], [2], [0, 3, 4]]
    assert [part.tolist() for part in make_parts(np.array([2, 5, 3, 2, 1]), 13)] == [
        [0, 1, 2, 3, 4]
    ]
    assert make_parts(np.array([], np.int64)) == []


@given(st.lists(st.integers(0, 30), max_size=60), st.integers(1, 80))
def test_parts_lose_nobody_and_go_by_length(given: list[int], most: int) -> None:
    lengths = np.array(given, np.int64)
    parts = make_parts(lengths, most)
    assert sorted(i for part in parts for i in part.tolist()) == list(range(len(given)))
    for part in parts:
        assert part.tolist() == sorted(part.tolist())
        assert lengths[part].sum() <= most + lengths.max() + 1
    for part, following in pairwise(parts):
        assert lengths[part].min() >= lengths[following].max()
    if lengths.sum() <= most:
        assert len(parts) <= 1


def test_parts_come_in_their_order_from_one_other_thread() -> None:
    reader = Told()
    found = [(part.tolist(), pieces) for part, pieces in read_ahead(reader, LETTERS, PAIRS)]
    assert found == [([4, 5], ["E", "F"]), ([2, 3], ["C", "D"]), ([0, 1], ["A", "B"])]
    assert reader.read_so_far == list("efcdab")
    assert len(reader.on_threads) == 1
    assert threading.current_thread().name not in reader.on_threads
    assert list(read_ahead(reader, LETTERS, [])) == []
    assert threads() == []


def test_the_next_part_is_cut_meanwhile_and_no_more_than_that() -> None:
    while_first = (
        threading.Event()
    )  # set by whoever is at the first part: it runs beside the second
    reader = Told(hold={"d": while_first})
    with contextlib.closing(read_ahead(reader, LETTERS, PAIRS)) as parts:
        assert next(parts)[1] == ["E", "F"]
        while_first.set()
        assert next(parts)[1] == ["C", "D"]
    reader = Told()
    with contextlib.closing(read_ahead(reader, LETTERS, PAIRS)) as parts:
        next(parts)
        wait_until(lambda: len(reader.read_so_far) == 4)
        time.sleep(0.1)  # time to do what it must not
        assert reader.read_so_far == list("efcd")


def test_an_error_comes_when_its_part_would() -> None:
    parts = read_ahead(Told(fail="d"), LETTERS, PAIRS)
    assert next(parts)[1] == ["E", "F"]
    with pytest.raises(EncoderError, match=r"^sentence 3: d cannot be cut"):
        next(parts)
    assert threads() == []


def test_whoever_leaves_early_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_STEP", 1)
    go_on = threading.Event()
    reader = Told(hold={"c": go_on})

    def leave() -> None:
        with contextlib.closing(read_ahead(reader, LETTERS, PAIRS)) as parts:
            next(parts)
            wait_until(lambda: "c" in reader.begun)
            threading.Timer(0.2, go_on.set).start()  # when the iterator is being closed
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert reader.read_so_far == list("efc")  # what it was at, and nothing behind it
    assert threads() == []


@pytest.mark.parametrize(
    ("model", "tokenizer"),
    [("bert", "wordpiece"), ("gpt2", "gpt2_bpe"), ("t5", "unigram"), ("bert", "slow_words")],
)
def test_vectors_are_those_without_a_thread(
    small_parts: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, model: str, tokenizer: str
) -> None:
    def at_once(reader: Any, sentences: Any, parts: Any) -> Iterator[Any]:
        assert len(parts) == len(small_parts)
        yield from [(part, reader.read([sentences[i] for i in part])) for part in parts]

    encoder = encoder_of(model, tokenizer)
    on_thread = encoder.encode(SENTENCES)
    assert threads() == []
    with monkeypatch.context() as patch:
        patch.setattr(encoder_module, "read_ahead", at_once)
        without = encoder.encode(SENTENCES)
    monkeypatch.setattr(ahead, "PART_WORDS", 10_000)
    in_one_part = encoder.encode(SENTENCES)
    for layer in on_thread.layers:
        one = on_thread.layer(layer).values
        assert np.array_equal(one, without.layer(layer).values)
        # Other batches: the same but for rounding.
        assert_same_vectors(one, in_one_part.layer(layer).values)


def test_an_interrupted_run_goes_on_and_reads_only_what_is_missing(
    small_parts: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    encoder = encoder_of()
    undisturbed = encoder.encode(SENTENCES)
    write, n_left = encoder_module.VectorStore.write, small_parts[0].size + small_parts[1].size + 1

    def stop_in_third_part(store: Any, sentences: Any, vectors: Any) -> None:
        write(store, sentences, vectors)
        if len(SENTENCES) - store.missing.size >= n_left:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(encoder_module.VectorStore, "write", stop_in_third_part)
        with pytest.raises(KeyboardInterrupt):
            encoder.encode(SENTENCES, cache=tmp_path)
    assert threads() == []
    seen: list[SpacedWords] = []
    read = encoder._reader.read
    monkeypatch.setattr(encoder._reader, "read", lambda some: [seen.extend(some), read(some)][1])
    bank = encoder.encode(SENTENCES, cache=tmp_path, progress=True)
    assert "40/40" in capsys.readouterr().err
    again = sorted(int(sentence.where.removeprefix("sentence ")) for sentence in seen)
    assert again == sorted(np.concatenate(small_parts[2:]).tolist())
    for layer in bank.layers:
        assert np.array_equal(bank.layer(layer).values, undisturbed.layer(layer).values)


def test_a_word_that_cannot_be_cut_stops_the_run_where_it_stands(
    small_parts: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of()
    read, last = encoder._reader.read, f"sentence {small_parts[-1][0]}"

    def fail_at_last(some: Sequence[SpacedWords]) -> list[Pieces]:
        if any(sentence.where == last for sentence in some):
            raise EncoderError("it has no subword", where=last)
        return read(some)

    with monkeypatch.context() as patch:
        patch.setattr(encoder._reader, "read", fail_at_last)
        with pytest.raises(EncoderError, match=rf"^{last}: it has no subword"):
            encoder.encode(SENTENCES, cache=tmp_path)
    assert threads() == []
    n_runs, run = 0, encoder_module.word_vectors

    def count(*args: Any) -> Any:
        nonlocal n_runs
        n_runs += 1
        return run(*args)

    monkeypatch.setattr(encoder_module, "word_vectors", count)
    encoder.encode(SENTENCES, cache=tmp_path)
    last_part = encoder._batches(space_sentences(SENTENCES, "words"), small_parts[-1:])
    assert n_runs == len(list(last_part))  # those before were kept


def test_pieces_of_three_parts_at_most_are_held(
    small_parts: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of()
    run, held = encoder_module.word_vectors, []

    def look(*args: Any) -> Any:
        held.append(sum(type(one) is Pieces for one in gc.get_objects()))
        return run(*args)

    monkeypatch.setattr(encoder_module, "word_vectors", look)
    gc.collect()
    gc.freeze()  # what was there before is not looked at, and not looked through each time
    try:
        encoder.encode(SENTENCES * 5)
    finally:
        gc.unfreeze()
    parts = make_parts(np.array(list(map(len, SENTENCES * 5))))
    assert max(held) <= 3 * max(map(len, parts)) < 5 * len(SENTENCES)
    assert min(held) > 0


def test_the_real_reader_gives_the_same_ahead() -> None:
    reader, sentences = make_reader(wordpiece()), space_sentences(SENTENCES, "words")
    parts = make_parts(np.array(list(map(len, SENTENCES))), PART)
    for part, found in read_ahead(reader, sentences, parts):
        for i, one in zip(part, found, strict=True):
            (alone,) = reader.read([sentences[i]])
            assert np.array_equal(one.ids, alone.ids)
            assert np.array_equal(one.links, alone.links)
