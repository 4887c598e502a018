"""Shards that several processes write read as one store, whatever befalls the processes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.closeness import assert_same_vectors
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank
from support.vector_writer import KEY, expected, fill, filled, in_subprocess, open_at

from structprobe import Encoder
from structprobe.encoder.cache.layer_file import LayerFile
from structprobe.encoder.cache.shards import Shard, belongs, cut, shards_begun
from structprobe.errors import StoreError

FIRST, SECOND = Shard(1, 2), Shard(2, 2)  # sentences 0 to 3 (8 words), and 4 (6 words)


def same_files(one, other):
    for layer in (0, 2):
        name = f"layer-{layer:02d}.npy"
        assert (one / name).read_bytes() == (other / name).read_bytes()


def left_over(folder):
    return [path for path in folder.iterdir() if path.suffix in (".part", ".journal")]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 9))
def test_work_is_cut_evenly(lengths, count):
    offsets = np.cumsum([0, *lengths])
    cuts = cut(offsets, count)
    assert cuts[0] == 0
    assert cuts[-1] == len(lengths)
    assert (np.diff(cuts) >= 0).all()
    words = np.diff(offsets[cuts])
    assert words.max() <= offsets[-1] / count + max(lengths) + 1
    every = [belongs(offsets, Shard(k, count)) for k in range(1, count + 1)]
    np.testing.assert_array_equal(np.sum(every, axis=0), 1)
    assert belongs(offsets, None).all()


def test_a_shard_as_it_is_written():
    assert Shard.parse("3/8") == Shard(3, 8)
    assert str(Shard(3, 8)) == "3/8"
    for text in ("0/8", "9/8", "1/0"):
        with pytest.raises(StoreError, match=r"there is no shard .*numbered from 1"):
            Shard.parse(text)
    for text in ("3", "3/", "a/b", "-1/2", "3 of 8"):
        with pytest.raises(StoreError, match=r"is not a shard; use the form 3/8"):
            Shard.parse(text)


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))))
def test_shards_in_any_order_are_the_store_of_one(tmp_path, order):
    for done, number in enumerate(order, start=1):
        store = filled(tmp_path / "cache", shard=Shard(number, 3))
        # The last sentence has 6 of 14 words; the cuts fall before sentences 3 and 4.
        assert store.missing_shards == tuple(sorted({1, 2, 3} - set(order[:done])))
        assert bool(store.missing_layers) == (done < 3)
    with open_at(tmp_path / "cache") as whole:
        assert not whole.missing_layers
    same_files(store.folder, filled(tmp_path / "one").folder)
    assert left_over(store.folder) == []
    again = open_at(tmp_path / "cache", shard=FIRST)  # another cut, but nothing is to be done
    assert (again.missing.size, again.missing_shards) == (0, ())


def test_more_shards_than_sentences(tmp_path):
    for number in range(9, 0, -1):
        store = filled(tmp_path / "cache", shard=Shard(number, 9))
    assert store.missing_shards == ()
    same_files(store.folder, filled(tmp_path / "one").folder)


@pytest.mark.fault_class("two at once")
def test_processes_write_side_by_side(tmp_path):
    both = [
        in_subprocess("write_shard(*sys.argv[1:])", tmp_path / "cache", shard, wait=False)
        for shard in ("1/2", "2/2")
    ]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert "()\n" in [out for out, _ in outputs]
    with open_at(tmp_path / "cache") as whole:
        np.testing.assert_array_equal(whole.layer(0), expected(0))
        np.testing.assert_array_equal(whole.layer(2), expected(2))


@pytest.mark.fault_class("crash")
def test_a_killed_shard_is_taken_up_and_the_other_is_untouched(tmp_path):
    process, out, err = in_subprocess(
        "write_shard_and_die(*sys.argv[1:])", tmp_path / "cache", "1/2"
    )
    assert (process.returncode, out) == (-9, ""), err
    other = filled(tmp_path / "cache", shard=SECOND)
    assert other.missing_shards == (1,)
    with pytest.raises(StoreError, match=r"lacks shards 1/2 of these vectors; encode them"):
        open_at(tmp_path / "cache")
    with open_at(tmp_path / "cache", shard=FIRST) as again:
        assert list(again.missing) == [1, 2, 3]
        fill(again)
    assert again.missing_shards == ()
    same_files(again.folder, filled(tmp_path / "one").folder)
    assert left_over(again.folder) == []


@pytest.mark.fault_class("crash")
def test_killed_between_the_last_row_and_the_name(tmp_path, monkeypatch):
    filled(tmp_path / "cache", shard=FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(LayerFile, "publish", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            filled(tmp_path / "cache", shard=SECOND)
    with open_at(tmp_path / "cache") as whole:  # nothing is missing but the name
        assert whole.missing.size == 0
        whole.finish()
    np.testing.assert_array_equal(whole.layer(2), expected(2))


@pytest.mark.fault_class("crash")
def test_killed_between_one_layers_name_and_the_next(tmp_path, monkeypatch):
    filled(tmp_path / "cache", shard=FIRST)
    publish, named = LayerFile.publish, []

    def once(file):
        if named:
            raise KeyboardInterrupt
        named.append(file)
        publish(file)

    with monkeypatch.context() as patch:
        patch.setattr(LayerFile, "publish", once)
        with pytest.raises(KeyboardInterrupt):
            filled(tmp_path / "cache", shard=SECOND)
    store = filled(tmp_path / "cache", shard=FIRST)
    assert store.missing_shards == ()
    same_files(store.folder, filled(tmp_path / "one").folder)


@pytest.mark.fault_class("two at once")
def test_a_layer_named_by_another_meanwhile(tmp_path):
    """Layer 0 was noted whole but layer 2 not: a shard writes both again while 0 gets its name."""
    with open_at(tmp_path / "cache", shard=FIRST, layers=(0,)) as zero:
        fill(zero)
    assert zero.missing_layers == (0,)
    with open_at(tmp_path / "cache", shard=FIRST) as first:
        assert list(first.missing) == [0, 1, 2, 3]
        assert filled(tmp_path / "cache", shard=SECOND).missing_layers == (2,)
        fill(first)
    assert first.missing_shards == ()
    same_files(first.folder, filled(tmp_path / "one").folder)
    assert left_over(first.folder) == []


def test_rows_of_an_unsharded_run_count(tmp_path):
    with open_at(tmp_path / "cache") as opened:
        opened.write([0], {layer: expected(layer, 0) for layer in (0, 2)})
    with open_at(tmp_path / "cache", shard=FIRST) as shard:
        assert list(shard.missing) == [1, 2, 3]


def test_another_number_of_shards_is_refused(tmp_path):
    store = filled(tmp_path / "cache", shard=FIRST)
    before = sorted(path.name for path in store.folder.iterdir())
    with pytest.raises(
        StoreError, match=r"started in 2 shards, not in 3; continue .* 1/2, or delete"
    ):
        open_at(tmp_path / "cache", shard=Shard(1, 3))
    assert set(before) <= {path.name for path in store.folder.iterdir()}
    assert filled(tmp_path / "cache", shard=SECOND).missing_shards == ()


def test_other_layers_are_not_held_up(tmp_path):
    filled(tmp_path / "cache", shard=FIRST)
    one = filled(tmp_path / "cache", layers=(1,))
    np.testing.assert_array_equal(one.layer(1), expected(1))
    assert shards_begun(one.folder) == {(1, 2)}
    assert shards_begun(one.folder, (1,)) == set()


def test_shards_of_different_models_are_told(tmp_path):
    filled(tmp_path / "cache", shard=FIRST)
    other = KEY | {"fingerprint": "g"}
    store = filled(tmp_path / "cache", shard=SECOND, key=other)
    assert store.missing_shards == (1,)
    (tmp_path / "cache" / "odd").mkdir()
    (tmp_path / "cache" / "odd" / "manifest.json").write_text("[]")
    words = r"lacks shards 2/2 .*\(it has 2/2 with fingerprint 'g', not 'f'\); encode them"
    with pytest.raises(StoreError, match=words):
        open_at(tmp_path / "cache")
    words = r"lacks shards 1/2 .*\(it has 1/2 with fingerprint 'f', not 'g'\); encode them"
    with pytest.raises(StoreError, match=words):
        open_at(tmp_path / "cache", key=other)
    filled(tmp_path / "cache", shard=SECOND)  # what is there was kept
    with open_at(tmp_path / "cache") as whole:
        np.testing.assert_array_equal(whole.layer(0), expected(0))


def test_an_encoder_encodes_shards(tmp_path):
    encoder = Encoder(save_checkpoint(tmp_path / "bert", "bert"), device="cpu")
    bank, how = tiny_bank(), {"layers": (0, 2), "cache": tmp_path / "cache"}
    for number in range(1, 31):  # some without a sentence
        missing = encoder.encode_shard(bank, Shard(number, 30), layers=1, cache=tmp_path / "30")
    assert missing == ()
    assert encoder.encode_shard(bank, Shard(3, 3), **how) == (1, 2)
    assert encoder.encode_shard(bank, Shard(1, 3), **how) == (2,)
    with pytest.raises(StoreError, match="lacks shards 2/3 of these vectors"):
        encoder.encode(bank, **how)
    assert encoder.encode_shard(bank, Shard(2, 3), **how) == ()
    assert encoder.encode_shard(bank, Shard(2, 3), **how) == ()
    whole, one = encoder.encode(bank, **how), encoder.encode(bank, layers=(0, 2))
    assert whole.outliers == {}  # nothing was encoded again
    for layer in (0, 2):
        assert_same_vectors(whole.layer(layer).values, one.layer(layer).values)
