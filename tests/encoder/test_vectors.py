"""Ragged views: indexing, slices, pickles that stay on the map."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structprobe.encoder.vectors import EncodedBank, WordVectors, pack
from structprobe.errors import EncoderError, StoreError

OFFSETS = [0, 2, 5, 5, 10]


@pytest.fixture
def values():
    return np.arange(40, dtype=np.float32).reshape(10, 4)


@pytest.fixture
def mapped(values, tmp_path):
    np.save(tmp_path / "values.npy", values)
    return np.load(tmp_path / "values.npy", mmap_mode="r")


def test_indexing_gives_views_of_one_sentence(values):
    vectors = WordVectors(values, OFFSETS)
    assert len(vectors) == 4
    assert vectors.hidden_size == 4
    assert not hasattr(vectors, "shape")
    np.testing.assert_array_equal(vectors[1], values[2:5])
    np.testing.assert_array_equal(vectors[np.int64(-1)], values[5:10])
    assert vectors[2].shape == (0, 4)
    assert np.shares_memory(vectors[0], values)
    assert [len(sentence) for sentence in vectors] == [2, 3, 0, 5]
    assert isinstance(vectors.offsets, np.ndarray)


@pytest.mark.parametrize("index", [4, -5, np.int32(9)])
def test_a_sentence_that_is_not_there(values, index):
    with pytest.raises(IndexError, match="there are 4"):
        WordVectors(values, OFFSETS)[index]


@pytest.mark.parametrize("index", ["a", 1.5, [0, 1]])
def test_no_other_index(values, index):
    with pytest.raises(TypeError):
        WordVectors(values, OFFSETS)[index]


@given(
    start=st.integers(-6, 6), stop=st.integers(-6, 6), step=st.sampled_from([None, 1, 2, -1, -3])
)
def test_slices_are_what_lists_give(start, stop, step):
    values = np.arange(40, dtype=np.float32).reshape(10, 4)
    origin = {"model": "m", "layer": 3}
    vectors = WordVectors(values, OFFSETS, origin)
    part = vectors[start:stop:step]
    expected = list(vectors)[start:stop:step]
    assert isinstance(part, WordVectors)
    assert len(part) == len(expected)
    assert part.offsets[0] == 0
    assert part.offsets[-1] == len(part.values)
    assert dict(part.origin) == origin
    for ours, theirs in zip(part, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_any_sentences_can_be_taken_in_any_order(values):
    vectors = WordVectors(values, OFFSETS, {"layer": 3})
    taken = vectors.take([3, 0, 3])
    assert taken.offsets.tolist() == [0, 5, 7, 12]
    for own, number in zip(taken, (3, 0, 3), strict=True):
        np.testing.assert_array_equal(own, vectors[number])
    assert taken.origin == {"layer": 3}
    assert len(vectors.take([])) == 0
    with pytest.raises(IndexError, match="sentence 4 is out of range"):
        vectors.take([4])


def test_a_slice_of_step_one_copies_nothing(values):
    assert np.shares_memory(WordVectors(values, OFFSETS)[1:3].values, values)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([0, 5], "end at 5"),
        ([1, 10], "starts at 0"),
        ([0, 6, 4, 10], "never decreases"),
        ([], "starts"),
    ],
)
def test_offsets_that_do_not_fit(values, offsets, message):
    with pytest.raises(EncoderError, match=message):
        WordVectors(values, np.array(offsets, dtype=int))


def test_values_must_be_a_matrix():
    with pytest.raises(EncoderError, match=r"shape \(3,\)"):
        WordVectors(np.zeros(3), [0, 3])


def test_plain_arrays_pickle_as_arrays(values):
    again = pickle.loads(pickle.dumps(WordVectors(values, OFFSETS, {"layer": 1})[1:]))
    np.testing.assert_array_equal(again.values, values[2:])
    assert list(again.offsets) == [0, 3, 3, 8]
    assert again.origin == {"layer": 1}
    assert WordVectors(values, OFFSETS).__reduce__()[1][2] is None


def test_mapped_vectors_pickle_as_their_place(mapped, values):
    part = WordVectors(mapped, OFFSETS)[1:3]
    packed = pickle.dumps(part)
    path, dtype, offset, shape = pack(part.values)
    assert path.endswith("values.npy")
    assert (dtype, shape) == ("<f4", (3, 4))
    assert offset == 128 + 2 * 4 * 4
    again = pickle.loads(packed)
    np.testing.assert_array_equal(again.values, values[2:5])
    assert isinstance(again.values.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        again.values[0] = 1
    empty = pickle.loads(pickle.dumps(WordVectors(mapped, OFFSETS)[2:3]))
    assert empty.values.shape == (0, 4)


def test_a_pickle_whose_map_is_gone_says_so(mapped, tmp_path):
    packed = pickle.dumps(WordVectors(mapped, OFFSETS))
    (tmp_path / "values.npy").unlink()
    with pytest.raises(StoreError, match=r"values\.npy.*encode the treebank again"):
        pickle.loads(packed)


def test_part_of_the_columns_pickles_as_an_array(mapped, values):
    packed = pack(np.asarray(mapped)[:, :2])
    np.testing.assert_array_equal(packed, values[:, :2])
    assert packed.base is None or not isinstance(packed.base, np.memmap)


def test_repr_tells_size_and_source(values):
    assert repr(WordVectors(values, OFFSETS)) == (
        "<WordVectors: 4 sentences, 10 words, 4 wide, float32>"
    )
    named = WordVectors(values, OFFSETS, {"model": "bert", "layer": 7})
    assert repr(named).endswith("float32, layer 7 of bert>")


def test_a_bank_of_many_layers_shows_them_shortly(values):
    bank = EncodedBank(dict.fromkeys([0, 1, 3, 4, 5, 12], values), OFFSETS, {"model": "<b>"})
    assert "layers 0, 1, 3-5, 12, 4 wide, float32, of <b>>" in repr(bank)
    assert "<b>" not in bank._repr_html_()
    assert repr(EncodedBank({}, [0])) == (
        "<EncodedBank: 0 sentences, 0 words, layers none, 0 wide, float64>"
    )


def test_a_bank_says_how_to_get_at_its_sentences(values):
    bank = EncodedBank({7: values}, OFFSETS)
    for attempt in (lambda: [*bank], lambda: bank[0], lambda: list(bank)):
        with pytest.raises(TypeError, match=r"holds several layers: use bank.layer\(7\)"):
            attempt()


def test_a_bank_gives_its_layers_and_names_them(values, mapped):
    bank = EncodedBank({7: mapped, 0: values + 1}, OFFSETS, {"model": "bert"})
    assert bank.layers == (0, 7)
    assert len(bank) == 4
    assert repr(bank) == (
        "<EncodedBank: 4 sentences, 10 words, layers 0, 7, 4 wide, float32, of bert>"
    )
    assert ">layers</th>" in bank._repr_html_()
    with pytest.raises(EncoderError, match=r"'encoder\.layer\.3' is not a layer number; "):
        bank.layer("encoder.layer.3")
    layer = bank.layer(np.int64(7))
    assert layer.origin == {"model": "bert", "layer": 7}
    np.testing.assert_array_equal(layer[1], values[2:5])
    again = pickle.loads(pickle.dumps(bank))
    assert again.layers == (0, 7)
    np.testing.assert_array_equal(again.layer(0).values, values + 1)
    for wrong in (1, -1):
        with pytest.raises(
            EncoderError, match=rf"layer {wrong} was not encoded \(available: 0, 7\)"
        ):
            bank.layer(wrong)
