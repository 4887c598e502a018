"""On a GPU: the numbers of the CPU, the same numbers again, and memory that does not suffice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import FAST, paired_wordpiece, tiny_model
from support.planted import planted

from structprobe import Encoder, LayerSweep, StructuralProbe, WordAttentions
from structprobe.masking.impacts import MaskedImpacts
from structprobe.probe.readers.biaffine_mix import BiaffineMix
from structprobe.probe.readers.biaffine_probe import BiaffineProbe
from structprobe.probe.readers.layer_mix import LayerMix
from structprobe.probe.tensor_products import Bindings, RoleRegression
from structprobe.recoverers.attention_probe import AttentionProbe

pytestmark = pytest.mark.skipif("not torch.cuda.is_available()", reason="there is no GPU")

TEXT = "the dog that chased a cat ran away from our house and she saw him there"
WORDS = TEXT.split() * 2
SENTENCES = [WORDS[i % 9 : i % 9 + 2 + i % 11] for i in range(60)]
GIGABYTE = 1 << 30
TOKENIZERS = {
    "bert": paired_wordpiece,
    "roberta": FAST["roberta_bpe"],
    "gpt2": FAST["gpt2_bpe"],
    "llama": FAST["llama_bpe"],
    "t5": FAST["unigram"],
}


@pytest.fixture(scope="module", params=TOKENIZERS)
def folder(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    tokenizer = TOKENIZERS[request.param]()
    tiny_model(request.param, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def encoded(folder: Path, device: str, **how: Any) -> np.ndarray:
    bank = Encoder(folder, device=device, **how).encode(SENTENCES, progress=False)
    return np.concatenate([bank.layer(layer).values.astype("f4") for layer in bank.layers])


def close(found: np.ndarray, expected: np.ndarray, share: float) -> None:
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    assert np.abs(found - expected).max() <= share * np.abs(expected).max()


@pytest.mark.parametrize(
    ("dtype", "share"), [("float32", 1e-4), ("float16", 2e-2), ("bfloat16", 1e-1)]
)
def test_vectors_are_those_of_the_cpu(folder: Path, dtype: str, share: float) -> None:
    close(encoded(folder, "cuda", dtype=dtype), encoded(folder, "cpu"), share)


def test_attention_is_that_of_the_cpu(folder: Path) -> None:
    def read(device: str) -> np.ndarray:
        found = {}
        for one in WordAttentions(Encoder(folder, device=device)).read(SENTENCES, progress=False):
            for k, number in enumerate(one.sentences):
                n = int(one.lengths[k])
                found[int(number)] = one.weights[k, :, :, :n, :n].ravel()
        return np.concatenate([found[number] for number in sorted(found)])

    close(read("cuda"), read("cpu"), 1e-4)


def test_a_look_changes_no_random_state(folder: Path) -> None:
    before = torch.cuda.get_rng_state()
    encoded(folder, "cuda")
    assert torch.equal(before, torch.cuda.get_rng_state())


def test_impacts_are_those_of_the_cpu(tmp_path: Path) -> None:
    tokenizer = TOKENIZERS["bert"]()
    tiny_model("bert", tokenizer).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)

    def read(device: str) -> np.ndarray:
        encoder = Encoder(tmp_path, device=device)
        found = dict(MaskedImpacts(encoder).read(SENTENCES[:8], progress=False))
        return np.concatenate([found[number].ravel() for number in sorted(found)])

    close(read("cuda"), read("cpu"), 1e-3)


def test_memory_that_does_not_suffice_halves_the_batch(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from transformers import BertConfig, BertModel

    tokenizer = TOKENIZERS["bert"]()
    sizes = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    more = {"intermediate_size": 1 << 16, "vocab_size": len(tokenizer)}  # wide: much memory
    BertModel(BertConfig(**sizes, **more)).eval().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    sentences = [(WORDS * 3)[:40]] * 200
    encoder = Encoder(tmp_path, device="cuda", batch_tokens=8000)
    expected = encoder.encode(sentences, layers=[2], progress=False).layer(2).values
    assert not caplog.messages
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    try:
        torch.cuda.set_per_process_memory_fraction(2 * GIGABYTE / total)
        found = encoder.encode(sentences, layers=[2], progress=False).layer(2).values
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("batches of 1/2 of the size" in text for text in caplog.messages)
    close(found, expected, 1e-4)


TRAIN, DEV = planted(200, seed=1, noise=0.2), planted(50, seed=2, noise=0.2)
LAYERS = {0: TRAIN[0], 1: planted(200, seed=1, noise=0.5)[0]}
DEV_LAYERS = {0: DEV[0], 1: planted(50, seed=2, noise=0.5)[0]}


def probe(device: str, **how: Any) -> StructuralProbe:
    how = {"rank": 12, "max_steps": 300, "random_state": 0} | how
    return StructuralProbe(device=device, **how).fit(*TRAIN, dev=DEV)


PROBES: dict[str, dict[str, Any]] = {
    "default": {},
    "published": {"recipe": "published"},
    "likelihood": {"loss": "tree"},
    "streamed": {"memory_gb": 1e-4},
    "bfloat16": {"products": "bfloat16"},
}


@pytest.mark.parametrize("name", PROBES)
def test_probes_are_as_good_as_on_the_cpu(name: str) -> None:
    """As another seed's: the axes of a decomposition may point the other way."""
    mine, theirs = (probe(device, **PROBES[name]) for device in ("cuda", "cpu"))
    for kind in ("distance", "depth"):
        found, expected = (one.history_[kind]["best_dev_loss"] for one in (mine, theirs))
        assert found == pytest.approx(expected, rel=0.03)
    uuas = [one.evaluate(*DEV).uuas for one in (mine, theirs)]
    assert uuas[0] == pytest.approx(uuas[1], abs=0.05)


@pytest.mark.parametrize("name", PROBES)
def test_the_same_seed_gives_the_same_probe(name: str) -> None:
    once, again = (probe("cuda", **PROBES[name]) for _ in range(2))
    close(once.distance_components_, again.distance_components_, 1e-3)
    close(once.depth_components_, again.depth_components_, 1e-3)


def test_layers_together_are_layers_alone() -> None:
    sweep = LayerSweep(rank=12, max_steps=300, random_state=0, device="cuda")
    sweep.fit(LAYERS, TRAIN[1], dev=(DEV_LAYERS, DEV[1]))
    for layer, found in sweep.probes_.items():
        alone = StructuralProbe(rank=12, max_steps=300, random_state=0, device="cuda")
        alone.fit(LAYERS[layer], TRAIN[1], dev=(DEV_LAYERS[layer], DEV[1]))
        for kind in ("distance", "depth"):
            one, other = (x.history_[kind]["best_dev_loss"] for x in (found, alone))
            assert one == pytest.approx(other, rel=1e-2)


READERS: dict[str, Callable[[str], Any]] = {
    "biaffine": lambda device: BiaffineProbe(
        rank=8, max_steps=100, random_state=0, device=device
    ).fit(*TRAIN, dev=DEV),
    "layer mix": lambda device: LayerMix(rank=8, max_steps=100, random_state=0, device=device).fit(
        LAYERS, TRAIN[1], dev=(DEV_LAYERS, DEV[1])
    ),
    "biaffine mix": lambda device: BiaffineMix(
        rank=8, max_steps=100, random_state=0, device=device
    ).fit(LAYERS, TRAIN[1], dev=(DEV_LAYERS, DEV[1])),
}


@pytest.mark.parametrize("name", READERS)
def test_readers_are_as_good_as_on_the_cpu(name: str) -> None:
    given = DEV[0] if name == "biaffine" else DEV_LAYERS
    scores = [READERS[name](device).evaluate(given, DEV[1]).uuas for device in ("cuda", "cpu")]
    assert scores[0] == pytest.approx(scores[1], abs=0.03)


def test_decompositions_are_those_of_the_cpu() -> None:
    generator = np.random.default_rng(0)
    lengths = generator.integers(1, 6, size=90)
    forms, roles = generator.integers(9, size=(2, lengths.sum()))
    vectors = torch.from_numpy(generator.normal(size=(9, 4)))
    target = torch.from_numpy(generator.normal(size=(90, 3)))
    found = []
    for device in ("cpu", "cuda"):
        bindings = Bindings(vectors.to(device), forms, lengths, 60, average=True)
        regression = RoleRegression(bindings, {1: target.to(device)}, 15, 0)
        found.append(regression.fit(bindings.products(roles))[1])
    assert found[0].weight == found[1].weight
    assert found[0].penalty == found[1].penalty
    close(found[1].errors, found[0].errors, 1e-6)


@pytest.mark.parametrize("folder", ["bert"], indirect=True)
def test_the_attention_probe_trains(folder: Path) -> None:
    from support.tiny_trees import tiny_bank

    bank = tiny_bank(n=30)
    encoder = Encoder(folder, device="cuda")
    recoverer = AttentionProbe(encoder, max_steps=50, device="cuda", progress=False).fit(
        bank[:20], bank[20:]
    )
    assert len(recoverer.predict(bank)) == len(bank)


def test_a_probe_of_the_gpu_is_used_on_the_cpu(tmp_path: Path) -> None:
    fitted = probe("cuda")
    fitted.save_pretrained(tmp_path / "probe")
    loaded = StructuralProbe.from_pretrained(tmp_path / "probe")
    for one, other in zip(fitted.predict(DEV[0]), loaded.predict(DEV[0]), strict=True):
        np.testing.assert_array_equal(one, other)
