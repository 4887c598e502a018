"""Controlled stimuli: sentences by condition with gold trees, and scores by condition."""

from structprobe.stimuli.bias import Estimate, near_word_slope
from structprobe.stimuli.making import make_stimuli
from structprobe.stimuli.matching import find_matches
from structprobe.stimuli.scoring import score_conditions, score_stimuli
from structprobe.stimuli.stimulus import Stimulus

__all__ = [
    "Estimate",
    "Stimulus",
    "find_matches",
    "make_stimuli",
    "near_word_slope",
    "score_conditions",
    "score_stimuli",
]
