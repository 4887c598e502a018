"""What of a model is read: the decoder of an encoder-decoder model, the mean of several layers."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_checkpoints import make_model, make_tokenizer, save_checkpoint
from support.tiny_trees import tiny_bank, tiny_file
from transformers import MarianConfig, MarianModel, T5ForConditionalGeneration

from structprobe import Encoder, ProbeRecoverer, StructuralProbe, WordAttentions
from structprobe.cli.main import main
from structprobe.errors import EncoderError

START = 3  # the token that the decoder starts with
KINDS: dict[str, dict[str, Any]] = {
    "t5": {"decoder_start_token_id": START},
    "bart": {
        "d_model": 8,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 12,
        "decoder_ffn_dim": 12,
        "decoder_start_token_id": START,
    },
}
SENTENCES = [["the", "dog", "ran"], ["a", "cat"], ["the", "cat", "saw", "a", "dog"]]


def model_of(kind: str) -> Any:
    """A tiny encoder-decoder model with weights large enough to matter."""
    model = make_model(kind, **KINDS[kind])
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        for weight in model.parameters():
            weight.normal_(std=0.3)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_the_vectors_are_those_of_the_decoder_where_it_reads_the_word(kind: str) -> None:
    model, tokenizer = model_of(kind), make_tokenizer()
    encoder = Encoder(model, tokenizer=tokenizer, part="decoder")
    assert encoder.n_layers == (3 if kind == "bart" else 2)
    assert encoder.loaded.max_positions == (23 if kind == "bart" else None)
    bank = encoder.encode(SENTENCES)
    for number, words in enumerate(SENTENCES):
        ids = torch.tensor([tokenizer(" ".join(words))["input_ids"]])
        with torch.no_grad():
            output = model(
                input_ids=ids,
                decoder_input_ids=torch.cat([torch.tensor([[START]]), ids], dim=1),
                output_hidden_states=True,
            )
        for layer in encoder.layers:
            wanted = output.decoder_hidden_states[layer][0, 2:-1]  # no start, <s> and </s>
            np.testing.assert_allclose(bank.layer(layer)[number], wanted, rtol=1e-4, atol=1e-5)


def test_a_head_changes_nothing() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        whole = T5ForConditionalGeneration(model_of("t5").config).eval()
    bare = model_of("t5")
    bare.load_state_dict(whole.state_dict(), strict=False)
    banks = [
        Encoder(model, tokenizer=make_tokenizer(), part="decoder").encode(SENTENCES)
        for model in (whole, bare)
    ]
    for layer in range(3):
        wanted = banks[1].layer(layer).values
        np.testing.assert_allclose(banks[0].layer(layer).values, wanted, rtol=1e-5, atol=1e-6)


def test_another_start_token_of_a_model_object_is_used() -> None:
    model, tokenizer = model_of("t5"), make_tokenizer()
    encoder = Encoder(model, tokenizer=tokenizer, part="decoder")
    before = encoder.encode(SENTENCES).layer(2).values
    model.config.decoder_start_token_id = 2
    after = encoder.encode(SENTENCES).layer(2).values
    wanted = Encoder(model, tokenizer=tokenizer, part="decoder").encode(SENTENCES).layer(2).values
    assert np.array_equal(after, wanted)
    assert not np.allclose(after, before)


@pytest.mark.parametrize("n_tokens", [6, 50])
def test_a_decoder_with_another_vocabulary_is_refused(n_tokens: int) -> None:
    settings = {"share_encoder_decoder_embeddings": False, "decoder_vocab_size": n_tokens}
    size = {"vocab_size": 10, "pad_token_id": 1, "eos_token_id": 2}
    model = MarianModel(MarianConfig(**(KINDS["bart"] | size | settings)))
    message = f"a vocabulary of its own, .* \\({n_tokens} tokens, not 10\\); leave out part"
    with pytest.raises(EncoderError, match=message):
        Encoder(model, tokenizer=make_tokenizer(), part="decoder")


def test_a_start_token_that_the_decoder_does_not_know() -> None:
    model = model_of("t5")
    model.config.decoder_start_token_id = 58_100
    with pytest.raises(EncoderError, match="starts with token 58100, but knows 10 tokens"):
        Encoder(model, tokenizer=make_tokenizer(), part="decoder")


def test_the_decoder_does_not_look_ahead_but_for_what_the_encoder_gives() -> None:
    model, tokenizer = model_of("t5"), make_tokenizer()
    first, second = (["the", "dog", last] for last in ("ran", "saw"))
    bank = Encoder(model, tokenizer=tokenizer, part="decoder").encode([first, second])
    values = bank.layer(0)
    assert np.array_equal(values[0][:2], values[1][:2])
    assert not np.allclose(bank.layer(2)[0][:2], bank.layer(2)[1][:2])  # through the encoder


def test_it_is_another_model_than_the_encoder(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "model", "t5", **KINDS["t5"])
    usual, other = Encoder(folder), Encoder(folder, part="decoder")
    assert usual.fingerprint != other.fingerprint
    assert other.origin(1)["model_part"] == "decoder"
    assert "model_part" not in usual.origin(1)
    wanted = other.encode(SENTENCES)
    for copied in (pickle.loads(pickle.dumps(other)), copy.deepcopy(other)):
        assert np.array_equal(copied.encode(SENTENCES).layer(2).values, wanted.layer(2).values)
    fresh = other.untrained(1)
    assert fresh.fingerprint != other.fingerprint
    assert not np.allclose(fresh.encode(SENTENCES).layer(2).values, wanted.layer(2).values)


def test_a_change_of_a_model_object_is_seen() -> None:
    model, tokenizer = model_of("t5"), make_tokenizer()
    encoder = Encoder(model, tokenizer=tokenizer, part="decoder")
    before, values = encoder.fingerprint, encoder.encode(SENTENCES).layer(1).values
    assert encoder.fingerprint == before
    with torch.no_grad():
        model.shared.weight.mul_(2)
    assert encoder.fingerprint != before
    assert not np.allclose(encoder.encode(SENTENCES).layer(1).values, values)


@pytest.mark.parametrize("window", [3, 5])
def test_a_window_is_the_mean_of_the_layers_around(window: int) -> None:
    model, tokenizer = make_model("bert", num_hidden_layers=4), make_tokenizer()
    alone = Encoder(model, tokenizer=tokenizer).encode(SENTENCES)
    encoder = Encoder(model, tokenizer=tokenizer, window=window)
    bank = encoder.encode(SENTENCES)
    for layer in range(5):
        around = range(max(0, layer - window // 2), min(4, layer + window // 2) + 1)
        wanted = np.mean([alone.layer(one).values for one in around], axis=0)
        np.testing.assert_allclose(bank.layer(layer).values, wanted, rtol=1e-5, atol=1e-6)
    (one,) = encoder.encode(SENTENCES, layers=2).layers
    assert np.array_equal(
        encoder.encode(SENTENCES, layers=2).layer(one).values, bank.layer(2).values
    )
    assert encoder.origin(2)["window"] == window
    assert encoder.fingerprint != Encoder(model, tokenizer=tokenizer).fingerprint


def test_a_window_of_a_site_takes_the_layers_that_have_it() -> None:
    model, tokenizer = make_model("bert"), make_tokenizer()
    alone = Encoder(model, tokenizer=tokenizer, site="mlp").encode(SENTENCES)
    bank = Encoder(model, tokenizer=tokenizer, site="mlp", window=3).encode(SENTENCES)
    wanted = np.mean([alone.layer(one).values for one in (1, 2)], axis=0)
    for layer in (1, 2):
        np.testing.assert_allclose(bank.layer(layer).values, wanted, rtol=1e-5, atol=1e-6)


def test_a_saved_probe_reads_what_it_was_fitted_on(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "model", "t5", **KINDS["t5"])
    encoder = Encoder(folder, part="decoder", window=3)
    probe = StructuralProbe(rank=2, max_steps=3, random_state=0)
    recoverer = ProbeRecoverer(encoder, 1, probe, progress=False).fit(tiny_bank())
    recoverer.save_pretrained(tmp_path / "PROBE")
    again = ProbeRecoverer.from_pretrained(tmp_path / "PROBE")
    assert (again.encoder.part, again.encoder.window) == ("decoder", 3)
    assert again.encoder.fingerprint == encoder.fingerprint
    for one, other in zip(recoverer.predict(tiny_bank()), again.predict(tiny_bank()), strict=True):
        assert np.array_equal(one.heads, other.heads)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_checkpoint(tmp_path / "model", "t5", **KINDS["t5"])
    tiny_file(tmp_path / "bank.conllu", n=30)
    files = [word for part in ("train", "dev") for word in (f"--{part}", f"{tmp_path}/bank.conllu")]
    how = ["--model-part", "decoder", "--window", "3", "--ranks", "2", "--max-steps", "2", "-q"]
    command = ["sweep", "--model", folder, *files, *how, "--layers", "1", "--json"]
    assert main([*command, "-o", str(tmp_path / "out")]) == 0
    (row,) = (row for row in json.loads(capsys.readouterr().out) if row["layer"] == 1)
    assert (row["model_part"], row["window"]) == ("decoder", 3)
    assert main([*command, "--window", "2", "-o", str(tmp_path / "new")]) == 1
    assert "window must be an odd number of layers, 1 or more, got 2" in capsys.readouterr().err


def test_a_decoder_may_have_more_layers_than_the_encoder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_checkpoint(tmp_path / "model", "bart", **KINDS["bart"])
    tiny_file(tmp_path / "bank.conllu", n=2)
    bank = str(tmp_path / "bank.conllu")
    command = ["encode", bank, "--model", folder, "-q", "--cache", str(tmp_path / "cache")]
    assert main([*command, "--model-part", "decoder", "--layers", "3"]) == 0
    assert main([*command, "--layers", "3"]) == 1
    assert "layer 3 is out of range; the model has layers 0 to 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "how", "message"),
    [
        ("bert", {"part": "decoder"}, "has no part 'decoder': it is no encoder-decoder model"),
        ("t5", {"part": "encoder"}, "unknown part 'encoder' .*choose from 'decoder'"),
        ("t5", {"part": "decoder", "site": "mlp"}, "has no site 'mlp'"),
        ("bert", {"window": 2}, "window must be an odd number"),
        ("bert", {"window": 0}, "window must be an odd number"),
        ("bert", {"window": 5}, "window 5 is more than the 3 layers of 'BertModel'"),
        ("bert", {"window": True}, "window must be an odd number"),
        ("bert", {"window": "3"}, "window must be an odd number"),
    ],
)
def test_what_cannot_be_read(kind: str, how: dict[str, Any], message: str) -> None:
    model = model_of(kind) if kind in KINDS else make_model(kind)
    with pytest.raises(EncoderError, match=message):
        Encoder(model, tokenizer=make_tokenizer(), **how)


@pytest.mark.parametrize(
    ("kind", "how", "told"),
    [
        ("t5", {"part": "decoder"}, "model_part 'decoder'; leave out part"),
        ("bert", {"window": 3}, "window 3; leave out window"),
        ("bert", {"site": "mlp"}, "site 'mlp'; leave out site"),
    ],
)
def test_attention_is_not_read_beside_it(kind: str, how: dict[str, Any], told: str) -> None:
    model = model_of(kind) if kind in KINDS else make_model(kind)
    encoder = Encoder(model, tokenizer=make_tokenizer(), **how)
    with pytest.raises(EncoderError, match=f"cannot be read with {told}"):
        WordAttentions(encoder)


def test_a_model_that_does_not_say_how_its_decoder_starts() -> None:
    model = model_of("t5")
    model.config.decoder_start_token_id = None  # beginnings of other kinds do not count
    assert model.config.bos_token_id == 0
    with pytest.raises(EncoderError, match="does not say which token its decoder starts with"):
        Encoder(model, tokenizer=make_tokenizer(), part="decoder")
