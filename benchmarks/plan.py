"""What is measured on what: the treebank, the model, and how much of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structprobe import Encoder, Treebank
from structprobe.encoder.vectors import EncodedBank
from structprobe.models.embedded import embedded_model

LAYER, RANK = 4, 384
N_LAYERS, HIDDEN_SIZE = 7, 384  # of the model


@dataclass(frozen=True)
class Plan:
    """What all stages share.

    Attributes
    ----------
    folder : Path
        The folder that holds UD_English-EWT.
    cache : str
        A folder for vectors.
    every : int
        Take every so-manieth sentence: 1, but to try the benchmark itself out.
    full : bool
        Whether the reference does everything for real, instead of a part that is scaled.
    """

    folder: Path
    cache: str
    every: int = 1
    full: bool = False

    def path(self, part: str) -> Path:
        """Name the file of one part of English EWT."""
        return self.folder / "UD_English-EWT" / f"en_ewt-ud-{part}.conllu"

    def bank(self, part: str) -> Treebank:
        """Read one part."""
        return Treebank.read(self.path(part))[:: self.every]

    def encoder(self) -> Encoder:
        """Load the model."""
        return Encoder(embedded_model(), device="cpu")

    def vectors(self, part: str, layers: Any = None) -> tuple[Treebank, EncodedBank]:
        """Read one part, and its vectors, which are in the cache already."""
        bank = self.bank(part)
        return bank, self.encoder().encode(bank, layers=layers, cache=self.cache, progress=False)
