"""The foot of a report: what was done, with what, by which command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from structprobe.results.rows import Row
from structprobe.scores.protocol import PENN_PUNCTUATION, Protocol
from structprobe.show.report.elements import Child, Markup, element, join

INTERVALS = "95 %, percentile bootstrap over sentences, 1,000 resamples"
"""How the intervals of rows and of saved probes come about."""

_PROTOCOL = ("punct", "min_length", "max_length")


def results_foot(rows: Sequence[Row], commands: Sequence[Mapping[str, Any]]) -> Markup:
    """Tell how result rows came about."""
    scored = [row for row in rows if all(row[key] is not None for key in _PROTOCOL)]
    protocols = dict.fromkeys(Protocol(*(row[key] for key in _PROTOCOL)) for row in scored)
    terms: dict[str, Iterable[str]] = {
        "protocol": [tell_protocol(protocol) for protocol in protocols],
        "intervals": [INTERVALS],
        "model": _distinct(rows, ("model", "fingerprint"), "{} (fingerprint {})"),
        "revision": _distinct(rows, ("revision",), "{}"),
        "word vectors": _distinct(
            rows,
            ("pooling", "spacing", "bos", "dtype"),
            "pooling {}, spacing {}, beginning-of-sequence token {}, {}",
        ),
        "probe": _distinct(
            rows, ("rank", "recipe", "products"), "rank {}, recipe {}, products in {}"
        ),
        "step limit": _distinct(rows, ("max_steps",), "{}"),
        "seeds": [", ".join(_distinct(rows, ("seed",), "{}"))],
        "train": _distinct(rows, ("train", "train_fingerprint"), "{} (fingerprint {})"),
        "dev": _distinct(rows, ("dev", "dev_fingerprint"), "{} (fingerprint {})"),
        "scored on": _distinct(
            [row for row in rows if row["n_sentences"] is not None],
            ("treebank", "part", "n_sentences", "n_words", "treebank_fingerprint"),
            "{} ({}; {:,} sentences, {:,} words; fingerprint {})",
        ),
        "versions": _versions(rows, commands),
    }
    return foot(terms, [one.get("command") for one in commands])


def foot(terms: Mapping[str, Iterable[str]], commands: Sequence[str | None]) -> Markup:
    """Make a foot of what is known."""
    known = {term: [one for one in told if one] for term, told in terms.items()}
    listed = [
        element("div", element("dt", term), [element("dd", _homeless(one)) for one in told])
        for term, told in known.items()
        if told
    ]
    return element(
        "section",
        element("h2", "How this was made", id="made"),
        element("dl", listed),
        _commands(commands),
        aria_labelledby="made",
    )


def tell_protocol(protocol: Protocol) -> Markup:
    """Tell a protocol, each tag set as code: `` and '' are tags, and no quotation marks."""
    before, tags, behind = f"{protocol.describe()}.".partition(" ".join(PENN_PUNCTUATION))
    codes = [[element("code", tag), " "] for tag in tags.split()]
    return join(before, codes, behind.lstrip())


def _commands(commands: Sequence[str | None]) -> Child:
    """Show the commands, or say why they are not known."""
    lines = [line for line in commands if line]
    if not lines:
        told = "No command was recorded: the results were made in Python, or by an older version."
        return element("p", told, class_="note")
    head = element("h3", "Command" if len(lines) == 1 else "Commands, in order")
    return [head, *(element("pre", element("code", _wrapped(line)), tabindex=0) for line in lines)]


def _wrapped(command: str) -> str:
    """Break a command line before its options, as a shell takes it."""
    lines: list[str] = []
    for part in shlex.split(command):
        # A shell knows ~ at the beginning of a word alone.
        for word in part.split("=", 1) if part.startswith("--") and "=/" in part else [part]:
            if lines and not (word.startswith("-") and word.lstrip("-")[:1].isalpha()):
                lines[-1] += f" {_quoted(word)}"
            else:
                lines.append(_quoted(word))
    return " \\\n    ".join(lines)


def _quoted(word: str) -> str:
    """Quote a word for a shell, all but the ~ of the home folder."""
    shown = _homeless(word)
    return shlex.quote(word) if shown == word else f"~/{shlex.quote(shown[2:])}"


def _homeless(text: str) -> str:
    """Show the home folder at the beginning of a path as ~."""
    home = os.path.expanduser("~").rstrip("/")
    return f"~{text[len(home) :]}" if home and text.startswith(f"{home}/") else text


def _distinct(rows: Sequence[Row], keys: Sequence[str], form: str) -> list[str]:
    """Tell the combinations of values that there are, each once."""
    found = dict.fromkeys(
        tuple(row[key] for key in keys) for row in rows if any(row[key] is not None for key in keys)
    )
    return [form.format(*(_shown(value) for value in values)) for values in found]


def _shown(value: object) -> object:
    """Write truth values in words; numbers stay, so that they can be formatted."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else value


def _versions(rows: Sequence[Row], commands: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell the versions of all that was used."""
    told = [
        ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        for one in commands
        if isinstance(one.get("versions"), dict)
    ]
    if told:
        return list(dict.fromkeys(told))
    return [f"structprobe {version}" for version in dict.fromkeys(row["version"] for row in rows)]
