"""Several models on several treebanks: one sweep each, into one folder, one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from structprobe.experiments.results import ResultsFolder
from structprobe.experiments.rows import Row
from structprobe.experiments.sweep import sweep
from structprobe.treebank.bank import Treebank

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

Parts = tuple[Treebank, Treebank | None, Treebank | None]


def sweep_many(
    encoders: Iterable[Encoder], treebanks: Sequence[Parts], **options: Any
) -> list[Row]:
    """Sweep every model over every treebank.

    Parameters
    ----------
    encoders : iterable of Encoder
        The models; where it makes them one by one, one at a time is in memory.
    treebanks : sequence of (train, dev, test)
        The parts of each treebank; dev and test may be None.
    **options
        Further arguments of `sweep`, among them ``folder``.

    Returns
    -------
    list of dict
        The rows of all sweeps, each once: methods without a model do not depend on it.

    Raises
    ------
    StructprobeError
        As `sweep`; rows already there stay.
    """
    found: dict[str, Row] = {}
    for encoder in encoders:
        for parts in treebanks:
            found |= {row["key"]: row for row in sweep(encoder, *parts, **options)}
    ResultsFolder(options["folder"]).tell_room()
    return list(found.values())
