"""Strangers: saved probes and results folders that someone else made."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.planted_results import planted_bank, planted_sweep
from support.strangers import (
    DEEP,
    HUGE,
    KINDS,
    NASTY,
    copy_of,
    harmless,
    pickled,
    refuse,
    replaced,
    some,
    told,
)

from structprobe import StructuralProbe
from structprobe.cli.main import main
from structprobe.results.folder import ResultsFolder, read_commands, read_rows
from structprobe.results.predictions import predictions_from_bytes, sentences_from_bytes
from structprobe.results.rows import make_row
from structprobe.results.saved_probes import find_probe
from structprobe.show.plotting import plot_folder
from structprobe.show.report import build_report

pytestmark = [pytest.mark.fault_class("strangers"), pytest.mark.timeout(300)]

PROBE = Path(__file__).parents[1] / "data" / "probe-format-1"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small results folder with predictions, commands and a saved probe."""
    folder = tmp_path_factory.mktemp("results") / "DIR"
    planted_sweep(folder, planted_bank(5), n_layers=2)
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


def tensor_header(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def claim(shape: list[int], end: int = 16, kind: str = "F32") -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [0, end]}


# What may stand in the place of the weights.
WEIGHTS: dict[str, bytes] = {
    "nothing": b"",
    "a long header": struct.pack("<Q", 2**63 - 1) + b"{}",
    "a header of 100 MB": struct.pack("<Q", 10**8) + b"{}",
    "deep lists": tensor_header(DEEP),
    "huge numbers": tensor_header(b'{"distance_components":{"dtype":"F32","shape":[' + HUGE),
    "10^15 rows": tensor_header({"distance_components": claim([10**15, 4])}),
    "rows that overflow": tensor_header({"distance_components": claim([2**62, 8], 0)}),
    "no rows of 10^15": tensor_header({"distance_components": claim([0, 10**15], 0)}),
    "data past the end": tensor_header({"distance_components": claim([2, 4], 10**12)}),
    "a negative place": tensor_header(
        {"distance_components": {"dtype": "F32", "shape": [2, 4], "data_offsets": [-8, 24]}}
    ),
    "an unknown type": tensor_header({"distance_components": claim([2, 4], 32, "F1")}, bytes(32)),
    "BF16": tensor_header({"distance_components": claim([2, 4], 16, "BF16")}, bytes(16)),
    "zip": b"PK\x03\x04" + bytes(100),
}


def test_weights_of_saved_probes(tmp_path, outside, tally):
    def check(content: bytes) -> None:
        folder = copy_of(PROBE, tmp_path / "probe")
        (folder / "model.safetensors").write_bytes(content)
        with harmless(outside):
            refuse(StructuralProbe.from_pretrained, folder)

    tally.each(check, [(content,) for content in (*WEIGHTS.values(), pickled(outside))])
    folder = copy_of(PROBE, tmp_path / "probe")
    wrong = {"int": np.zeros((2, 4), np.int64), "infinite": np.full((2, 4), np.inf, np.float32)}
    for matrix in wrong.values():
        names = ("distance_components", "depth_components")
        save_file(dict.fromkeys(names, matrix), folder / "model.safetensors")
        tally.one(refuse, StructuralProbe.from_pretrained, folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_probe_files_that_are_none(name, tmp_path, outside, tally):
    def check(kind: str) -> None:
        folder = copy_of(PROBE, tmp_path / "probe")
        replaced(folder / name, kind, outside)
        with harmless(outside):
            refuse(StructuralProbe.from_pretrained, folder)

    tally.each(check, [(kind,) for kind in KINDS])


def test_links_within_the_cache_of_the_hub_are_read(tmp_path):
    folder = copy_of(PROBE, tmp_path / "models--a--b" / "snapshots" / "0000")
    (tmp_path / "models--a--b" / "blobs").mkdir()
    for number, name in enumerate(("config.json", "model.safetensors")):
        (folder / name).rename(tmp_path / "models--a--b" / "blobs" / str(number))
        (folder / name).symlink_to(f"../../blobs/{number}")
    assert StructuralProbe.from_pretrained(folder).rank == 2


@pytest.mark.parametrize("disk", ["", "disk"])
def test_probes_within_a_snapshot_of_the_hub_are_read(disk, tmp_path, outside):
    hub = tmp_path / "models--a--b"
    folder = copy_of(PROBE, hub / "snapshots" / "0000" / "probes" / "layer-3")
    blobs = (tmp_path / disk if disk else hub) / "blobs"
    blobs.mkdir(parents=True)
    if disk:
        (hub / "blobs").symlink_to(blobs)
    for number, name in enumerate(("config.json", "model.safetensors")):
        (folder / name).rename(blobs / str(number))
        (folder / name).symlink_to(f"../../../../blobs/{number}")
    assert StructuralProbe.from_pretrained(folder).rank == 2
    replaced(folder / "config.json", "secret", outside)
    with harmless(outside):
        refuse(StructuralProbe.from_pretrained, folder)


VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**15, 10**400, 1e308, float("nan"), "", "x", "\x1b[31m", [], {}, [None]),
    *({"a": 1}, [[]], {"evaluations": [None]}, {"distance": {"evaluations": [{"step": "x"}]}}),
    *({"distance": {"evaluations": [{"step": 1}, {"step": 10**300, "dev_loss": 1e300}]}},),
    {"layer": "x"},
    {"uuas": "x"},
    {"linear": {"uuas": []}},
    "../../etc/passwd",
)


def test_values_of_configs(tmp_path, outside, tally, whole):
    """A config is refused, or all that reads it works."""
    config = json.loads((PROBE / "config.json").read_text())
    places = [(key,) for key in (*config, "dev_scores", "dev_baselines", "auto_map")]
    places += [
        (key, inner) for key in config if isinstance(config[key], dict) for inner in config[key]
    ]
    cases = [(place, value) for place in places for value in VALUES]

    def check(place: tuple[str, ...], value: object) -> None:
        folder = copy_of(PROBE, tmp_path / "probe")
        changed = json.loads(json.dumps(config))
        into = changed
        for key in place[:-1]:
            into = into[key]
        into[place[-1]] = value
        (folder / "config.json").write_text(json.dumps(changed))
        for read in (StructuralProbe.from_pretrained, build_report, saved_again):
            told(read, folder)

    def saved_again(folder: Path) -> None:
        StructuralProbe.from_pretrained(folder).save_pretrained(tmp_path / "again")

    with harmless(outside):
        tally.each(check, cases if whole else random.Random(1).sample(cases, 6))


JSON = (DEEP, b'{"a":' + HUGE + b"}", b'{"format":"structprobe-probe","format_version":' + HUGE,
        b'{"a":' * 50_000, b"\xff\xfe{", b"\0" * 1000, b"NaN", b'"x"', b"")  # fmt: skip


def test_json_that_is_deep_or_huge(tmp_path, outside, results, tally, whole):
    ResultsFolder(tmp_path / "empty")
    sources = {"config.json": PROBE, "heads.json": tmp_path / "empty"}

    def check(name: str, content: bytes) -> None:
        ours = copy_of(sources.get(name, results), tmp_path / "folder")
        (ours / name).write_bytes(content)
        if name == "rows.jsonl":
            (ours / name).write_bytes(content + b"\n")
        with harmless(outside):
            if name == "config.json":
                refuse(StructuralProbe.from_pretrained, ours)
                refuse(build_report, ours)
            elif name == "heads.json":
                refuse(plot_folder, ours, tmp_path / "figures")
            elif content or name != "commands.jsonl":
                refuse(read_commands if name == "commands.jsonl" else read_rows, ours)

    names = ("config.json", "structprobe.json", "rows.jsonl", "commands.jsonl", "heads.json")
    cases = [(name, content) for name in names for content in JSON]
    tally.each(check, some(cases, whole, 8))


def test_heads_that_claim_too_much(tmp_path, outside, tally):
    ResultsFolder(tmp_path / "empty")

    def check(heads: object) -> None:
        ours = copy_of(tmp_path / "empty", tmp_path / "folder")
        (ours / "heads.json").write_text(json.dumps({"heads": heads}))
        with harmless(outside):
            refuse(plot_folder, ours, tmp_path / "figures")

    one = {"layer": 1, "head": 1, "alignment": 0.5}
    places = (10**9, 10**6, -1, 0, 1.5, "x", None)
    cases = [[one, one | {key: value}] for key in ("layer", "head") for value in places]
    tally.each(check, [(case,) for case in [*cases, [], {}, "x", 5, [1], [[]]]])


ROW_NAMES = (
    *("../../outside/x", "/etc", "..", ".", "", "a/b", "a\\b", "C:x", "x\0y", "x\ny", "x" * 300),
    *("\x1b[2J", 5, [], {}, True),
)


def changed_rows(results: Path, target: Path, **values: object) -> Path:
    """A copy of a results folder, of an older version, whose last row is changed."""
    folder = copy_of(results, target)
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    for row in rows:  # older versions wrote no checksums
        for key in [*row]:
            if key == "checksum" or key.endswith("_sentences"):
                del row[key]
    rows[-1] |= values
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.mark.parametrize("key", ["key", "probe"])
def test_names_in_rows_lead_nowhere(key, tmp_path, outside, results, tally):
    copy_of(PROBE, outside / "x")

    def check(name: object) -> None:
        if key == "probe" and name == "":
            name = "../x"
        folder = changed_rows(results, tmp_path / "DIR", **{key: name})
        with harmless(outside):
            for read in (read_rows, build_report, find_probe, StructuralProbe.from_pretrained):
                assert "cannot name a file" in refuse(read, folder)

    tally.each(check, [(name,) for name in ROW_NAMES])


def test_values_of_rows(tmp_path, outside, results, tally, whole, capsys):
    """A row is refused, or all that reads it works."""
    cases = [(key, value) for key in make_row() for value in (*VALUES, 10**18, -5, *NASTY[:4])]

    def check(key: str, value: object) -> None:
        folder = changed_rows(results, tmp_path / "DIR", **{key: value})
        for read in (lambda folder: repr(read_rows(folder)), build_report, find_probe):
            told(read, folder)

    with harmless(outside):
        ends = [("uuas_low", 10**15), ("uuas_high", 1e308)]  # axes without end were drawn
        tally.each(check, ends + random.Random(2).sample(cases, 400 if whole else 6))


def test_lines_without_end(tmp_path, outside, results, tally):
    def check(content: bytes, said: str) -> None:
        folder = copy_of(results, tmp_path / "DIR")
        with (folder / "rows.jsonl").open("r+b") as file:
            file.write(content)
            file.truncate(2**30)  # takes no room on the disk
            file.seek(0, 2)
            file.write(b"\n")
        with harmless(outside):
            assert said in refuse(read_rows, folder)

    tally.each(check, [(b"", "is larger than"), (b'{"key": "', "is larger than")])
    folder = copy_of(results, tmp_path / "DIR")
    (folder / "rows.jsonl").write_bytes(b'{"key": "' + b"x" * 2**25 + b'"}\n')
    tally.one(refuse, read_rows, folder)


@pytest.mark.parametrize(
    "name", ["structprobe.json", "rows.jsonl", "commands.jsonl", "predictions", "probes", ".lock"]
)
def test_result_files_that_are_none(name, tmp_path, outside, results, tally, whole):
    """Nothing outside is read, made, cut or written when such a folder is read or added to."""

    def check(kind: str) -> None:
        folder = copy_of(results, tmp_path / "DIR")
        if name == "predictions":
            (folder / name).rename(folder / "other")
        replaced(folder / name, kind, outside)
        with harmless(outside):
            for use in (build_report, add_row, tell_command):
                fine = kind in ("folder", "pipe", "itself") or name in (
                    ".lock",
                    "commands.jsonl",
                    "probes",
                )
                assert told(use, folder) or fine or use is not build_report

    def add_row(folder: Path) -> None:
        bank = planted_bank(2)
        from structprobe.recoverers.linear import LinearChain

        row = make_row(key="fresh", method="linear", part="test")
        ResultsFolder(folder).add(row, bank, LinearChain().predict(bank))

    def tell_command(folder: Path) -> None:
        ResultsFolder(folder).tell_command("structprobe")

    kinds = [kind for kind in KINDS if name != ".lock" or kind != "terminal"]
    tally.each(check, some([(kind,) for kind in kinds], whole, 3))


def test_links_to_folders_outside(tmp_path, outside, results, tally):
    for name in ("predictions", "probes"):
        folder = copy_of(results, tmp_path / "DIR")
        if (folder / name).exists():
            (folder / name).rename(folder / "other")
        (folder / name).symlink_to(outside)
        with harmless(outside):
            assert "is a link to" in tally_one(tally, refuse, read_rows, folder)
            assert "is a link to" in tally_one(tally, refuse, ResultsFolder, folder)


def tally_one(tally: Any, check: Callable[..., str], *case: Any) -> str:
    found: list[str] = []
    tally.one(lambda: found.append(check(*case)))
    return found[0]


def npz(**members: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return archive.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def lying(shape: object, dtype: str = "<f4", data: bytes = b"") -> bytes:
    """An array whose header says anything."""
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape!r}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


GOOD = {
    "offsets": npy(np.array([0, 2])),
    "words": npy(np.array(["dogs", "bark"])),
    "heads": npy(np.array([2, 0], np.int32)),
}
ARRAYS: dict[str, dict[str, bytes]] = {
    "10^15 rows": {"depths": lying((10**15,))},
    "10^9 rows": {"depths": lying((10**9,))},
    "rows that overflow": {"depths": lying((2**40, 2**40))},
    "a negative shape": {"depths": lying((-1,))},
    "a shape of texts": {"depths": lying(("a",))},
    "no shape": {"depths": lying(None)},
    "texts of no letters": {"words": lying((10**12,), "<U0")},
    "texts of 10^9 letters": {"words": lying((2,), "<U1000000000")},
    "objects": {"words": lying((2,), "|O", b"cos\nsystem\n")},
    "records": {"words": lying((2,), "V8", bytes(16))},
    "deep brackets": {"depths": lying("(" * 5000)},
    "a header of code": {
        "depths": b"\x93NUMPY\x01\x00" + b"\x20\x00" + b"__import__('os').getpid()      \n"
    },
    "no header": {"depths": b"\x93NUMPY"},
    "another version": {"depths": b"\x93NUMPY\x09\x00" + bytes(20)},
    "no array": {"depths": b"nothing"},
    "a sentence of 10^9 words": {"offsets": npy(np.array([0, 10**9]))},
    "pairs that are not there": {"pair_distances": npy(np.zeros(7, np.float32))},
    "too few distances": {"distances": npy(np.zeros(3, np.float32))},
    "too few arc scores": {"arc_scores": npy(np.zeros(3, np.float32))},
    "offsets that fall": {"offsets": npy(np.array([0, 2, 1, 2]))},
    "offsets below 0": {"offsets": npy(np.array([-2, 2]))},
    "offsets of fractions": {"offsets": npy(np.array([0, 2.0]))},
    "no offsets": {"offsets": npy(np.array([], int))},
    "offsets that overflow": {"offsets": npy(np.array([0, 2**63 - 1, 2]))},
    "a table of words": {"words": npy(np.array([["dogs", "bark"]]))},
    "words that are numbers": {"words": npy(np.array([1, 2]))},
    "too few relations": {"gold_deprels": npy(np.array(["a"]))},
    "names for others": {"sent_ids": npy(np.array(["a", "b"]))},
    "an unknown array": {"unknown": npy(np.array(["a", "b"]))},
    "zeros": {"depths": npy(np.zeros(3 * 10**7, np.float32))},
}


def bomb(times: int, more: bytes = b"") -> bytes:
    """Zeros of 400 MB that the list of members names several times."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("more.npy", more)
        with file.open("depths.npy", "w") as member:
            for _ in range(400):
                member.write(bytes(10**6))
        file.filelist += file.filelist[-1:] * (times - 1)
    return archive.getvalue()


def test_arrays_of_predictions(outside, tally):
    for content in ({}, {"depths": npy(np.array([1, 0], np.float32))}):
        assert len(predictions_from_bytes(npz(**GOOD, **content), "x.npz")) == 1

    def check(content: bytes) -> None:
        with harmless(outside):
            for read in (predictions_from_bytes, sentences_from_bytes):
                assert "not a predictions file" in refuse(read, content, "x.npz")

    cases = [npz(**{**GOOD, **one}) for one in ARRAYS.values()]
    cases += [npz(**{k: v for k, v in GOOD.items() if k != name}) for name in GOOD]
    cases += [
        pickled(outside),
        npz(**{**GOOD, "words": pickled(outside)}),
        b"",
        b"PK\5\6" + bytes(18),
    ]
    objects = io.BytesIO()
    np.savez(objects, words=np.array([{"a": 1}], dtype=object))
    cases.append(objects.getvalue())
    # More than can be packed into so few bytes, and more than 1 GB.
    cases += [bomb(2), bomb(3, random.Random(0).randbytes(1_200_000))]
    tally.each(check, [(content,) for content in cases])


def test_prediction_files_with_flipped_bytes(outside, results, tally, whole):
    """Any byte of any file may be wrong: there are values, or one of our errors."""
    (path, *_) = sorted((results / "predictions").glob("*.npz"))
    content = path.read_bytes()
    places = range(len(content)) if whole else random.Random(3).sample(range(len(content)), 60)

    def check(at: int) -> None:
        wrong = bytearray(content)
        wrong[at] ^= 1 << at % 8
        for read in (predictions_from_bytes, sentences_from_bytes):
            told(read, bytes(wrong), "x.npz")

    tally.each(check, [(at,) for at in places])


def test_strange_folders_on_the_command_line(tmp_path, outside, results, tally, capsys):
    """One line, and no traceback, whatever is in the folder."""

    def check(name: str, kind: str) -> None:
        folder = copy_of(results, tmp_path / "DIR")
        replaced(folder / name, kind, outside)
        with harmless(outside):
            assert main(["report", str(folder), "-o", str(tmp_path / "page.html"), "--force"]) == 1
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        assert line.startswith("structprobe: error: ")

    tally.each(check, [("rows.jsonl", kind) for kind in KINDS])
