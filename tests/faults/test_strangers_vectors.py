"""Strangers: caches of vectors, HDF5 files and matrices of earlier code."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.strangers import DEEP, HUGE, KINDS, harmless, pickled, refuse, replaced, some, told
from support.vector_writer import expected, fill, filled, open_at

from structprobe.encoder.cache.cache_folder import MARKER, short_digest, to_json
from structprobe.encoder.cache.hdf5 import read_hdf5
from structprobe.encoder.cache.shards import Shard
from structprobe.encoder.cache.verifying import verify_cache
from structprobe.probe.saving.projections import read_projection

pytestmark = [pytest.mark.fault_class("strangers"), pytest.mark.timeout(300)]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def use(folder: Path, shard: Shard | None = None) -> None:
    """Read what the cache has, and write what it lacks."""
    with open_at(folder, shard=shard) as store:
        if store.missing_layers:
            fill(store)
        if store.missing.size == 0:
            np.testing.assert_array_equal(store.layer(2), expected(2))


NAMES = ("layer-02.npy", "layer-02.part", "layer-02.journal", "layer-02.1-of-2.journal",
         "manifest.json", "offsets.npy", "lock", "lock-1-of-2")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_cache_files_that_are_none(name, tmp_path, outside, tally, whole):
    """Nothing is read, cut or written through them, whether vectors are read or made."""

    def check(kind: str) -> None:
        number = len(list(tmp_path.iterdir()))
        store = filled(tmp_path / f"cache-{number}", layers=(2,))
        if name.startswith(("layer", "lock")):
            (store.folder / "layer-02.npy").unlink()  # so that it is made again
        replaced(store.folder / name, kind, outside)
        with harmless(outside):
            for shard in (None, Shard(1, 2)):
                assert "is a link, or not a regular file" in refuse(
                    open_at, store.folder.parent, layers=(2,), shard=shard
                )

    tally.each(check, some([(kind,) for kind in KINDS], whole, 2))


def test_folders_and_marks_of_caches(tmp_path, outside, tally, whole):
    def check(kind: str) -> None:
        number = len(list(tmp_path.iterdir()))
        store = filled(tmp_path / f"cache-{number}", layers=(2,))
        marker = store.folder.parent / MARKER
        replaced(marker, kind, outside)
        with harmless(outside):
            refuse(open_at, store.folder.parent, layers=(2,))

    tally.each(check, some([(kind,) for kind in KINDS], whole, 2))
    store = filled(tmp_path / "cache", layers=(2,))
    store.folder.rename(outside / "vectors")
    (outside / "vectors").rename(tmp_path / "moved")
    for target in (tmp_path / "moved", outside, outside / "none", outside / "secret"):
        store.folder.unlink(missing_ok=True)
        store.folder.symlink_to(target)
        if target == tmp_path / "moved":
            use(store.folder.parent)  # these vectors on another disk
            continue
        for content in (b"{}", DEEP, b"[" * 500 + b"]" * 500):
            (outside / "manifest.json").write_bytes(content)
            with harmless(outside):
                tally.one(refuse, open_at, store.folder.parent)
    (tmp_path / "link").symlink_to(filled(tmp_path / "own").folder.parent)
    use(tmp_path / "link")  # a link of one's own leads to a cache


def test_contents_of_caches(tmp_path, outside, tally, whole):
    """What is in the files of a cache, beside the vectors themselves."""
    contents = (DEEP, HUGE, b"", b"\0" * 99, b"[]", b'{"key": []}', pickled(outside))

    def check(name: str, content: bytes) -> None:
        number = len(list(tmp_path.iterdir()))
        store = filled(tmp_path / f"cache-{number}", layers=(2,))
        if name.endswith("journal"):
            (store.folder / "layer-02.npy").rename(store.folder / "layer-02.part")
        (store.folder / name).write_bytes(content)
        with harmless(outside):
            told(use, store.folder.parent)

    names = (f"../{MARKER}", "manifest.json", "offsets.npy", "layer-02.npy", "layer-02.journal")
    cases = [(name, content) for name in names for content in contents]
    tally.each(check, some(cases, whole, 8))


@pytest.mark.parametrize("name", ["layer-02.npy", "layer-02.check", "offsets.npy", "manifest.json"])
def test_verified_files_that_are_none(name, tmp_path, outside, tally):
    def check(kind: str) -> None:
        number = len(list(tmp_path.iterdir()))
        store = filled(tmp_path / f"cache-{number}", layers=(2,))
        replaced(store.folder / name, kind, outside)
        with harmless(outside):
            told(verify_cache, store.folder.parent)
            if os.path.exists(store.folder / "manifest.json"):
                refuse(verify_cache, store.folder.parent)

    tally.each(check, [(kind,) for kind in KINDS])


NONE = short_digest(b"")
WHOLE = {"offsets": short_digest(np.array([0, 1]).tobytes()), "shape": [1, 4], "dtype": "float32"}
MANIFESTS = (
    {},
    {"offsets": NONE},
    {**WHOLE, "dtype": "x"},
    {**WHOLE, "dtype": []},
    {**WHOLE, "shape": [1]},
    {**WHOLE, "shape": {}},
    {**WHOLE, "shape": 5},
    {**WHOLE, "shape": [1, None]},
    {**WHOLE, "shape": [1, 10**300]},
    {**WHOLE, "shape": [1, -4]},
    WHOLE,
)


@pytest.mark.parametrize("name", ["layer-02.npy", "layer-x.npy", "layer-2.npy"])
def test_verified_manifests_and_names_that_lie(name, tmp_path, outside, tally):
    filled(tmp_path / "cache")

    def check(manifest: dict[str, object]) -> None:
        text = to_json(manifest).encode()
        folder = tmp_path / "cache" / short_digest(text)
        folder.mkdir()
        (folder / "manifest.json").write_bytes(text)
        np.save(folder / "offsets.npy", np.array([0, 1][: 2 * (manifest.get("offsets") != NONE)]))
        (folder / name).write_bytes(b"x" * 99)
        with harmless(outside):
            assert str(folder) in refuse(verify_cache, tmp_path / "cache")
        shutil.rmtree(folder)

    tally.each(check, [(manifest,) for manifest in MANIFESTS])


def test_journals_without_end(tmp_path, outside, tally):
    store = filled(tmp_path / "cache", layers=(2,))
    (store.folder / "layer-02.npy").rename(store.folder / "layer-02.part")
    with (store.folder / "layer-02.journal").open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    with harmless(outside):
        tally.one(lambda: refuse(open_at, store.folder.parent, layers=(2,)))


def test_vectors_of_others_beside_ours(tmp_path, outside):
    """Missing shards are explained by what other folders say of themselves, whatever that is."""
    with open_at(tmp_path / "cache", shard=Shard(1, 2)) as store:
        fill(store)
    for number, content in enumerate((DEEP, b'{"key": 5}', b'{"key": {"words": {}}}')):
        (tmp_path / "cache" / str(number)).mkdir()
        (tmp_path / "cache" / str(number) / "manifest.json").write_bytes(content)
    (tmp_path / "cache" / "pipe").mkdir()
    replaced(tmp_path / "cache" / "pipe" / "manifest.json", "pipe", outside)
    assert "lacks shards 2/2" in refuse(open_at, tmp_path / "cache")


Spoil = Callable[["object"], object]


def hdf5_cases(outside: Path) -> dict[str, Callable[..., object]]:
    """Ways to make a file of two datasets lie."""
    h5py = pytest.importorskip("h5py")
    (outside / "other.hdf5").unlink(missing_ok=True)
    with h5py.File(outside / "other.hdf5", "w") as file:
        file["0"] = np.ones((1, 2, 4), np.float32)
    virtual = h5py.VirtualLayout(shape=(1, 2, 4), dtype="<f4")
    virtual[:] = h5py.VirtualSource(str(outside / "other.hdf5"), "0", shape=(1, 2, 4))
    big: dict[str, object] = {"chunks": (1, 1, 4), "dtype": "<f4"}
    raw = [(str(outside / "secret"), 0, 32)]

    return {
        "data in another file": lambda f: f.create_dataset("0", (1, 2, 4), "<f4", external=raw),
        "a link to another file": lambda f: f.__setitem__(
            "0", h5py.ExternalLink(str(outside / "other.hdf5"), "0")
        ),
        "a soft link": lambda f: f.__setitem__("0", h5py.SoftLink("/1")),
        "a link to itself": lambda f: f.__setitem__("0", h5py.SoftLink("/0")),
        "a view of another file": lambda f: f.create_virtual_dataset("0", virtual),
        "10^15 words": lambda f: f.create_dataset("0", (1, 10**15, 4), **big),
        "10^12 wide": lambda f: f.create_dataset("0", (1, 2, 10**12), **big),
        "10^9 layers": lambda f: f.create_dataset("0", (10**9, 2, 4), **big),
        "zeros that are packed": lambda f: f.create_dataset(
            "0", (1, 2, 10**7), compression="gzip", data=np.zeros((1, 2, 10**7), np.float32)
        ),
        "texts": lambda f: f.__setitem__("0", np.full((1, 2, 4), b"x")),
        "texts of any length": lambda f: f.create_dataset(
            "0", (1, 2, 4), dtype=h5py.string_dtype()
        ),
        "lists of any length": lambda f: f.create_dataset(
            "0", (1, 2, 4), dtype=h5py.vlen_dtype(np.float32)
        ),
        "references": lambda f: f.create_dataset("0", (1, 2, 4), dtype=h5py.ref_dtype),
        "records": lambda f: f.create_dataset("0", (1, 2, 4), dtype=[("a", "<f4")]),
        "blobs": lambda f: f.create_dataset("0", (1, 2, 4), dtype="V100000"),
        "a group": lambda f: f.create_group("0"),
        "a type": lambda f: f.__setitem__("0", np.dtype("<f4")),
        "one number": lambda f: f.__setitem__("0", np.float32(1)),
        "nothing": lambda f: f.__setitem__("0", h5py.Empty("<f4")),
    }


def test_hdf5_files_that_lie(tmp_path, outside, tally, whole):
    h5py = pytest.importorskip("h5py")
    words = [["the", "dog"], ["a", "cat"]]
    good = np.ones((1, 2, 4), np.float32)
    attributes = ("x", 1e300, [[0]], 10**18, ["a", "b"], h5py.Empty("i8"), b"\xff")
    indices = (DEEP.decode(), "[]", '{"the dog": []}', '{"the dog": "9999999999999999999999"}', 5)

    def check(spoil: Callable[..., object], pieces: object = None) -> None:
        (tmp_path / "x.hdf5").unlink(missing_ok=True)
        with h5py.File(tmp_path / "x.hdf5", "w") as file:
            spoil(file)
            for name in {"0", "1"} - {*file}:
                file[name] = good
        with harmless(outside):
            refuse(read_hdf5, tmp_path / "x.hdf5", words, pieces=pieces)

    spans = [[(0, 1), (1, 2)], [(0, 1), (1, 2)]]
    cases = [(spoil, way) for spoil in hdf5_cases(outside).values() for way in (None, spans)]
    tally.each(check, some(cases, whole, 12))
    tally.each(check, [(lambda f, one=one: f.attrs.update(layers=one),) for one in attributes])
    tally.each(
        check, [(lambda f, one=one: f.__setitem__("sentence_to_index", one),) for one in indices]
    )
    big = {"chunks": (512,), "dtype": "S100"}
    check(lambda file: file.create_dataset("sentence_to_index", (10**13,), **big))


def test_hdf5_files_that_are_none(tmp_path, outside, tally):
    pytest.importorskip("h5py")

    def check(kind: str) -> None:
        replaced(tmp_path / "x.hdf5", kind, outside)
        with harmless(outside):
            refuse(read_hdf5, tmp_path / "x.hdf5", [["a"]])

    kinds = [kind for kind in KINDS if kind != "terminal"]
    tally.each(check, [(kind,) for kind in kinds])


def test_hdf5_files_with_flipped_bytes(tmp_path, tally, whole):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "good.hdf5", "w") as file:
        file["0"] = np.ones((1, 2, 4), np.float32)
        file.attrs["layers"] = [0]
    content = (tmp_path / "good.hdf5").read_bytes()

    def check(at: int) -> None:
        wrong = bytearray(content)
        wrong[at] ^= 1 << at % 8
        (tmp_path / "x.hdf5").write_bytes(wrong)
        told(read_hdf5, tmp_path / "x.hdf5", [["the", "dog"]])

    places = [at for at in range(len(content)) if any(content[max(at - 8, 0) : at + 8])]
    tally.each(check, [(at,) for at in (places if whole else random.Random(4).sample(places, 20))])


def projection(outside: Path) -> dict[str, bytes]:
    """Files in the place of a matrix that torch saved."""

    def saved(value: object, **how: bool) -> bytes:
        file = io.BytesIO()
        torch.save(value, file, **how)
        return file.getvalue()

    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (outside / "ran",)

    good = saved({"proj": torch.ones(4, 2)})
    packed = io.BytesIO()
    large = io.BytesIO(saved({"proj": torch.zeros(3000, 3000)}))
    with (
        zipfile.ZipFile(large) as archive,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as again,
    ):
        for name in archive.namelist():
            again.writestr(name, archive.read(name))
    return {
        "code": saved(Runs()),
        "code beside the matrix": saved({"proj": torch.ones(4, 2), "x": Runs()}),
        "code of the old kind": saved(Runs(), _use_new_zipfile_serialization=False),
        "plain pickle": pickled(outside),
        "one number as 10^15": saved({"proj": torch.ones(1).expand(10**6, 10**9)}),
        "numbers as rows of themselves": saved(
            {"proj": torch.ones(9).as_strided((9**8, 9), (0, 1))}
        ),
        "zeros that are packed": packed.getvalue(),
        "half of it": good[: len(good) // 2],
        "no device": saved({"proj": torch.ones(4, 2, device="meta")}),
        "bytes": saved({"proj": torch.ones(4, 2).to(torch.uint8) * 255})[:100],
        "quantised": saved(
            {"proj": torch.quantize_per_tensor(torch.ones(4, 2), 1, 0, torch.qint8)}
        ),
        "json": json.dumps({"proj": [[1]]}).encode(),
    }


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_matrices_of_earlier_code(tmp_path, outside, tally):
    def check(content: bytes) -> None:
        (tmp_path / "x.params").write_bytes(content)
        with harmless(outside):
            refuse(read_projection, tmp_path / "x.params")

    tally.each(check, [(content,) for content in projection(outside).values()])

    def irregular(kind: str) -> None:
        replaced(tmp_path / "x.params", kind, outside)
        with harmless(outside):
            refuse(read_projection, tmp_path / "x.params")

    tally.each(irregular, [(kind,) for kind in KINDS if kind != "terminal"])
