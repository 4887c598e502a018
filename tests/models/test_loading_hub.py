"""Loading from the hub's cache and GGUF files, and without a sound."""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)
from support.elsewhere import in_subprocess
from support.tiny_checkpoints import read_weights, save_checkpoint, save_gguf, write_weights
from transformers.utils import logging as transformers_logging

from structprobe.errors import EncoderError
from structprobe.models.fingerprints import fingerprint_tokenizer
from structprobe.models.hub import find_commit
from structprobe.models.loading import load_model, untrained
from structprobe.models.quiet import quiet_transformers

COMMIT = "0123456789abcdef0123456789abcdef01234567"


IDS = torch.tensor([[0, 4, 5, 2]])


@pytest.fixture
def bert(tmp_path):
    return save_checkpoint(tmp_path / "bert", "bert")


def hub_cache(home: Path, kind: str = "bert") -> Path:
    """Lay out a cache as the hub's client does, with one model in it."""
    root = home / "hub" / "models--group--tiny"
    save_checkpoint(root / "snapshots" / COMMIT, kind)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    return root


def use_cache(monkeypatch, folder: Path) -> None:
    """Point the hub's client and transformers, before 5 too, to this cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    monkeypatch.setattr("transformers.utils.hub.TRANSFORMERS_CACHE", str(folder), raising=False)


def test_gguf_files_of_one_commit_are_told_apart(tmp_path, monkeypatch):
    snapshot = hub_cache(tmp_path) / "snapshots" / COMMIT
    save_gguf(snapshot / "a.gguf")
    shutil.copy(snapshot / "a.gguf", snapshot / "b.gguf")
    use_cache(monkeypatch, tmp_path / "hub")
    one, other = load_model("group/tiny/a.gguf"), load_model("group/tiny", gguf_file="b.gguf")
    assert (one.name, other.name) == ("group/tiny/a.gguf", "group/tiny/b.gguf")
    assert one.revision == other.revision == COMMIT
    assert one.fingerprint.startswith(f"{COMMIT}/a.gguf-")
    assert other.fingerprint.startswith(f"{COMMIT}/b.gguf-")


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_hub_id_in_the_cache(tmp_path, monkeypatch, revision):
    hub_cache(tmp_path)
    use_cache(monkeypatch, tmp_path / "hub")
    loaded = load_model("group/tiny", revision=revision)
    assert loaded.revision == COMMIT
    assert loaded.fingerprint == f"{COMMIT}-{fingerprint_tokenizer(loaded.tokenizer)}"
    config = f"snapshots/{COMMIT}/config.json"
    (tmp_path / "hub" / "models--group--tiny" / config).unlink()
    assert find_commit("group/tiny", revision, None) == COMMIT  # from the tokenizer's
    assert find_commit("group/other", revision, "a.gguf") is None


@pytest.mark.slow
def test_nothing_is_printed_while_loading(tmp_path):
    """A head that is not used, a pooler that is missing: transformers would print a table."""
    snapshot = hub_cache(tmp_path) / "snapshots" / COMMIT
    weights = read_weights(snapshot)
    weights = {name: weight for name, weight in weights.items() if "pooler" not in name}
    weights["cls.predictions.bias"] = torch.zeros(3)
    write_weights(snapshot, weights)
    file = save_gguf(tmp_path / "model.gguf")
    script = (
        "from structprobe.models.loading import load_model\n"
        f"print(load_model('group/tiny').revision, load_model({file!r}).n_layers)\n"
    )
    assert in_subprocess(script, HF_HOME=str(tmp_path)) == (f"{COMMIT} 2", "")


@pytest.mark.parametrize("bars", [True, False])
@pytest.mark.parametrize("hub_bars", [True, False])
def test_settings_are_as_before_after_the_quiet(bars, hub_bars):
    from transformers import modeling_gguf_pytorch_utils as gguf_reader

    logger, bar = logging.getLogger("transformers"), gguf_reader.tqdm
    before = logger.level, transformers_logging.is_progress_bar_enabled()
    try:
        logger.setLevel(logging.INFO)
        if bars:
            transformers_logging.enable_progress_bar()
        else:
            transformers_logging.disable_progress_bar()
        if hub_bars:
            enable_progress_bars()
        else:
            disable_progress_bars()
        with contextlib.suppress(KeyError), quiet_transformers():
            assert logger.level == logging.ERROR
            assert not transformers_logging.is_progress_bar_enabled()
            assert are_progress_bars_disabled() is not hub_bars
            warnings.warn("not to be seen", stacklevel=1)
            raise KeyError
        assert logger.level == logging.INFO
        assert transformers_logging.is_progress_bar_enabled() is bars
        assert are_progress_bars_disabled() is not hub_bars
        assert gguf_reader.tqdm is bar
    finally:
        logger.setLevel(before[0])
        enable_progress_bars()
        if before[1]:
            transformers_logging.enable_progress_bar()


def test_quiet_without_a_gguf_reader_of_this_kind(monkeypatch):
    from transformers import modeling_gguf_pytorch_utils as gguf_reader

    monkeypatch.delattr(gguf_reader, "tqdm")
    with quiet_transformers():
        assert not hasattr(gguf_reader, "tqdm")
    assert not hasattr(gguf_reader, "tqdm")


def test_a_gguf_file_by_path_and_by_name(tmp_path, monkeypatch):
    file = save_gguf(tmp_path / "model.gguf")
    by_path, by_name = load_model(file), load_model(tmp_path, gguf_file="model.gguf")
    assert by_path.name == by_name.name == file
    assert by_path.fingerprint == by_name.fingerprint
    assert (by_path.n_layers, by_path.hidden_size, by_path.max_positions) == (2, 8, 64)
    assert {weight.dtype for weight in by_path.model.parameters()} == {torch.float32}
    monkeypatch.chdir(tmp_path)
    assert load_model("model.gguf").fingerprint == by_path.fingerprint
    fresh = untrained(by_path, 3)
    assert fresh.model(input_ids=IDS).last_hidden_state.shape == (1, 4, 8)
    with pytest.raises(EncoderError, match=r"pass its GGUF file as gguf_file="):
        load_model(tmp_path)
    with pytest.raises(
        EncoderError, match=r"no file 'other\.gguf' in .*; GGUF files there: model\.gguf"
    ):
        load_model(tmp_path, gguf_file="other.gguf")
    Path(file).write_bytes(b"not at all")
    with pytest.raises(EncoderError, match=r"cannot load .*GGUF"):
        load_model(file)
