"""``structprobe stimuli``: score a saved probe on generated sentences, or on matches."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_saved_probe(parser)
    group = parser.add_argument_group("generated stimuli", "in English; the default")
    told = "conditions such as distance,attractors; default: all"
    group.add_argument("--conditions", metavar="NAMES", help=told)
    told = "sentences per condition; default: 200"
    group.add_argument("--number", type=values.positive, metavar="N", help=told)
    told = "random seed for the sentences; default: 0"
    group.add_argument("--stimuli-seed", type=values.seed, metavar="SEED", help=told)
    group = parser.add_argument_group("treebank", "instead of generated stimuli")
    told = "pattern to find in a treebank, such as 'V -[nsubj]-> S; A [upos=NOUN]; S << A; A << V'"
    group.add_argument("--query", metavar="PATTERN", help=told)
    options.add_treebank(group, several=False)
    group.add_argument("--test", nargs="+", metavar="FILE", help="CoNLL-U files with gold trees")
    options.add_skip(group)
    told = "the two named words to score, such as attractor_1,verb; default: set by the condition"
    parser.add_argument("--pair", metavar="NAMES", help=told)
    parser.set_defaults(needs=("test",), needs_scores=False, files=None)
    parser.rules += [_fault, options.one_treebank]
    options.add_punct(parser, by_sentence=False)
    options.add_allow_withheld(parser)
    options.add_output(parser)


def _fault(args: argparse.Namespace) -> str | None:
    """Say where a query has no treebank, or a treebank no query."""
    if args.pair is not None and len(args.pair.split(",")) != 2:
        return f"--pair: {args.pair!r} is not two names; write them as subject,verb"
    if args.query is None:
        given = args.test or args.treebank
        return "--query is missing: say what to find in the treebank" if given else None
    if any(one is not None for one in (args.conditions, args.number, args.stimuli_seed)):
        made = "--conditions, --number and --stimuli-seed"
        return f"--query takes the sentences of a treebank; leave out {made}"
    if bool(args.test) == bool(args.treebank):
        return "give one of --treebank and --test to find the pattern in"
    return None


def run(args: argparse.Namespace) -> None:
    """Score and print."""
    from structprobe.recoverers.probe import ProbeRecoverer
    from structprobe.show.stimuli_table import format_stimuli
    from structprobe.stimuli import find_matches, make_stimuli, score_stimuli

    inputs.check_probe(args)
    pair = None if args.pair is None else tuple(part.strip() for part in args.pair.split(","))
    if args.query is None:
        n, seed = args.number or 200, args.stimuli_seed or 0
        named = (args.conditions or "all").split(",")
        conditions = "all" if named == ["all"] else [one.strip() for one in named]
        stimuli = make_stimuli(conditions, n=n, seed=seed)
    else:
        stimuli = find_matches(inputs.read_test(args), args.query)
    recoverer = ProbeRecoverer.from_pretrained(args.probe, **inputs.saved_model(args))
    recoverer.progress = args.progress
    rows = score_stimuli(recoverer, stimuli, pair=pair, punct=args.punct)
    print_as(format_stimuli, rows, args)
