"""How much syntax do a language model's layers encode, and can trees be recovered from them.

The public names are imported when they are first used, so that ``import structprobe`` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from structprobe._version import __version__

if TYPE_CHECKING:
    from structprobe.attention.word_attentions import WordAttentions
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import EncodedBank, WordVectors
    from structprobe.errors import StructprobeError
    from structprobe.experiments.compare import compare
    from structprobe.experiments.config import (
        CompareConfig,
        FitConfig,
        HeadsConfig,
        LocaliseConfig,
        SweepConfig,
        Training,
    )
    from structprobe.experiments.fit import fit_probe
    from structprobe.experiments.heads import analyse_heads
    from structprobe.experiments.localise import localise
    from structprobe.experiments.runs.backends import Backend
    from structprobe.experiments.runs.planning import plan_sweep
    from structprobe.experiments.sweep import sweep
    from structprobe.probe.base import NotFittedError
    from structprobe.probe.estimator import StructuralProbe
    from structprobe.probe.layer_sweep import LayerSweep
    from structprobe.recoverers.attention_max import AttentionMax
    from structprobe.recoverers.attention_mst import AttentionMST
    from structprobe.recoverers.base import Recoverer
    from structprobe.recoverers.branching import LeftBranching, RightBranching
    from structprobe.recoverers.linear import LinearChain
    from structprobe.recoverers.parsed import ParsedSentence
    from structprobe.recoverers.probe import ProbeRecoverer
    from structprobe.recoverers.random_tree import RandomTree
    from structprobe.results.folder import read_rows, to_frame
    from structprobe.results.frames import Rows
    from structprobe.results.saved_probes import find_probe
    from structprobe.scores.prediction import Prediction
    from structprobe.scores.protocol import Protocol
    from structprobe.scores.result import Scores
    from structprobe.scores.scoring import score
    from structprobe.show.table import format_table
    from structprobe.treebank.bank import Treebank
    from structprobe.treebank.sentence import Sentence

_HOME = {
    "AttentionMST": "structprobe.recoverers.attention_mst",
    "AttentionMax": "structprobe.recoverers.attention_max",
    "Backend": "structprobe.experiments.runs.backends",
    "CompareConfig": "structprobe.experiments.config",
    "EncodedBank": "structprobe.encoder.vectors",
    "Encoder": "structprobe.encoder.encoder",
    "FitConfig": "structprobe.experiments.config",
    "HeadsConfig": "structprobe.experiments.config",
    "LayerSweep": "structprobe.probe.layer_sweep",
    "LeftBranching": "structprobe.recoverers.branching",
    "LinearChain": "structprobe.recoverers.linear",
    "LocaliseConfig": "structprobe.experiments.config",
    "NotFittedError": "structprobe.probe.base",
    "ParsedSentence": "structprobe.recoverers.parsed",
    "Prediction": "structprobe.scores.prediction",
    "ProbeRecoverer": "structprobe.recoverers.probe",
    "Protocol": "structprobe.scores.protocol",
    "RandomTree": "structprobe.recoverers.random_tree",
    "Recoverer": "structprobe.recoverers.base",
    "RightBranching": "structprobe.recoverers.branching",
    "Rows": "structprobe.results.frames",
    "Scores": "structprobe.scores.result",
    "Sentence": "structprobe.treebank.sentence",
    "StructprobeError": "structprobe.errors",
    "StructuralProbe": "structprobe.probe.estimator",
    "SweepConfig": "structprobe.experiments.config",
    "Training": "structprobe.experiments.config",
    "Treebank": "structprobe.treebank.bank",
    "WordAttentions": "structprobe.attention.word_attentions",
    "WordVectors": "structprobe.encoder.vectors",
    "analyse_heads": "structprobe.experiments.heads",
    "compare": "structprobe.experiments.compare",
    "find_probe": "structprobe.results.saved_probes",
    "fit_probe": "structprobe.experiments.fit",
    "format_table": "structprobe.show.table",
    "localise": "structprobe.experiments.localise",
    "plan_sweep": "structprobe.experiments.runs.planning",
    "read_rows": "structprobe.results.folder",
    "score": "structprobe.scores.scoring",
    "sweep": "structprobe.experiments.sweep",
    "to_frame": "structprobe.results.folder",
}

__all__ = [
    "AttentionMST",
    "AttentionMax",
    "Backend",
    "CompareConfig",
    "EncodedBank",
    "Encoder",
    "FitConfig",
    "HeadsConfig",
    "LayerSweep",
    "LeftBranching",
    "LinearChain",
    "LocaliseConfig",
    "NotFittedError",
    "ParsedSentence",
    "Prediction",
    "ProbeRecoverer",
    "Protocol",
    "RandomTree",
    "Recoverer",
    "RightBranching",
    "Rows",
    "Scores",
    "Sentence",
    "StructprobeError",
    "StructuralProbe",
    "SweepConfig",
    "Training",
    "Treebank",
    "WordAttentions",
    "WordVectors",
    "__version__",
    "analyse_heads",
    "compare",
    "find_probe",
    "fit_probe",
    "format_table",
    "localise",
    "plan_sweep",
    "read_rows",
    "score",
    "sweep",
    "to_frame",
]


def __getattr__(name: str) -> object:
    """Import a public name from its room when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'structprobe' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
