"""``structprobe parse``: write CoNLL-U with recovered heads, or draw the trees of plain text."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from structprobe.cli import inputs, options
from structprobe.cli.output import printing, to_json
from structprobe.cli.parser import Parser

if TYPE_CHECKING:
    from structprobe.recoverers.parsed import ParsedSentence
    from structprobe.treebank import Treebank

_PIPE = "to parse a sentence, pipe it in: echo 'the dog ran' | structprobe parse PROBE - --text"


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_saved_probe(parser)
    told = "CoNLL-U file or, with --text, plain text; - for standard input"
    parser.add_argument("input", metavar="IN", help=told)
    told = "read plain text, one sentence per line, words separated by spaces; draw the trees"
    parser.add_argument("--text", action="store_true", help=told)
    told = "file to write, or - for standard output"
    parser.add_argument("-o", "--out", default="-", metavar="OUT", help=told)
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.surplus = f"; {_PIPE}"
    parser.epilog = (
        "In the output, HEAD is the predicted head. DEPREL is root or dep, since a probe predicts "
        "no relation labels, and DEPS is cleared, since it could contradict HEAD. Everything else "
        "is copied from IN byte for byte."
    )
    options.add_skip(parser)
    options.add_output(parser, json="print one JSON object per sentence, each on its own line")


def run(args: argparse.Namespace) -> None:
    """Parse and write."""
    from structprobe.output_paths import check_file
    from structprobe.recoverers.parsed import ParsedSentence
    from structprobe.recoverers.probe import ProbeRecoverer
    from structprobe.treebank.writing import check_writable, join_blocks, write_text

    if args.out != "-":
        check_file(args.out, force=args.force)  # before a model is loaded
    inputs.check_probe(args)
    bank = _read(args)
    if not args.json:
        check_writable(bank)
    recoverer = ProbeRecoverer.from_pretrained(args.probe, **inputs.saved_model(args))
    recoverer.progress = args.progress
    predictions = recoverer.predict(bank)
    trees = [ParsedSentence(*both) for both in zip(bank, predictions, strict=True)]
    if args.json:
        plain = (_plain(tree) for tree in trees)
        text = "".join(f"{to_json(one)}\n" for one in plain)
    elif args.text:
        text = "".join(f"{tree}\n\n" for tree in trees)
    else:
        text = join_blocks(tree.to_conllu() for tree in trees)
    if args.out != "-":
        write_text(args.out, text)
        return
    with printing():
        if args.text and not args.json:
            sys.stdout.write(text)  # a drawing, in the encoding of the terminal
        else:
            # Bytes: all that was not parsed stays as it was, line endings included.
            sys.stdout.buffer.write(text.encode())


def _plain(tree: ParsedSentence) -> dict[str, object]:
    """Tell a tree as values for JSON, with relations where the probe has them."""
    told: dict[str, object] = {"words": tree.words, "heads": tree.heads.tolist()}
    return told if tree.deprels is None else told | {"deprels": tree.deprels}


def _read(args: argparse.Namespace) -> Treebank:
    """Read the input, from a file or standard input, as CoNLL-U or as plain text."""
    from structprobe.errors import TreebankError
    from structprobe.treebank import Treebank
    from structprobe.treebank.conllu_format import Place, check_characters
    from structprobe.treebank.files import read_bytes, to_text

    path, piped = Path(args.input), args.input == "-"
    if not piped and not path.exists() and (args.text or " " in args.input):
        raise TreebankError("no such file", path=args.input, hint=_PIPE)
    if not piped and not args.text and not path.is_file():
        return inputs.read_bank([args.input], args, heads="ignore")  # several files, or none
    name = "<stdin>" if piped else args.input
    data = sys.stdin.buffer.read() if piped else read_bytes(path)
    text = to_text(data, name)
    if args.text:
        if re.search(r"^1\t(?:[^\t\n]*\t){8}", text, flags=re.MULTILINE):
            raise TreebankError("CoNLL-U, not plain text", path=name, hint="leave out --text")
        lines = text.removeprefix("\ufeff").split("\n")
        check_characters(lines, Place(name, 1))
        if not text.strip():
            raise TreebankError("there is no text to parse", path=name)
        return Treebank.from_words(line.split() for line in lines if line.strip())
    if text.strip() and "\t" not in text:
        hint = "add --text to parse plain text, one sentence per line"
        raise TreebankError("plain text, not CoNLL-U", path=name, hint=hint)
    if not piped:
        return inputs.read_bank([args.input], args, heads="ignore")
    on_error: Literal["skip", "raise"] = "skip" if args.skip_faults else "raise"
    return Treebank.from_text(data, path=name, on_error=on_error, heads="ignore")
