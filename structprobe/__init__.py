"""How much syntax do a language model's layers encode, and can trees be recovered from them.

The public names are imported when they are first used, so that ``import structprobe`` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from structprobe._version import __version__

if TYPE_CHECKING:
    from structprobe.attention.word_attentions import WordAttentions
    from structprobe.behaviour.language_model import LanguageModel
    from structprobe.encoder.encoder import Encoder
    from structprobe.encoder.vectors import EncodedBank, WordVectors
    from structprobe.errors import StructprobeError
    from structprobe.experiments.compare import compare
    from structprobe.experiments.config import (
        CodelengthConfig,
        CompareConfig,
        DecomposeConfig,
        FitConfig,
        HeadsConfig,
        LocaliseConfig,
        SweepConfig,
        Training,
        TransferConfig,
    )  # fmt: skip
    from structprobe.experiments.fit import fit_probe
    from structprobe.experiments.heads import analyse_heads
    from structprobe.experiments.instruments.codelength import codelength
    from structprobe.experiments.instruments.decompose import decompose
    from structprobe.experiments.instruments.localise import localise
    from structprobe.experiments.instruments.transfer import transfer
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
    from structprobe.scores import Prediction, Protocol, Scores, score
    from structprobe.show.table import format_table
    from structprobe.treebank import Sentence, Treebank

_NAMES = {
    "attention.word_attentions": "WordAttentions",
    "behaviour.language_model": "LanguageModel",
    "encoder.encoder": "Encoder",
    "encoder.vectors": "EncodedBank WordVectors",
    "errors": "StructprobeError",
    "experiments.instruments.codelength": "codelength",
    "experiments.compare": "compare",
    "experiments.config": "CodelengthConfig CompareConfig DecomposeConfig FitConfig HeadsConfig "
    "LocaliseConfig SweepConfig Training TransferConfig",
    "experiments.fit": "fit_probe",
    "experiments.heads": "analyse_heads",
    "experiments.instruments.decompose": "decompose",
    "experiments.instruments.localise": "localise",
    "experiments.instruments.transfer": "transfer",
    "experiments.runs.backends": "Backend",
    "experiments.runs.planning": "plan_sweep",
    "experiments.sweep": "sweep",
    "probe.base": "NotFittedError",
    "probe.estimator": "StructuralProbe",
    "probe.layer_sweep": "LayerSweep",
    "recoverers": "AttentionMST AttentionMax LeftBranching LinearChain ParsedSentence "
    "ProbeRecoverer RandomTree Recoverer RightBranching",
    "results.folder": "read_rows to_frame",
    "results.frames": "Rows",
    "results.saved_probes": "find_probe",
    "scores": "Prediction Protocol Scores score",
    "show.table": "format_table",
    "treebank": "Sentence Treebank",
}
_HOME = {name: room for room, names in _NAMES.items() for name in names.split()}

__all__ = [
    "AttentionMST", "AttentionMax", "Backend", "CodelengthConfig", "CompareConfig",
    "DecomposeConfig", "EncodedBank", "Encoder", "FitConfig", "HeadsConfig", "LanguageModel",
    "LayerSweep", "LeftBranching", "LinearChain", "LocaliseConfig", "NotFittedError",
    "ParsedSentence", "Prediction", "ProbeRecoverer", "Protocol", "RandomTree", "Recoverer",
    "RightBranching", "Rows", "Scores", "Sentence", "StructprobeError", "StructuralProbe",
    "SweepConfig", "Training", "TransferConfig", "Treebank", "WordAttentions", "WordVectors",
    "__version__", "analyse_heads", "codelength", "compare", "decompose", "find_probe", "fit_probe",
    "format_table", "localise", "plan_sweep", "read_rows", "score", "sweep", "to_frame", "transfer",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name from its room when it is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'structprobe' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"structprobe.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
