"""What an encoder finds again in a cache, and what a run that was cut off leaves behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import TOKENIZERS, tiny_model

from structprobe.encoder import Encoder
from structprobe.encoder.pooling import word_vectors

WORDS = ["the", "dog", "that", "chased", "the", "cat", "ran", "unbelievable"]
SENTENCES = [(WORDS * 4)[: 1 + 5 * i % 23] for i in range(24)]


def saved(folder: Path) -> Path:
    tokenizer = TOKENIZERS["wordpiece"]()
    tiny_model("bert", tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_model_folder_that_was_moved_finds_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, cache = saved(tmp_path / "here"), tmp_path / "there", tmp_path / "cache"
    before = Encoder(str(here)).encode(SENTENCES, cache=cache).layer(3)
    shutil.move(here, there)
    moved = Encoder(str(there))
    monkeypatch.setattr("structprobe.encoder.encoder.word_vectors", None)  # no more passes
    after = moved.encode(SENTENCES, cache=cache).layer(3)
    assert np.array_equal(before.values, after.values)
    assert after.origin is not None
    assert after.origin["model"] == str(there)


@pytest.mark.parametrize("change", ["word", "order", "pooling", "spacing", "dtype", "weights"])
@pytest.mark.fault_class("stale")
def test_whatever_changes_the_vectors_is_another_cache(tmp_path: Path, change: str) -> None:
    folder, cache = saved(tmp_path / "model"), tmp_path / "cache"
    Encoder(str(folder)).encode(SENTENCES, layers=1, cache=cache)
    n_caches = len(list(cache.iterdir()))
    sentences, options = SENTENCES, {}
    if change == "word":
        sentences = [["a"], *SENTENCES[1:]]
    elif change == "order":
        sentences = SENTENCES[::-1]
    elif change == "weights":
        model = tiny_model("bert", TOKENIZERS["wordpiece"](), seed=1)
        model.save_pretrained(folder)
    else:
        options = {
            "pooling": {"pooling": "last"},
            "spacing": {"spacing": "original"},
            "dtype": {"dtype": "bfloat16"},
        }[change]
    changed = Encoder(str(folder), **options)
    assert np.array_equal(
        changed.encode(sentences, layers=1, cache=cache).layer(1).values,
        changed.encode(sentences, layers=1).layer(1).values,
    )
    assert len(list(cache.iterdir())) == n_caches + 1


@pytest.mark.fault_class("stale")
def test_a_model_object_trained_meanwhile_meets_no_stale_cache(tmp_path: Path) -> None:
    tokenizer = TOKENIZERS["wordpiece"]()
    model = tiny_model("bert", tokenizer)
    encoder = Encoder(model, tokenizer=tokenizer)
    untrained = encoder.untrained()
    before = encoder.fingerprint
    encoder.encode(SENTENCES, layers=3, cache=tmp_path)
    encoder.encode(SENTENCES, layers=3, cache=tmp_path)
    assert encoder.fingerprint == before
    with torch.no_grad():
        model.train().encoder.layer[0].output.dense.weight.mul_(2)
    cached = encoder.encode(SENTENCES, layers=3, cache=tmp_path).layer(3)
    assert np.array_equal(cached.values, encoder.encode(SENTENCES, layers=3).layer(3).values)
    assert cached.origin is not None
    assert cached.origin["fingerprint"] == encoder.fingerprint != before
    before = untrained.fingerprint
    untrained.encode(SENTENCES, layers=3, cache=tmp_path)
    assert untrained.fingerprint == before


@pytest.mark.fault_class("interrupts")
def test_a_resumed_run_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder(str(saved(tmp_path / "model")), batch_tokens=90)
    run, n_runs = word_vectors, 0

    def stop_at_third(*args: Any) -> Any:
        nonlocal n_runs
        n_runs += 1
        if n_runs == 3:
            raise KeyboardInterrupt
        return run(*args)

    monkeypatch.setattr("structprobe.encoder.encoder.word_vectors", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        encoder.encode(SENTENCES, cache=tmp_path / "cache")
    for journal in (tmp_path / "cache").rglob("*.journal"):  # torn in the midst of a batch
        os.truncate(journal, journal.stat().st_size - 8)
    bank = encoder.encode(SENTENCES, cache=tmp_path / "cache")
    undisturbed = encoder.encode(SENTENCES)
    for layer in bank.layers:
        assert np.array_equal(bank.layer(layer).values, undisturbed.layer(layer).values)
