from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.closeness import assert_same_vectors
from support.models import TOKENIZERS, tiny_model
from support.slow_encoding import layers_of

from structprobe.encoder import Encoder
from structprobe.encoder.subwords.windows import choose_windows, cut_windows, word_extents
from structprobe.errors import EncoderError


def links_of(*lengths: int) -> np.ndarray:
    """Words of so many pieces, one behind the other."""
    words = np.repeat(np.arange(len(lengths)), lengths)
    return np.stack([np.arange(len(words)), words], axis=1)


def test_what_fits_is_one_window() -> None:
    links = links_of(1, 2, 1)
    windows = cut_windows(links, 4, 4)
    assert windows.tolist() == [[0, 4]]
    assert choose_windows(links, windows, 4, True).tolist() == [0, 0, 0, 0]


def test_windows_overlap_by_half() -> None:
    links = links_of(*[1] * 9)
    windows = cut_windows(links, 9, 4)
    assert windows.tolist() == [[0, 4], [2, 6], [4, 8], [5, 9]]
    # Both sides: word 2 has 1 piece to its right in window 0 and 0 to its left in window 1.
    assert choose_windows(links, windows, 9, True).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
    # The left alone: as many pieces before the word as there are.
    assert choose_windows(links, windows, 9, False).tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 3]


def test_a_word_is_not_torn_where_a_window_holds_it() -> None:
    links = links_of(1, 2, 2, 1)
    windows = cut_windows(links, 6, 4)
    assert windows.tolist() == [[0, 4], [2, 6]]
    assert choose_windows(links, windows, 6, True).tolist() == [0, 0, 0, 1, 1, 1]


def test_a_word_longer_than_the_overlap_gets_a_window_of_its_own() -> None:
    links = links_of(1, 4, 5)  # pieces 1 to 4 lie in no window of 0-4, 2-6, 4-8, 6-10
    windows = cut_windows(links, 10, 4)
    assert windows.tolist() == [[0, 4], [1, 5], [2, 6], [4, 8], [6, 10]]
    chosen = choose_windows(links, windows, 10, True)
    assert chosen[1:5].tolist() == [1, 1, 1, 1]
    # The last word is longer than a window: each piece where it has most context.
    assert chosen[5:].tolist() == [3, 3, 4, 4, 4]


@settings(max_examples=200, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    size=st.integers(1, 8),
    reads_right=st.booleans(),
)
def test_every_word_comes_from_its_best_window(
    lengths: list[int], size: int, reads_right: bool
) -> None:
    links = links_of(*lengths)
    n_pieces = len(links)
    windows = cut_windows(links, n_pieces, size)
    assert windows[0, 0] == 0
    assert windows[-1, 1] == n_pieces
    assert (np.diff(windows) == min(size, n_pieces)).all()
    chosen = choose_windows(links, windows, n_pieces, reads_right)

    def context(first: int, last: int, window: list[int]) -> float:
        start, end = window
        left = np.inf if start == 0 else first - start
        right = np.inf if end == n_pieces or not reads_right else end - 1 - last
        return -1 if first < start or last >= end else min(left, right)

    for word, length in enumerate(lengths):
        mine = links[:, 1] == word
        pieces = links[mine, 0]
        stretches = [(pieces[0], pieces[-1])] if length <= size else [(p, p) for p in pieces]
        picked = chosen[mine]
        if length <= size:
            assert len(set(picked)) == 1
        for (first, last), number in zip(stretches, picked, strict=False):
            best = max(context(first, last, window) for window in windows.tolist())
            assert context(first, last, windows[number].tolist()) == best >= 0


def test_extents_of_words_that_share_a_piece() -> None:
    first, last = word_extents(np.array([[0, 0], [1, 0], [1, 1], [3, 1]]))
    assert first.tolist() == [0, 1]
    assert last.tolist() == [1, 3]


WORDS = [list("abcdefghijklmnopqrstuvwxyz")[:23]]


@pytest.mark.parametrize(
    ("model", "tokenizer"),
    [
        ("bert", "wordpiece"),
        ("roberta", "roberta_bpe"),
        ("gpt2", "gpt2_bpe"),
        ("llama", "llama_bpe"),
    ],
)
def test_a_long_sentence_by_hand(model: str, tokenizer: str) -> None:
    positions = 12
    encoder, around, ids = _encoder_and_pieces(model, tokenizer, positions, WORDS[0])
    size = positions - len(around[0]) - len(around[1])
    assert len(ids) > size
    vectors = encoder.encode(WORDS, layers=(1, 3))
    causal = model in ("gpt2", "llama")
    links = _links(encoder, WORDS[0])
    for word in range(len(WORDS[0])):
        mine = [piece for piece, owner in links if owner == word]
        best = None
        for start in [*range(0, len(ids) - size, size // 2), len(ids) - size]:
            end = start + size
            left = np.inf if start == 0 else mine[0] - start
            right = np.inf if causal or end == len(ids) else end - 1 - mine[-1]
            inside = start <= mine[0] and mine[-1] < end
            if inside and (best is None or min(left, right) > best[0]):
                best = (min(left, right), start)
        assert best is not None
        start = best[1]
        layers = layers_of(encoder.model, _row(around, ids[start : start + size]))
        for layer in (1, 3):
            places = [piece - start + len(around[0]) for piece in mine]
            expected = layers[layer][places].numpy().mean(0)
            assert_same_vectors(vectors.layer(layer)[0][word], expected)


def test_a_word_longer_than_the_model_by_hand() -> None:
    words = ["ab", "xyzzyxqwvkjh" * 2, "c"]
    encoder, around, ids = _encoder_and_pieces("gpt2", "gpt2_bpe", 8, words, batch_tokens=8)
    vectors = encoder.encode([words, ["the"]], layers=3).layer(3)
    mine = [piece for piece, owner in _links(encoder, words) if owner == 1]
    assert len(mine) > 8
    found = []
    starts = [*range(0, len(ids) - 8, 4), len(ids) - 8]
    for piece in mine:  # each from the window that has most to its left
        start = next(s for s in starts if s <= piece < s + 8)
        hidden = layers_of(encoder.model, _row(around, ids[start : start + 8]))[3]
        found.append(hidden[piece - start].numpy())
    # Of two windows the first leaves more to the left; a window at the start cuts nothing off.
    assert_same_vectors(vectors[0][1], np.mean(found, axis=0))


def test_a_sentence_without_limit_is_one_window() -> None:
    tokenizer = TOKENIZERS["unigram"]()
    model = tiny_model("t5", tokenizer)
    words = WORDS[0] * 40
    bank = Encoder(model, tokenizer=tokenizer, batch_tokens=64).encode([words], layers=3)
    ids = tokenizer(" ".join(words), return_tensors="pt")["input_ids"]
    hidden = layers_of(model, ids)[3].numpy()
    last = [i for i, token in enumerate(tokenizer.convert_ids_to_tokens(ids[0])) if "w" in token]
    np.testing.assert_allclose(bank.layer(3)[0][-1], hidden[last[-1]], rtol=1e-4, atol=1e-4)


def test_a_model_without_room_for_a_word_is_refused() -> None:
    tokenizer = TOKENIZERS["wordpiece"]()
    encoder = Encoder(tiny_model("bert", tokenizer, positions=8), tokenizer=tokenizer)
    object.__setattr__(encoder.loaded, "max_positions", 2)
    with pytest.raises(EncoderError, match="at most 2 positions, which leaves none for a word"):
        encoder.encode([["a"]])


def _encoder_and_pieces(
    model: str, tokenizer: str, positions: int, words: list[str], **options: Any
) -> tuple[Encoder, Any, list[int]]:
    cutter = TOKENIZERS[tokenizer]()
    encoder = Encoder(tiny_model(model, cutter, positions=positions), tokenizer=cutter, **options)
    bare = cutter(" ".join(words), add_special_tokens=False, truncation=False)["input_ids"]
    full = cutter(" ".join(words), truncation=False, padding=False)["input_ids"]
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return encoder, (full[:start], full[start + len(bare) :]), bare


def _links(encoder: Encoder, words: list[str]) -> list[list[int]]:
    from structprobe.encoder.subwords.sentences import space_sentences

    (pieces,) = encoder._reader.read(space_sentences([words], "words"))
    return pieces.links.tolist()


def _row(around: Any, ids: list[int]) -> Any:
    import torch

    return torch.tensor([[*around[0], *ids, *around[1]]])
