"""Minimal pairs and test suites: what a language model should prefer."""

from structprobe.stimuli.suites.own import make_pairs
from structprobe.stimuli.suites.pairs import MinimalPair
from structprobe.stimuli.suites.reading import SuiteGroup, read_suite, read_suites
from structprobe.stimuli.suites.syntaxgym import Suite

__all__ = ["MinimalPair", "Suite", "SuiteGroup", "make_pairs", "read_suite", "read_suites"]
