from __future__ import annotations

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from structprobe.encoder.cache.hdf5 import read_hdf5, write_hdf5
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import StoreError

WORDS = [["the", "dog"], ["x"], ["a", "b", "c"]]


@pytest.fixture
def bank() -> EncodedBank:
    rng = np.random.default_rng(0)
    values = {layer: rng.standard_normal((6, 4)).astype(np.float32) for layer in (0, 3, 5)}
    return EncodedBank(values, np.array([0, 2, 3, 6]), {"model": "m"})


def test_what_is_written_comes_back(bank: EncodedBank, tmp_path: Path) -> None:
    path = write_hdf5(bank, tmp_path / "vectors.hdf5")
    with h5py.File(path) as file:
        assert sorted(file) == ["0", "1", "2"]
        assert file["2"].shape == (3, 3, 4)
        assert np.array_equal(file["2"][1], bank.layer(3)[2])
    for layers in (None, [3], [5, 0]):
        again = read_hdf5(path, WORDS, layers=layers, origin=bank.origin)
        assert again.layers == tuple(sorted(layers or bank.layers))
        assert len(again) == 3
        for layer in again.layers:
            assert np.array_equal(again.layer(layer).values, bank.layer(layer).values)
            assert again.layer(layer).origin == {"model": "m", "layer": layer}


def test_pieces_are_averaged_word_by_word(tmp_path: Path) -> None:
    values = np.arange(2 * 5 * 3, dtype=np.float32).reshape(2, 5, 3)  # [CLS] th ##e dog [SEP]
    with h5py.File(tmp_path / "pieces", "w") as file:
        file["0"] = values
    found = read_hdf5(
        tmp_path / "pieces", [["the", "dog"]], first_layer=1, pieces=[[(1, 3), (3, 4)]]
    )
    assert found.layers == (1, 2)
    for layer in (1, 2):
        expected = [(values[layer - 1, 1] + values[layer - 1, 2]) / 2, values[layer - 1, 3]]
        assert np.array_equal(found.layer(layer)[0], expected)
    with pytest.raises(StoreError, match=r"has 5 vectors, but the sentence has 2 words.*pieces="):
        read_hdf5(tmp_path / "pieces", [["the", "dog"]])
    with pytest.raises(StoreError, match="subwords of a word are not within 0 to 5"):
        read_hdf5(tmp_path / "pieces", [["the", "dog"]], pieces=[[(1, 3), (3, 6)]])
    with pytest.raises(StoreError, match=r"one \(start, end\) for each word"):
        read_hdf5(tmp_path / "pieces", [["the", "dog"]], pieces=[[(1, 3)]])


def test_layers_may_lie_in_any_order(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "turned", "w") as file:
        file["0"] = np.stack([np.full((1, 2), 12.0), np.zeros((1, 2))])
        file.attrs["layers"] = [12, 0]
    found = read_hdf5(tmp_path / "turned", [["a"]])
    assert found.layers == (0, 12)
    assert found.layer(12)[0].tolist() == [[12.0, 12.0]]
    assert read_hdf5(tmp_path / "turned", [["a"]], layers=[12]).layer(12)[0].max() == 12
    with h5py.File(tmp_path / "turned", "r+") as file:
        file.attrs["layers"] = [12, 0, 1]
    with pytest.raises(StoreError, match="lists 3 layers, but has 2"):
        read_hdf5(tmp_path / "turned", [["a"]])


def test_faults_are_told(
    bank: EncodedBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_hdf5(bank, tmp_path / "vectors")
    with pytest.raises(StoreError, match="already exists"):
        write_hdf5(bank, path)
    write_hdf5(bank, path, force=True)
    with pytest.raises(StoreError, match="has 3 datasets, but there are 2 sentences"):
        read_hdf5(path, WORDS[:2])
    with pytest.raises(StoreError, match=r"no layer 4.*layers: 0, 3, 5"):
        read_hdf5(path, WORDS, layers=[4])
    with pytest.raises(StoreError, match="cannot be read"):
        read_hdf5(tmp_path / "none", WORDS)
    (tmp_path / "text").write_text("no HDF5")
    with pytest.raises(StoreError, match="cannot be read"):
        read_hdf5(tmp_path / "text", WORDS)
    with h5py.File(tmp_path / "flat", "w") as file:
        file["0"] = np.ones(3)
    with pytest.raises(StoreError, match=r"dataset 0: has shape \(3,\)"):
        read_hdf5(tmp_path / "flat", [["a", "b"]])
    with h5py.File(tmp_path / "group", "w") as file:
        file.create_group("0")
    with pytest.raises(StoreError, match="dataset 0: has shape None"):
        read_hdf5(tmp_path / "group", [["a"]])
    with h5py.File(tmp_path / "uneven", "w") as file:
        file["0"], file["1"] = np.ones((2, 1, 3)), np.ones((2, 1, 4))
    with pytest.raises(StoreError, match="dataset 1: has 2 layers of width 4, but the first"):
        read_hdf5(tmp_path / "uneven", [["a"], ["b"]])
    with h5py.File(tmp_path / "group", "w") as file:
        pass
    with pytest.raises(StoreError, match="has no sentences"):
        read_hdf5(tmp_path / "group", [])
    with pytest.raises(StoreError, match="cannot write"):
        write_hdf5(bank, tmp_path / "no" / "folder")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(StoreError, match=r"structprobe\[hdf5\]"):
        read_hdf5(path, WORDS)


def with_index(path: Path, sentences: list[list[str]], index: object) -> list[np.ndarray]:
    """A file as AllenNLP and NeuroX write it: vectors by number, and the numbers of sentences."""
    rng = np.random.default_rng(0)
    vectors = [rng.standard_normal((3, len(one), 4)).astype(np.float32) for one in sentences]
    with h5py.File(path, "w") as file:
        for number, own in enumerate(vectors):
            file.create_dataset(str(number), data=own)
        text = file.create_dataset("sentence_to_index", (1,), dtype=h5py.string_dtype())
        text[0] = index if isinstance(index, str) else json.dumps(index)
    return vectors


def test_the_index_of_allennlp_is_no_sentence_and_is_checked(tmp_path: Path) -> None:
    words = [["the", "dog"], ["x"], ["größe", "b", "c"], ["x"]]
    # Of a sentence that occurs twice, the index names the last.
    vectors = with_index(tmp_path / "elmo", words, {"the dog": "0", "x": "3", "größe b c": "2"})
    found = read_hdf5(tmp_path / "elmo", words)
    assert (found.layers, len(found)) == ((0, 1, 2), 4)
    for layer in found.layers:
        for own, expected in zip(found.layer(layer), vectors, strict=True):
            assert np.array_equal(own, expected[layer])
    told = r"sentence 0 \(counted from 0\), 'the cat', is not sentence 0 of sentence_to_index"
    with pytest.raises(StoreError, match=told):
        read_hdf5(tmp_path / "elmo", [["the", "cat"], *words[1:]])
    with pytest.raises(StoreError, match="is not sentence 1 of"):  # in another order
        read_hdf5(tmp_path / "elmo", [words[0], words[2], words[1], words[3]])
    with pytest.raises(StoreError, match="has 4 datasets, but there are 3 sentences"):
        read_hdf5(tmp_path / "elmo", words[:3])
    for broken in ("not JSON", "[1]"):
        with_index(tmp_path / "broken", words, broken)
        with pytest.raises(StoreError, match="sentence_to_index is "):
            read_hdf5(tmp_path / "broken", words)


def test_sentences_may_be_the_names_of_datasets(tmp_path: Path) -> None:
    words = [["the", "dog"], ["a", "b", "c"]]
    rng = np.random.default_rng(0)
    vectors = [rng.standard_normal((2, len(one), 4)) for one in words]
    with h5py.File(tmp_path / "keys", "w") as file:
        for one, own in zip(words, vectors, strict=True):
            file.create_dataset(" ".join(one), data=own)
    found = read_hdf5(tmp_path / "keys", words[::-1], layers=[1])
    assert np.array_equal(found.layer(1)[0], vectors[1][1])
    assert np.array_equal(found.layer(1)[1], vectors[0][1])
    with pytest.raises(StoreError, match="has 0 datasets, but there are 1 sentences"):
        read_hdf5(tmp_path / "keys", [["no", "such"]])


def test_a_single_layer_may_lack_its_axis(tmp_path: Path) -> None:
    values = np.arange(6.0).reshape(2, 3)
    with h5py.File(tmp_path / "top", "w") as file:
        file["0"] = values
    found = read_hdf5(tmp_path / "top", [["a", "b"]], first_layer=12)
    assert found.layers == (12,)
    assert np.array_equal(found.layer(12)[0], values)
    means = read_hdf5(tmp_path / "top", [["ab"]], pieces=[[(0, 2)]])
    assert np.array_equal(means.layer(0)[0], values.mean(axis=0, keepdims=True))


def test_a_dataset_copied_to_another_file_is_read(bank: EncodedBank, tmp_path: Path) -> None:
    path = write_hdf5(bank, tmp_path / "vectors")
    with h5py.File(path) as source, h5py.File(tmp_path / "subset", "w") as target:
        source.copy("1", target, "0")
    with pytest.raises(StoreError, match="does not say which layers it has; copy the attribute"):
        read_hdf5(tmp_path / "subset", WORDS[1:2])
    with h5py.File(path) as source, h5py.File(tmp_path / "subset", "r+") as target:
        target.attrs["layers"] = source.attrs["layers"]
    found = read_hdf5(tmp_path / "subset", WORDS[1:2])
    assert np.array_equal(found.layer(3)[0], bank.layer(3)[1])


def test_changed_vectors_and_layers_are_found(bank: EncodedBank, tmp_path: Path) -> None:
    path = write_hdf5(bank, tmp_path / "vectors")
    with h5py.File(path, "r+") as file:
        file["1"][0, 0, 0] += 1
    with pytest.raises(StoreError, match="dataset 1: was changed after it was written"):
        read_hdf5(path, WORDS)
    write_hdf5(bank, path, force=True)
    with h5py.File(path, "r+") as file:
        file.attrs.modify("layers", np.array([0, 2, 5]))
    with pytest.raises(StoreError, match="layers: was changed after it was written"):
        read_hdf5(path, WORDS)
