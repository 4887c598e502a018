"""Completion of commands, options and files in a shell, by shtab (the extra completion)."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from structprobe.cli.parser import Parser

SHELLS = ("bash", "zsh", "tcsh")

# What options and arguments of these metavars name; choices complete by themselves.
_FILES = {"FILE", "TEST", "GOLD", "SYSTEM", "IN", "OUT"}
_FOLDERS = {"DIR", "PROBE", "RESULTS"}


class PrintCompletion(argparse.Action):
    """Prints the script that completes this command line, and exits."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, shell: Any, *_: Any
    ) -> None:
        """Print the script."""
        try:
            shtab = importlib.import_module("shtab")
        except ImportError:
            parser.error("completion needs shtab: pip install 'structprobe[completion]'")
        assert isinstance(parser, Parser)
        actions: list[Any] = [
            action for one in [parser, *parser.commands().values()] for action in one._actions
        ]
        for action in actions:
            if action.choices is None and action.nargs != 0:
                if action.metavar in _FILES:
                    action.complete = shtab.FILE  # where shtab looks
                elif action.metavar in _FOLDERS or action.dest == "model":
                    action.complete = shtab.DIRECTORY
        print(shtab.complete(parser, shell=shell), flush=True)
        parser.exit()
