"""Stale: caches of other formats and versions, damage found on demand and by later processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.tiny_checkpoints import save_checkpoint
from support.vector_writer import expected, fill, filled, open_at

from structprobe import Encoder, WordAttentions
from structprobe.attention import word_attentions as module
from structprobe.encoder.cache import cache_folder, layer_file, store
from structprobe.encoder.cache.verifying import verify_cache
from structprobe.errors import StoreError

pytestmark = pytest.mark.fault_class("stale")


def change(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


def test_another_version_of_the_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled(tmp_path / "cache").folder
    monkeypatch.setattr(store, "VERSION", 2)
    with open_at(tmp_path / "other") as other:
        assert other.folder.name != before.name
    monkeypatch.setattr(cache_folder, "VERSION", 2)
    with pytest.raises(StoreError, match="version 1 of the cache format, but version 2 is needed"):
        open_at(tmp_path / "cache")


def test_a_cache_of_an_older_version_is_read(tmp_path: Path) -> None:
    """One without checksums, whole or begun."""
    whole = filled(tmp_path / "cache")
    for path in whole.folder.glob("*.check"):
        path.unlink()
    layer_file._verified.clear()
    with open_at(tmp_path / "cache") as again:
        np.testing.assert_array_equal(again.layer(2), expected(2))
    assert verify_cache(tmp_path / "cache") == 2
    with open_at(tmp_path / "begun") as begun:
        for number in (0, 4):
            begun.write([number], {layer: expected(layer, number) for layer in (0, 2)})
    for journal in begun.folder.glob("*.journal"):
        entries = np.fromfile(journal, "<u4").reshape(-1, 2)
        entries[:, 1] = 0
        journal.write_bytes(entries.tobytes())
    with open_at(tmp_path / "begun") as again:
        assert again.missing.tolist() == [1, 2, 3]
        fill(again)
    np.testing.assert_array_equal(again.layer(0), expected(0))
    assert verify_cache(tmp_path / "begun") == 2


def test_attention_of_an_older_version_is_read(tmp_path: Path, tally: Any) -> None:
    """Whose file has no checksums, under another name; cut between batches, it is refused."""
    encoder = Encoder(save_checkpoint(tmp_path / "model", "bert"), device="cpu", batch_tokens=12)
    texts = [["the", "dog", "ran"], ["a"], ["cat", "saw"]]
    cache = tmp_path / "cache"
    attention = WordAttentions(encoder, cache=cache)
    raw = [*attention._passes(texts)]
    arrays = [(one.sentences, one.lengths, one.words) for one in raw]

    def check(n: int) -> None:
        key = module.to_json({**module.pass_key(encoder, texts), "version": 1}).encode()
        path = cache / f"attention-{module.short_digest(key)}.npy"
        module.claim(cache)
        with path.open("wb") as file:
            for array in (array for own in arrays[:n] for array in own):
                np.save(file, array)
        if n < len(arrays):
            with pytest.raises(StoreError, match=r"is damaged: \d sentences? missing"):
                list(attention.read(texts, progress=False))
        else:
            found = list(attention.read(texts, progress=False))
            assert [one.sentences.tolist() for one in found] == [a[0].tolist() for a in arrays]

    tally.each(check, [(n,) for n in range(len(arrays), 0, -1)])


def test_damage_is_found_on_demand(tmp_path: Path, tally: Any) -> None:
    opened = filled(tmp_path / "cache")
    assert verify_cache(tmp_path / "cache") == 2

    def check(path: Path, place: int) -> None:
        change(path, place)
        with pytest.raises(StoreError, match="damaged"):
            verify_cache(tmp_path / "cache")
        change(path, place)

    files = [path for path in sorted(opened.folder.iterdir()) if path.name != "lock"]
    tally.each(check, [(path, place) for path in files for place in (-2, -9)])
    assert verify_cache(tmp_path / "cache") == 2
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(StoreError, match="does not exist"):
        verify_cache(tmp_path / "cache")


def test_a_process_verifies_what_another_wrote(tmp_path: Path) -> None:
    opened = filled(tmp_path / "cache")
    opened.layer(2)  # here it was verified before
    change(opened.folder / "layer-02.npy", 140)
    script = f"from support.vector_writer import *; open_at({str(tmp_path / 'cache')!r}).layer(2)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "layer-02.npy is damaged: checksum mismatch in sentence 1" in done.stderr


def test_damaged_rows_of_an_interrupted_run_are_encoded_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_at(tmp_path / "cache") as begun:
        for number in (0, 4):
            begun.write([number], {layer: expected(layer, number) for layer in (0, 2)})
    change(begun.folder / "layer-02.part", 130)
    with open_at(tmp_path / "cache") as again:
        assert again.missing.tolist() == [0, 1, 2, 3]
        assert "layer-02.part: the vectors of 1 sentence were damaged" in caplog.text
        fill(again)
    np.testing.assert_array_equal(again.layer(2), expected(2))
