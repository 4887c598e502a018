"""Everything that turns sentences into trees, one class a file, on one interface."""

from structprobe.recoverers.attention_max import AttentionMax
from structprobe.recoverers.attention_mst import AttentionMST
from structprobe.recoverers.base import Recoverer
from structprobe.recoverers.branching import LeftBranching, RightBranching
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.parsed import ParsedSentence
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.recoverers.random_tree import RandomTree

__all__ = [
    "AttentionMST", "AttentionMax", "LeftBranching", "LinearChain", "ParsedSentence",
    "ProbeRecoverer", "RandomTree", "Recoverer", "RightBranching",
]  # fmt: skip
