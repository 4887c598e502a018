from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.models import TOKENIZERS, tiny_model
from support.small_disk import no_file_beyond
from support.strangers import refuse, replaced

from structprobe import Encoder, Treebank, WordAttentions
from structprobe.attention.word_attentions import AttentionBatch
from structprobe.errors import StoreError
from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.treebank.sentence import Sentence

SENTENCES = [["the", "dog", "barks"], ["a"], ["she", "saw", "him", "."], ["I", "know"]]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"symmetrised": True},
    {"special": "renormalise"},
    {"special": "keep"},
]


def make_encoder(**options: Any) -> Encoder:
    cutter = TOKENIZERS["wordpiece"]()
    return Encoder(tiny_model("bert", cutter), tokenizer=cutter, batch_tokens=12, **options)


def read(encoder: Encoder, cache: Path | None, **options: Any) -> list[AttentionBatch]:
    return list(WordAttentions(encoder, cache=cache, **options).read(SENTENCES, progress=False))


def forget_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every further pass through a model fail."""

    def fail(*_: object) -> None:
        raise AssertionError("the model was read again")

    monkeypatch.setattr("structprobe.attention.word_attentions.attentions_of_pass", fail)


def test_attention_is_read_from_the_model_once_whatever_the_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make_encoder()
    expected = [read(encoder, None, **options) for options in OPTIONS]
    assert len(expected[0]) > 1  # several batches
    read(encoder, tmp_path / "cache")
    forget_passes(monkeypatch)
    for options, wanted in zip(OPTIONS, expected, strict=True):
        found = read(encoder, tmp_path / "cache", **options)
        for one, other in zip(found, wanted, strict=True):
            for name in ("sentences", "lengths", "weights", "special", "first", "special_kept"):
                assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.fault_class("stale")
def test_other_words_settings_and_weights_are_read_anew(tmp_path: Path) -> None:
    encoder = make_encoder()
    read(encoder, tmp_path)
    before = set(tmp_path.glob("attention-*"))
    assert len(before) == 1
    list(WordAttentions(encoder, cache=tmp_path).read(SENTENCES[:2], progress=False))
    read(make_encoder(spacing="original"), tmp_path)
    assert len(set(tmp_path.glob("attention-*"))) == 3
    encoder.model.encoder.layer[0].attention.self.query.weight.data.mul_(2)  # trained in place
    found, expected = read(encoder, tmp_path), read(encoder, None)
    assert len(set(tmp_path.glob("attention-*"))) == 4
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.weights, other.weights)


def test_what_is_not_read_to_the_end_is_not_kept(tmp_path: Path) -> None:
    encoder = make_encoder()
    reading = WordAttentions(encoder, cache=tmp_path).read(SENTENCES, progress=False)
    next(reading)
    reading.close()
    assert not list(tmp_path.glob("attention-*"))
    assert len(read(encoder, tmp_path)) == len(read(encoder, None))


@pytest.mark.fault_class("full disk")
def test_damage_and_a_full_disk_are_told(tmp_path: Path) -> None:
    encoder = make_encoder()
    with no_file_beyond(500), pytest.raises(StoreError, match="free some disk space and run again"):
        read(encoder, tmp_path)
    assert not list(tmp_path.glob("attention-*"))
    read(encoder, tmp_path)
    (file,) = tmp_path.glob("attention-*")
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(StoreError, match=r"is damaged: .*; delete it"):
        read(encoder, tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("")
    with pytest.raises(StoreError, match="not a structprobe cache"):
        read(encoder, tmp_path / "other")


def test_all_variants_of_both_methods_read_each_treebank_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make_encoder()
    bank = Treebank(
        Sentence(tuple(words), heads=tuple(range(len(words))), upos=("X",) * len(words))
        for words in SENTENCES
    )
    kinds = [(cls, told) for cls in (AttentionMax, AttentionMST) for told in cls.variants.values()]
    plain = [cls(encoder, **told).fit(bank) for cls, told in kinds]
    expected = [(one.chosen_, one.predict(bank)) for one in plain]
    for number, (cls, told) in enumerate(kinds):
        if number == 1:
            forget_passes(monkeypatch)
        kept = cls(encoder, cache=tmp_path, **told).fit(bank)
        assert kept.chosen_ == expected[number][0]
        for one, other in zip(kept.predict(bank), expected[number][1], strict=True):
            assert np.array_equal(one.heads, other.heads)


@pytest.mark.fault_class("strangers")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "device", "secret", "memory", "within"])
def test_attention_files_that_are_none(tmp_path: Path, kind: str) -> None:
    encoder = make_encoder()
    read(encoder, tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("attention-*")
    (tmp_path / "secret").write_bytes(file.read_bytes())
    if kind == "within":
        file.rename(tmp_path / "cache" / "other")
        file.symlink_to("other")
    else:
        replaced(file, kind, tmp_path)
    assert "is a link" in refuse(read, encoder, tmp_path / "cache")
