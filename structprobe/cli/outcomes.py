"""``structprobe outcomes``: whether models use the syntax that a probe finds; one row per model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder

RESUMES = True  # the same command resumes it


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_model(parser, several=True, spacing="original")
    dev = "dev set, by which the probe is chosen"
    options.add_treebanks(parser, needs=("train",), dev=dev, test="test set, for the scores")
    parser.set_defaults(needs_scores=True)
    group = parser.add_argument_group("behaviour")
    add = group.add_argument
    told = "suites of minimal pairs, as for behave; default: own"
    add("--suites", nargs="+", default=["own"], metavar="SUITE", help=told)
    told = "score the first N pairs of each paradigm; default: all (own: 100)"
    add("--pairs", type=values.positive, metavar="N", help=told)
    group = parser.add_argument_group("interventions")
    add = group.add_argument
    told = "pairs of each paradigm that are scored under interventions; 0: no interventions"
    add("--intervention-pairs", type=values.seed, default=40, metavar="N", help=told)
    told = "sentences of the test set that are read under interventions; default: all"
    add("--intervention-sentences", type=values.positive, metavar="N", help=told)
    recipe = options.add_recipe(parser)
    options.add_layers(recipe)
    told = "rank of the probes (default: 64)"
    recipe.add_argument("--rank", type=values.positive, default=64, metavar="RANK", help=told)
    options.add_seed(recipe)
    told = "also probe an untrained copy of each model"
    recipe.add_argument("--untrained", action="store_true", help=told)
    told = "branches, tags or commits of one model, such as checkpoints of its training, "
    add = parser.add_argument_group("checkpoints").add_argument
    add("--revisions", type=values.names, metavar="A,B,C", help=f"{told}separated by commas")
    add = parser.add_argument
    add("-o", "--out", required=True, metavar="DIR", help="results folder")
    options.add_cache(parser)
    add("--dry-run", action="store_true", help="estimate the cost, and write nothing")
    parser.rules.append(_fault)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def _fault(args: argparse.Namespace) -> str | None:
    """Say where revisions are asked for of no model, or of several."""
    if args.revisions and (len(args.model) > 1 or args.revision):
        return "--revisions goes with one --model, and without --revision"
    return None


def run(args: argparse.Namespace) -> None:
    """Do what is not in the folder yet, and print the table; or estimate the cost."""
    from structprobe.experiments.behaviour.outcomes import OutcomesConfig, outcomes, plan_outcomes
    from structprobe.experiments.config import InterveneConfig
    from structprobe.results.folder import check_folder
    from structprobe.show.behaviour.outcomes_table import format_outcomes, format_plans
    from structprobe.stimuli.suites import read_suites

    check_folder(args.out)
    suites = read_suites(args.suites, n=args.pairs, seed=args.seed)
    config = OutcomesConfig(
        inputs.training(args),
        intervention=InterveneConfig(sentences=args.intervention_sentences),
        command=args.command_line,
        **inputs.picked(args, "intervention_pairs", "untrained", "cache", "progress",
                        "allow_withheld"),
    )  # fmt: skip
    names = [(name, revision) for name in args.model for revision in args.revisions or (None,)]
    how = {"folder": args.out, "config": config, **inputs.picked(args, "layers", "rank", "seed")}
    how["punct"] = args.punct
    treebank = inputs.read_treebank(args)
    encoders = (_load(args, *one) for one in names)
    if args.dry_run:
        print_as(format_plans, plan_outcomes(encoders, treebank, suites, **how), args)
        return
    print_as(format_outcomes, outcomes(encoders, treebank, suites, **how), args)


def _load(args: argparse.Namespace, model: str, revision: str | None) -> Encoder:
    """Load one of the models, or one of the revisions."""
    own = argparse.Namespace(**{**vars(args), "revision": revision or args.revision})
    return inputs.build_encoder(own, model)
