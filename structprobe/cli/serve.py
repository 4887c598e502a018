"""``structprobe serve``: a local page that parses the sentences you type, layer by layer."""

from __future__ import annotations

import argparse

from structprobe.cli import inputs, options, values
from structprobe.cli.parser import Parser


def add_arguments(parser: Parser) -> None:
    """Add the command's options."""
    options.add_saved_probe(parser, several=True)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    told = "port to listen on; 0 picks a free one"
    parser.add_argument("--port", type=values.port, default=8000, help=told)
    options.add_output(parser)


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    from structprobe.show.live import LiveProbes, serve

    serve(
        lambda: LiveProbes.load(args.probes, **inputs.saved_model(args)),
        host=args.host,
        port=args.port,
        on_ready=lambda address: print(f"{address}  (press Ctrl-C to stop)", flush=True),
    )
