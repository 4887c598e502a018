"""``structprobe intervene``: what a model loses without what a probe reads, beside controls."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.output import print_as
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    told = (
        "minimal pairs: file (BLiMP .jsonl; two columns .tsv or .csv), folder or quoted glob of "
        "such files, or own:agreement,attractors,distance,nesting for generated English pairs"
    )
    parser.add_argument("suites", metavar="SUITE", nargs="*", help=told)
    parser.rest = "suites"
    options.add_model(parser, required=False, spacing="original")
    dev, test = "dev set, for early stopping", "test set, for the measures; default: the dev set"
    options.add_treebanks(parser, needs=("train", "dev"), dev=dev, test=test)
    options.add_punct(parser, by_sentence=False)
    group = parser.add_argument_group("intervention")
    add = group.add_argument
    told = "folder of a saved probe, of which --model is the model unless it has moved; "
    add("--probe", metavar="PROBE", help=f"{told}default: a probe is fitted")
    options.add_layer(group, help="layer to change, 0 = embedding output; default: that of PROBE")
    options.add_rank(group, help="rank of the probe to fit, such as 32")
    add(
        "--remove", nargs="+", default=["probe"], choices=("probe", "relation", "depth"),
        help="what to remove: the subspace of the probe, or what tells the relation or the depth "
        "of words (LEACE)",
    )  # fmt: skip
    add(
        "--part", default="distance", choices=("distance", "depth", "both"),
        help="matrices of the probe to read",
    )  # fmt: skip
    add(
        "--controls", nargs="*", default=["form", "position"],
        choices=("form", "position", "random"), metavar="CONTROL",
        help="control tasks whose probes are removed too: form, position, random",
    )  # fmt: skip
    told = "number of random subspaces of equal rank and variance, at least 5"
    add("--random", dest="n_random", type=values.positive, default=5, metavar="N", help=told)
    told = "norm above which a vector is left alone, as an attention sink; default: 20 times the "
    add("--sinks", dest="bound", type=values.above_zero, metavar="NORM", help=told + "median norm")
    options.add_seed(group)
    options.add_max_steps(group)
    group = parser.add_argument_group("measures")
    add = group.add_argument
    add("--pairs", type=values.positive, metavar="N", help="first N pairs of each paradigm")
    told = "first N sentences of the test set, for bits per word and UUAS; default: all"
    add("--sentences", type=values.positive, metavar="N", help=told)
    told = "number of generated items with an ambiguous attachment"
    add("--attachment", type=values.positive, default=100, metavar="N", help=told)
    told = "results folder, to which a row is added; what is there already is not done again"
    parser.add_argument("-o", "--out", metavar="DIR", help=told)
    options.add_cache(parser)
    options.add_allow_withheld(parser)
    parser.rules.append(_fault)
    options.add_output(parser)


def _fault(args: argparse.Namespace) -> str | None:
    """Say what is missing: a model or a saved probe, and then a layer and a rank."""
    if args.probe is None and args.model is None:
        return "missing --model or --probe"
    missing = [f"--{name}" for name in ("layer", "rank") if getattr(args, name) is None]
    if args.probe is None and missing:
        return f"missing {' and '.join(missing)}, without --probe"
    if args.probe is not None and args.rank is not None:
        return "--rank: PROBE has a rank; leave it out"
    return None


def run(args: argparse.Namespace) -> None:
    """Measure the interventions, and print the table."""
    from structprobe.experiments.behaviour.intervene import pairs_of, read_interventions
    from structprobe.experiments.behaviour.saved_interventions import intervention_rows
    from structprobe.experiments.config import InterveneConfig
    from structprobe.recoverers.probe import ProbeRecoverer
    from structprobe.results.folder import check_folder
    from structprobe.show.behaviour.intervention_table import format_interventions
    from structprobe.stimuli.suites import read_suites

    # Before a model is loaded, which may take long.
    names = ("remove", "part", "controls", "n_random", "attachment", "sentences", "bound",
             "max_steps", "device", "punct", "seed", "cache", "progress",
             "allow_withheld")  # fmt: skip
    if args.out is not None:
        check_folder(args.out)
    config = InterveneConfig(**inputs.picked(args, *names))
    groups = read_suites(args.suites, n=args.pairs, seed=args.seed) if args.suites else []
    train, dev, test = inputs.read_treebank(args)
    probe, layer = None, args.layer
    if args.probe is None:
        encoder = inputs.build_encoder(args)
    else:
        inputs.check_probe(args)
        # What is said of a probe that is fitted here, and how vectors were made, it knows itself.
        fixed = ("rank", "seed", "dtype", "layers")
        given = {k: v for k, v in inputs.saved_model(args).items() if k not in fixed}
        saved = ProbeRecoverer.from_pretrained(args.probe, **given)
        encoder, probe, layer = saved.encoder, saved.probe, saved.layer
    how = {"layer": layer, "rank": args.rank, "probe": probe, "config": config}
    if args.out is None:
        rows = read_interventions(encoder, train, dev, test, pairs=pairs_of(groups), **how)
    else:
        told = {"folder": args.out, "command": args.command_line}
        rows = intervention_rows(encoder, (train, dev, test), groups, **told, **how)
    print_as(format_interventions, rows, args)
