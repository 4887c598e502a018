"""``structprobe serve``: a page on this machine that parses what is typed, layer by layer."""

from __future__ import annotations

import argparse

from structprobe.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "probes",
        metavar="PROBE",
        nargs="+",
        help="folders of saved probes or hub ids, of one model; or the folder of a sweep that "
        "saved its probes",
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=options.port, default=8000, help="0 takes a free one")
    options.add_saved_model(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    from structprobe.show.live import LiveProbes, serve

    serve(
        lambda: LiveProbes.load(args.probes, **options.saved_model(args)),
        host=args.host,
        port=args.port,
        on_ready=lambda address: print(f"{address}  (Ctrl-C ends it)", flush=True),
    )
