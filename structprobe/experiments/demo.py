"""A sweep on embedded data: a small encoder and an artificial treebank."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from numpy.typing import ArrayLike

from structprobe.draw import draw_text
from structprobe.experiments.config import SweepConfig, Training
from structprobe.experiments.sweep import sweep
from structprobe.models.embedded import embedded_model
from structprobe.results.folder import ResultsFolder
from structprobe.results.rows import Row
from structprobe.scores.scoring import score
from structprobe.treebank import Treebank
from structprobe.treebank.sentence import Sentence
from structprobe.trees import edges

# A demonstration, not a finding: enough steps for the embedded treebank's short sentences.
STEPS = 600


def embedded_treebanks() -> tuple[Treebank, Treebank, Treebank]:
    """Read the embedded treebank."""
    folder = Path(str(files("structprobe.data"))) / "sample"
    train, dev, test = (Treebank.read(folder / f"{p}.conllu") for p in ("train", "dev", "test"))
    return train, dev, test


def demonstrate(
    *,
    folder: str | os.PathLike[str] | None = None,
    steps: int = STEPS,
    device: str = "auto",
    command: str | None = None,
    progress: bool | None = None,
) -> tuple[list[Row], str]:
    """Probe all layers of the embedded encoder on the embedded treebank."""
    from structprobe.encoder.encoder import Encoder

    encoder = Encoder(embedded_model(), device=device)
    train, dev, test = embedded_treebanks()
    with TemporaryDirectory() as scratch:
        kept = Path(folder) if folder else Path(scratch) / "results"
        training = Training(max_steps=steps, device=device)
        config = SweepConfig(training, command=command, progress=progress)
        rows = sweep(encoder, train, dev, test, folder=kept, config=config)
        best = best_layer(rows)
        results = ResultsFolder(kept)
        predictions = results.predictions(best["key"])
        if folder:  # nobody needs to know about a temporary one
            results.tell_room()
    index = _typical(test, [prediction.heads for _, prediction in predictions], best["uuas"])
    words, prediction = predictions[index]
    told = f"layer {best['layer']}, the best on dev; sentence {test[index].sent_id} of the test set"
    counts = score([test[index]], [prediction], punct=best["punct"]).counts
    told += ", whose score is close to the UUAS of the layer. Of its edges, UUAS counts "
    told += f"{counts['n_right_edges']} of {counts['n_edges']} right; the drawing is of all words"
    return rows, f"{told}\n\n{draw_text(words, _heads(test[index]), prediction.heads)}"


def _typical(test: Treebank, pred_heads: Sequence[ArrayLike], uuas: float) -> int:
    """Choose a sentence to draw whose score is close to the overall score."""

    def far(place: int) -> float:
        both = _heads(test[place]), pred_heads[place]
        gold, pred = ({*map(tuple, edges(heads).tolist())} for heads in both)
        return abs(len(gold & pred) / len(gold) - uuas)

    return min((i for i, sentence in enumerate(test) if 9 <= len(sentence) <= 12), key=far)


def _heads(sentence: Sentence) -> ArrayLike:
    assert sentence.heads is not None  # the sweep has scored it
    return sentence.heads


def best_layer(rows: Sequence[Row]) -> Row:
    """Choose the probe that was best on dev."""
    return max((row for row in rows if row["method"] == "probe"), key=lambda row: row["dev_uuas"])
