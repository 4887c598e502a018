"""Scores of recovered trees, their protocol, confidence intervals and significance."""

from structprobe.scores.breakdowns import Tally
from structprobe.scores.paired import PairedTest, paired_bootstrap
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import Protocol
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score

__all__ = ["PairedTest", "Prediction", "Protocol", "Scores", "Tally", "paired_bootstrap", "score"]
