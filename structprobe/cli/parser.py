"""Where we differ from argparse: one-line errors that name what is near, help, completion."""

from __future__ import annotations

import argparse
import difflib
import importlib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, NoReturn

from structprobe.cli.output import printing
from structprobe.errors import escaped, unknown_name


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that shows the defaults that say something: not None, no switch's, no list's."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        says_nothing = default is None or isinstance(default, bool | list)
        # An option that may come without its value is switched on by being there.
        says_nothing |= action.nargs == "?" and not default
        return action.help if says_nothing else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line each, without the usage."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **settings)
        # What no single option can say: each looks at all values and names what is wrong.
        self.rules: list[Callable[[argparse.Namespace], str | None]] = []
        # The list that takes positional arguments behind options, which argparse leaves over.
        self.rest: str | None = None
        # What to do in place of an option that there is not, and of one argument too many.
        self.instead: dict[str, str] = {}
        self.surplus = ""
        # Names the commands that have an option.
        self.elsewhere: Callable[[str], Sequence[str]] = lambda _: ()

    def parse_known_args(  # type: ignore[override]  # argparse overloads it for namespaces
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse unknown options first: what is misspelt is otherwise told to be missing."""
        given = list(sys.argv[1:] if args is None else args)
        self._refuse_unknown(given)
        found, left = super().parse_known_args(given, namespace)
        if self.rest and not any(word.startswith("-") for word in left):
            getattr(found, self.rest).extend(left)
            left = []
        if left and left[0].startswith("-"):
            self.error(f"unknown option {left[0]}{self._who_has(left[0])}")
        if left:
            self.error(f"unexpected argument {left[0]!r}{self.surplus}")
        for fault in filter(None, (rule(found) for rule in self.rules)):
            self.error(fault)
        return found, []

    def commands(self) -> dict[str, Parser]:
        """Give the parsers of commands by name."""
        return {
            name: parser
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for name, parser in action.choices.items()
        }

    def error(self, message: str) -> NoReturn:
        """End with one line that says what is wrong and where help is."""
        what = re.sub(r"^argument (\S+): ", r"\1: ", message)
        what = what.replace("expected one argument", "a value is missing")
        what = what.replace("expected at least one argument", "a value is missing")
        what = re.sub("ignored explicit argument (.*)", r"takes no value, but \1 was given", what)
        what = re.sub("^the following arguments are required: (.*)", self._missing, what)
        self.exit(2, f"{self.prog}: error: {escaped(what)} (see '{self.prog} --help')\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write, and let the caller see why help could not be written, which argparse ignores."""
        if message and file is not None:
            with printing() if file is sys.stdout else suppress(OSError):
                file.write(message)

    def _missing(self, match: re.Match[str]) -> str:
        """Name what is missing, and say what an argument without an option is."""
        told = {action.metavar: action.help for action in self._get_positional_actions()}
        # Of an option's two spellings, as --layer/--layers, the first is enough.
        names = re.sub(r"(--\w+)/\1s\b", r"\1", match[1]).split(", ")
        *others, last = (f"{name} ({told[name]})" if told.get(name) else name for name in names)
        return f"missing {', '.join(others)} and {last}" if others else f"missing {last}"

    def _get_values(self, action: argparse.Action, given: list[str]) -> Any:
        """Refuse nothing in quotes, such as a variable of the shell that is not set."""
        if "" in given and not isinstance(action, argparse._SubParsersAction):
            raise argparse.ArgumentError(action, "the value is empty")
        return super()._get_values(action, given)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the choice that is near one that there is not."""
        if action.choices is None or value in action.choices:
            return
        if action.nargs == "+" and "," in value:
            told = f"{value!r} is not one value; separate values by spaces"
            raise argparse.ArgumentError(action, told)
        is_command = isinstance(action, argparse._SubParsersAction)
        told = unknown_name("command" if is_command else "value", value, action.choices)
        raise argparse.ArgumentError(None if is_command else action, told)

    def _refuse_unknown(self, given: Sequence[str]) -> None:
        known = self._option_string_actions
        has_commands = bool(self.commands())
        unknown: list[str] = []
        for word in given:
            if word == "--" or (has_commands and not word.startswith("-")):
                break  # values follow, or the command's own options
            name = word.partition("=")[0]
            if name.startswith("--") and " " not in name and name not in [*known, *unknown]:
                unknown.append(name)
        if not unknown:
            return
        if has_commands:
            self.error(f"unknown option {unknown[0]}; a command's options follow its name")
        if instead := [self.instead[name] for name in unknown if name in self.instead]:
            self.error(f"unknown option {unknown[0]}; {instead[0]}")
        near = _nearest(unknown, known)
        meant = f"; did you mean {near}?" if near else self._who_has(unknown[0])
        noun = "option" if len(unknown) == 1 else "options"
        self.error(f"unknown {noun} {' and '.join(unknown)}{meant}")

    def _who_has(self, option: str) -> str:
        """Say where a thing is given without an option, or which commands have the option."""
        bare = option.lstrip("-").upper()
        if bare in (action.metavar for action in self._get_positional_actions()):
            return f"; give {bare} without an option"
        commands = self.elsewhere(option)
        return f"; these commands have it: {', '.join(commands)}" if commands else ""


# What options of other programs are called here.
_ELSEWHERE = {
    "--epochs": "--max-steps", "--steps": "--max-steps", "--output": "--out",
    "--output-dir": "--out", "--gpu": "--device", "--cuda": "--device",
    "--batch-size": "--batch-tokens", "--data": "--treebank", "--corpus": "--treebank",
    "--n-jobs": "--jobs",
}  # fmt: skip


def _nearest(unknown: Iterable[str], known: Iterable[str]) -> str:
    """Name the options that are most like unknown ones."""
    bare = {option.lstrip("-"): option for option in known}
    near: dict[str, None] = {}
    for word in unknown:
        if _ELSEWHERE.get(word) in bare.values():
            near[_ELSEWHERE[word]] = None
        elif begun := [option for option in known if len(word) > 3 and option.startswith(word)]:
            near |= dict.fromkeys(begun)
        elif match := difflib.get_close_matches(word.lstrip("-"), bare, n=1, cutoff=0.7):
            near[bare[match[0]]] = None
    return " and ".join(near)


# For completion by shtab (the extra completion): what options and arguments of these metavars name.
SHELLS = ("bash", "zsh", "tcsh")
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
        every = (one._actions for one in (parser, *parser.commands().values()))
        action: Any
        for action in chain.from_iterable(every):
            if action.choices is None and action.nargs != 0:
                if action.metavar in _FILES:
                    action.complete = shtab.FILE  # where shtab looks
                elif action.metavar in _FOLDERS or action.dest == "model":
                    action.complete = shtab.DIRECTORY
        with printing():
            print(shtab.complete(parser, shell=shell), flush=True)
        parser.exit()
