"""Stale: a byte that changed in anything stored is found on reading, or changes no number."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.flat_settings import sweep
from support.tiny_checkpoints import save_checkpoint
from support.tiny_trees import tiny_bank
from support.vector_writer import OFFSETS, open_at

from structprobe import Encoder, StructuralProbe, WordAttentions
from structprobe.encoder.cache import layer_file
from structprobe.encoder.cache.hdf5 import read_hdf5, write_hdf5
from structprobe.encoder.vectors import EncodedBank
from structprobe.errors import ProbeError, ResultError, StoreError, StructprobeError
from structprobe.results.folder import read_commands, read_rows
from structprobe.results.saved_probes import find_probe
from structprobe.results.saved_runs import read_predictions, read_sentences

pytestmark = pytest.mark.fault_class("stale")

Read = Callable[[Path, Path], Any]  # Of a store: all that is read from one of its files


@dataclass(frozen=True)
class Store:
    """A kind of store, two of them side by side with files of the same sizes."""

    folders: tuple[Path, Path]
    read: Read
    error: type[StructprobeError] | tuple[type[StructprobeError], ...]
    files: Sequence[str]  # That are read, as patterns

    def paths(self, which: int = 0) -> list[Path]:
        """List the files that are read."""
        folder = self.folders[which]
        return sorted(path for files in self.files for path in folder.rglob(files))


def vectors(sentence: int, layer: int, seed: int) -> np.ndarray:
    values = np.random.default_rng((seed, layer)).normal(size=(OFFSETS[-1], 4))
    return values.astype(np.float32)[OFFSETS[sentence] : OFFSETS[sentence + 1]]


def fill(folder: Path, sentences: Sequence[int] | None = None, **settings: Any) -> Any:
    """Open a cache and write some sentences, or all that are missing."""
    seed = int(folder.name == "B")
    with open_at(folder, key={"fingerprint": folder.name}, **settings) as opened:
        numbers = opened.missing.tolist() if sentences is None else sentences
        for number in numbers:
            rows = {layer: vectors(number, layer, seed) for layer in opened.missing_layers}
            opened.write([number], rows)
        if sentences is None and opened.missing_layers:
            opened.finish()
    return opened


def read_cache(folder: Path, path: Path) -> Any:
    """Read the vectors as a new process does, which encodes what is missing."""
    layer_file._verified.clear()
    opened = fill(folder)
    return {layer: np.array(opened.layer(layer)) for layer in opened.layers}


def caches(folder: Path) -> Store:
    folders = folder / "A", folder / "B"
    for one in folders:
        fill(one)
    return Store(folders, read_cache, StoreError, ["*.npy", "*.check", "*.json"])


def begun_caches(folder: Path) -> Store:
    """Caches whose encoding was interrupted."""
    folders = folder / "A", folder / "B"
    for one in folders:
        fill(one, [0, 4, 1])
    return Store(folders, read_cache, StoreError, ["*.part", "*.journal", "manifest.json"])


def attentions(folder: Path) -> Store:
    encoder = Encoder(save_checkpoint(folder / "model", "bert"), device="cpu", batch_tokens=12)
    texts = {"A": [["the", "dog", "ran"], ["a"], ["cat", "saw"]]}
    texts["B"] = [["a", "cat", "saw"], ["the"], ["dog", "ran"]]

    def read(one: Path, _: Path) -> Any:
        attention = WordAttentions(encoder, cache=one)
        found = attention.read(texts[one.name], progress=False)
        return [(batch.sentences, batch.lengths, batch.weights) for batch in found]

    folders = folder / "A", folder / "B"
    for one in folders:
        read(one, one)
    return Store(folders, read, StoreError, ["attention-*", "*.json"])


def hdf5_files(folder: Path) -> Store:
    words = [["a", "b"], ["c"], ["d", "e", "f"]]

    def read(_: Path, path: Path) -> Any:
        bank = read_hdf5(path, words)
        return {layer: bank.layer(layer).values for layer in bank.layers}

    folders = folder / "A", folder / "B"
    for seed, one in enumerate(folders):
        one.mkdir(parents=True)
        values = np.random.default_rng(seed).normal(size=(2, 6, 3)).astype(np.float32)
        bank = EncodedBank({1: values[0], 4: values[1]}, np.array([0, 2, 3, 6]))
        write_hdf5(bank, one / "vectors.hdf5")
    return Store(folders, read, StoreError, ["*.hdf5"])


def told_of(probe: StructuralProbe) -> Any:
    told = probe.get_params(), probe.history_, probe.origin_, probe.treebank_fingerprint_
    return probe.distance_components_, probe.depth_components_, told, probe.saved_


def probes(folder: Path) -> Store:
    folders = folder / "A", folder / "B"
    for seed, one in enumerate(folders):
        X = [np.random.default_rng((seed, n)).normal(size=(n, 3)) for n in (2, 3, 1, 4)]
        heads = [np.arange(len(x)) for x in X]
        probe = StructuralProbe(rank=2, max_steps=4, random_state=seed).fit(
            X, heads, dev=(X, heads)
        )
        probe.save_pretrained(one, dev_scores=probe.evaluate(X, heads), fitted_on={"train": "x"})

    def read(one: Path, _: Path) -> Any:
        return told_of(StructuralProbe.from_pretrained(one))

    return Store(folders, read, ProbeError, ["*.json", "*.safetensors"])


def results(folder: Path) -> Store:
    folders = folder / "A", folder / "B"
    kinds = {"A": "bert", "B": "roberta"}
    for seed, one in enumerate(folders):
        encoder = Encoder(
            save_checkpoint(folder / kinds[one.name], "bert", seed=seed), device="cpu"
        )
        banks = [tiny_bank(n=4, seed=3 * seed + part) for part in range(3)]
        how = {"layers": "1", "ranks": (2,), "max_steps": 3, "save_probes": True}
        sweep(encoder, *banks, folder=one, baselines=False, command="c", **how)
    return Store(folders, read_results, (ResultError, ProbeError), RESULTS)


RESULTS = ["rows.jsonl", "structprobe.json", "*.npz", "config.json", "*.safetensors"]


def read_results(folder: Path, path: Path) -> Any:
    """Read what a file of a results folder tells."""
    read_commands(folder)
    if path.suffix == ".npz":
        told = read_predictions(folder, path.stem), read_sentences(folder, path.stem)
        found = [(words, vars_of(one)) for words, one in told[0]]
        return found, [vars_of(sentence) for sentence in told[1]]
    if path.parent.parent.name == "probes":
        return told_of(StructuralProbe.from_pretrained(find_probe(folder)[0]))
    return [dict(row) for row in read_rows(folder)]


def vars_of(one: Any) -> dict[str, Any]:
    names = [*getattr(one, "__slots__", ()), *getattr(one, "__dict__", ())]
    return {name: getattr(one, name, None) for name in names if not name.startswith("__")}


KINDS = {
    "vectors": caches,
    "vectors in part": begun_caches,
    "attention": attentions,
    "HDF5": hdf5_files,
    "probe": probes,
    "results": results,
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    folder = tmp_path_factory.mktemp("stores")
    return {name.replace(" ", "-"): make(folder / name) for name, make in KINDS.items()}


@pytest.fixture(params=[name.replace(" ", "-") for name in KINDS])
def store(request: pytest.FixtureRequest, stores: dict[str, Store]) -> Iterator[Store]:
    """A store of each kind, as it was before each test."""
    found = stores[request.param]
    before = kept(found)
    yield found
    restore(found, before)


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


def kept(store: Store) -> dict[Path, bytes]:
    files = [path for folder in store.folders for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files}


def restore(store: Store, before: dict[Path, bytes]) -> None:
    for path in kept(store).keys() - before:
        path.unlink()
    for path, content in before.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)


def same(one: Any, other: Any) -> bool:
    """Whether what was read is the same, to the last bit."""
    if isinstance(one, np.ndarray):
        alike = isinstance(other, np.ndarray) and (one.dtype, one.shape) == (
            other.dtype,
            other.shape,
        )
        return alike and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[key], other[key]) for key in one)
        )
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


class Damage:
    """Tries damages of the files of one store, each on a whole one."""

    def __init__(self, store: Store) -> None:
        self.store, self.before = store, kept(store)
        self.expected = {path: store.read(store.folders[0], path) for path in store.paths()}
        restore(store, self.before)

    def check(self, path: Path, content: bytes) -> None:
        """Read a file with another content: the same is read, or it is an error of one line."""
        folder, told = self.store.folders[0], None
        path.write_bytes(content)
        try:
            found = self.store.read(folder, path)
        except self.store.error as error:
            told = str(error)
        finally:
            restore(self.store, self.before)
        if told is not None:
            assert "\n" not in told
            assert str(folder) in told
            return
        expected = self.expected[path]
        if path.name == "rows.jsonl":  # cut off in its last line: the run is repeated
            expected = expected[: len(found)]
        assert same(found, expected)


def some(places: Sequence[Any], n: int, whole: bool) -> list[Any]:
    """Give all, or some that are drawn."""
    places = list(places)
    return places if whole or len(places) <= n else random.Random(0).sample(places, n)


def test_any_byte_changed(store: Store, tally: Any, whole: bool) -> None:
    damage, drawn = Damage(store), random.Random(1)

    def cases() -> Iterator[tuple[Path, int, int]]:
        for path in damage.expected:
            for place in some(range(len(damage.before[path])), 40, whole):
                yield path, place, drawn.randrange(1, 256)

    def change(path: Path, place: int, bits: int) -> None:
        content = bytearray(damage.before[path])
        content[place] ^= bits
        damage.check(path, bytes(content))

    tally.each(change, cases())


def test_cut_at_any_length(store: Store, tally: Any, whole: bool) -> None:
    damage = Damage(store)
    tally.each(
        lambda path, n: damage.check(path, damage.before[path][:n]),
        [
            (path, n)
            for path in damage.expected
            for n in some(range(len(damage.before[path])), 15, whole)
        ],
    )


@pytest.mark.parametrize("more", [b"\0", b"\n", b"x" * 100, b"again"], ids=repr)
def test_bytes_at_the_end(store: Store, tally: Any, more: bytes) -> None:
    damage = Damage(store)
    ends = [(path, damage.before[path] if more == b"again" else more) for path in damage.expected]
    tally.each(lambda path, end: damage.check(path, damage.before[path] + end), ends)


def test_files_of_one_size_exchanged(store: Store, tally: Any) -> None:
    """Within a store, and with the other of its kind."""
    if len(store.paths()) == 1:
        pytest.skip("one file with all in it, which is read by its name")
    damage = Damage(store)
    for path, own in ((path, damage.before[path]) for path in damage.expected):
        for content in damage.before.values():
            # A row says itself what it is of.
            if len(content) == len(own) and content != own and path.name != "rows.jsonl":
                tally.one(damage.check, path, content)
