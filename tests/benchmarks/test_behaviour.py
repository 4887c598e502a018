"""The plain script gives the numbers that it stands beside, and the bare passes are all there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from support.headed_models import CAUSAL, headed
from support.models import gpt2_bpe

from benchmarks.behaviour import plain_script, read_pairs, record
from structprobe import Encoder, LanguageModel

PAIRS = [("the dog ran away .", "the dog run away ."), ("a man saw", "a woman saw him")]


def test_the_plain_script_agrees() -> None:
    model = headed(CAUSAL["llama"], gpt2_bpe())
    scored = LanguageModel(Encoder(model, tokenizer=gpt2_bpe()))
    sums = plain_script(model, gpt2_bpe(), [text for pair in PAIRS for text in pair])
    np.testing.assert_allclose(scored.pair_log_probs(PAIRS).ravel(), sums, atol=1e-4)


def test_the_bare_passes_are_those_of_the_scores() -> None:
    model = headed(CAUSAL["llama"], gpt2_bpe())
    scored = LanguageModel(Encoder(model, tokenizer=gpt2_bpe()))
    read: list[int] = []

    def note(module: object, args: tuple[object, ...], given: dict[str, object]) -> None:
        read.append(given["input_ids"].numel())  # type: ignore[attr-defined]

    scored.pair_log_probs(PAIRS)  # tries whether it may share
    passes = record(scored, PAIRS)
    with model.model.register_forward_pre_hook(note, with_kwargs=True):
        for run in passes:
            run()
        bare = list(read)
        read.clear()
        scored.pair_log_probs(PAIRS)
    assert bare
    assert read[-len(bare) :] == bare  # a look at the model comes first


def test_the_first_pairs_of_each_paradigm(tmp_path: Path) -> None:
    (tmp_path / "blimp").mkdir()
    for name in "ba":
        line = f'{{"sentence_good": "{name} good", "sentence_bad": "{name} bad"}}\n'
        (tmp_path / "blimp" / f"{name}.jsonl").write_text(line * 3, encoding="utf-8")
    assert read_pairs(tmp_path, 1) == [("a good", "a bad"), ("b good", "b bad")]
