"""Write ``examples/use.md``: whether four models use the syntax that probes find in them.

The models, the folder MODELS and the sentences of English are those of ``examples/controls.py``;
the folder EWT is UD English EWT, and PAIRS holds the minimal pairs: the folders ``blimp`` and
``syntaxgym``::

    python examples/use.py MODELS/ EWT/ PAIRS/ RESULTS/

What is already in the folder RESULTS is not done again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controls import Model

from structprobe import Encoder, Training, Treebank
from structprobe.experiments.behaviour.outcomes import OutcomesConfig, outcomes
from structprobe.experiments.config import InterveneConfig
from structprobe.stimuli.suites import SuiteGroup

PAGE = Path(__file__).with_suffix(".md")
OWN = "own:agreement,attractors"


@dataclass(frozen=True)
class Settings:
    """How much is measured."""

    rank: int = 32
    punct: str = "xpos"
    pairs: int = 100  # of each paradigm, for behaviour
    intervention_pairs: int = 40  # of each paradigm, under interventions
    sentences: int = 200  # of running text, under interventions
    max_steps: int | None = None


def measured(
    model: Model, banks: Sequence[Treebank], suites: Sequence[SuiteGroup], results: Path,
    settings: Settings,
) -> Mapping[str, Any]:  # fmt: skip
    """Ask one model everything, and sum it up."""
    options = {key: value for key, value in model.options.items() if key != "bos"}
    encoder = Encoder(model.path, spacing="original", **options)
    config = OutcomesConfig(
        Training(max_steps=settings.max_steps),
        intervention_pairs=settings.intervention_pairs,
        intervention=InterveneConfig(
            sentences=settings.sentences, recipe="auto", max_steps=settings.max_steps
        ),
        cache=results / "vectors",
    )
    (outcome,) = outcomes(
        [encoder], tuple(banks), suites, folder=results / model.name, layers=model.layers,
        rank=settings.rank, punct=settings.punct, config=config,
    )  # fmt: skip
    return outcome
