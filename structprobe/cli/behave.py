"""``structprobe behave``: which sentence of minimal pairs a language model prefers."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as, print_rows
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    told = (
        "file of minimal pairs (BLiMP .jsonl; two columns .tsv or .csv) or of a SyntaxGym suite "
        "(.json), folder of such files, quoted glob, or own:agreement,attractors,distance,nesting "
        "for generated English pairs (own: all); one or more"
    )
    parser.add_argument("suites", metavar="SUITE", nargs="+", help=told)
    parser.rest = "suites"
    options.add_model(parser, spacing="original")
    group = parser.add_argument_group("scores")
    add = group.add_argument
    told = "kind of language model; default: the one whose head the model has"
    add("--kind", choices=("causal", "masked"), help=told)
    told = "score the first N pairs of each paradigm, and the first N items of a SyntaxGym suite"
    add("--pairs", type=values.positive, metavar="N", help=f"{told}; default: all (own: 100)")
    told = "divide log-probabilities by the number of tokens or words; default: sums"
    add("--per", choices=("token", "word"), help=told)
    options.add_seed(group, help="random seed for generated pairs")
    told = "new file for the surprisal of each word, in bits (causal models)"
    add("--surprisals", metavar="FILE.tsv", help=told)
    told = "results folder, to which each suite is added as a row; existing rows are skipped"
    parser.add_argument("-o", "--out", metavar="DIR", help=told)
    parser.rules.append(_fault)
    options.add_output(parser)


def _fault(args: argparse.Namespace) -> str | None:
    """Say where a results folder and a file of surprisals are asked for together."""
    if args.out is not None and args.surprisals is not None:
        return "--surprisals goes without -o: rows that are there already are not scored again"
    return None


def run(args: argparse.Namespace) -> None:
    """Score the suites, and print the table."""
    from structprobe.behaviour.language_model import LanguageModel
    from structprobe.experiments.behaviour.behave import (
        behaviour_rows,
        check_new_file,
        read_behaviour,
    )
    from structprobe.results.folder import check_folder
    from structprobe.show.behaviour.table import format_behaviour
    from structprobe.stimuli.suites import read_suites

    # Before a model is loaded, which may take long.
    if args.out is not None:
        check_folder(args.out)
    if args.surprisals is not None:
        check_new_file(args.surprisals)
    suites = read_suites(args.suites, n=args.pairs, seed=args.seed)
    model = LanguageModel(inputs.build_encoder(args), args.kind)
    how = inputs.picked(args, "per", "progress")
    if args.out is not None:
        told = {"folder": args.out, "command": args.command_line}
        print_rows(behaviour_rows(model, suites, **told, **how), args)
        return
    rows = read_behaviour(model, suites, surprisals=args.surprisals, **how)
    print_as(format_behaviour, [row.values() for row in rows], args)
