"""Several models on several treebanks: one sweep each, into one folder, one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from structprobe.experiments.folder.results import ResultsFolder
from structprobe.experiments.folder.rows import Row
from structprobe.experiments.sweep import sweep
from structprobe.treebank.bank import Treebank

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

Parts = tuple[Treebank, Treebank | None, Treebank | None]


def sweep_many(
    encoders: Iterable[Encoder], treebanks: Sequence[Parts], **options: Any
) -> list[Row]:
    """Sweep every model over every treebank."""
    found: dict[str, Row] = {}
    for encoder in encoders:
        for parts in treebanks:
            found |= {row["key"]: row for row in sweep(encoder, *parts, **options)}
    ResultsFolder(options["folder"]).tell_room()
    return list(found.values())
