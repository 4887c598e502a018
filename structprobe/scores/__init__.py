"""Scores of recovered trees, their protocol, confidence intervals and significance."""

from structprobe.scores.breakdowns import RelationScore, Tally
from structprobe.scores.paired import PairedTest, paired_bootstrap, paired_randomisation
from structprobe.scores.pairwise import Pair, PairwiseTests, correct_p_values, pairwise_tests
from structprobe.scores.prediction import Prediction
from structprobe.scores.protocol import Protocol
from structprobe.scores.result import Scores
from structprobe.scores.scoring import score

__all__ = ["Pair", "PairedTest", "PairwiseTests", "Prediction", "Protocol", "RelationScore",
           "Scores", "Tally",
           "correct_p_values", "paired_bootstrap", "paired_randomisation", "pairwise_tests",
           "score"]  # fmt: skip
