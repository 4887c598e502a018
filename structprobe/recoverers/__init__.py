"""Everything that turns sentences into trees, one class a file, on one interface."""

from structprobe.recoverers.base import Recoverer
from structprobe.recoverers.branching import LeftBranching, RightBranching
from structprobe.recoverers.linear import LinearChain
from structprobe.recoverers.parsed import ParsedSentence
from structprobe.recoverers.probe import ProbeRecoverer
from structprobe.recoverers.random_tree import RandomTree

__all__ = [
    "LeftBranching",
    "LinearChain",
    "ParsedSentence",
    "ProbeRecoverer",
    "RandomTree",
    "Recoverer",
    "RightBranching",
]
