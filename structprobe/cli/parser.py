"""What argparse leaves to be wished: help without defaults that say nothing, and near options."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that tells the defaults there are: None is told in words, or is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


def refuse_unknown(parser: argparse.ArgumentParser, unknown: Sequence[str]) -> None:
    """End with a fault in the usage, which names the options near those that there are not."""
    if not unknown:
        return
    options = parser._option_string_actions  # which argparse tells in no other way
    known = {option.lstrip("-"): option for option in options}
    given = [word.partition("=")[0].lstrip("-") for word in unknown if word.startswith("--")]
    near = [match for word in given for match in difflib.get_close_matches(word, known, n=1)]
    meant = " and ".join(known[match] for match in dict.fromkeys(near))
    told = f"; did you mean {meant}?" if meant else ""
    parser.error(f"unrecognized arguments: {' '.join(unknown)}{told}")
