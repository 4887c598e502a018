"""The foot of a report: what was done, with what, by which command."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.results.rows import Row
from structprobe.results.settings import tell_versions
from structprobe.scores.protocol import PENN_PUNCTUATION, Protocol
from structprobe.show.report.elements import Markup, element, join, note, section
from structprobe.show.row_labels import protocols_of

INTERVALS = "95%, percentile bootstrap over sentences, 1,000 resamples"


def results_foot(rows: Sequence[Row], commands: Sequence[Mapping[str, Any]]) -> Markup:
    """Tell how result rows came about."""
    known = "{} (fingerprint {})"
    terms: dict[str, Iterable[str]] = {
        "protocol": [tell_protocol(protocol) for protocol in protocols_of(rows)],
        "intervals": [INTERVALS],
        "model": _each(rows, ("model", "fingerprint"), known),
        "revision": _each(rows, ("revision",), "{}"),
        "word vectors": _each(
            rows,
            ("pooling", "spacing", "bos", "dtype"),
            "pooling {}, spacing {}, beginning-of-sequence token {}, {}",
        ),
        "language": _each(rows, ("lang",), "{}"),
        "stored in": _each(rows, ("store_dtype",), "{}"),
        "weights": _each(rows, ("quantize",), "{}"),
        "part of the model": _each(rows, ("model_part",), "{}"),
        "layers averaged": _each(rows, ("window",), "{}"),
        "site": _each(rows, ("site",), "{}"),
        "probe": _each(rows, ("rank", "recipe", "products"), "rank {}, recipe {}, products in {}"),
        "step limit": _step_limits(rows),
        "seeds": [", ".join(_each(rows, ("seed",), "{}"))],
        "train": _each(rows, ("train", "train_fingerprint"), known),
        "dev": _each(rows, ("dev", "dev_fingerprint"), known),
        "scored on": dict.fromkeys(
            f"{row['treebank'] or 'unknown'} ({row['part'] or 'unknown'}; {_sizes(row)}; "
            f"fingerprint {row['treebank_fingerprint'] or 'unknown'})"
            for row in rows
            if row["n_sentences"] is not None
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
    lines = [line for line in commands if line]
    if not lines:
        told = "No command was recorded: the results were made in Python, or by an older version."
        return section("made", "How this was made", element("dl", listed), note(told))
    head = element("h3", "Command" if len(lines) == 1 else "Commands, in order")
    shown = [element("pre", element("code", _wrapped(line)), tabindex=0) for line in lines]
    return section("made", "How this was made", element("dl", listed), head, shown)


def tell_protocol(protocol: Protocol) -> Markup:
    """Tell a protocol, each tag set as code: `` and '' are tags, and no quotation marks."""
    before, tags, behind = f"{protocol.describe()}.".partition(" ".join(PENN_PUNCTUATION))
    codes = [[element("code", tag), " "] for tag in tags.split()]
    return join(before, codes, behind.lstrip())


def _wrapped(command: str) -> str:
    """Break a command line before its options, as a shell takes it."""
    lines: list[str] = []
    try:
        parts = shlex.split(command)
    except ValueError:  # no command of ours
        return command
    for part in parts:
        # A shell knows ~ at the beginning of a word alone.
        for word in part.split("=", 1) if part.startswith("--") and "=/" in part else [part]:
            shown = _homeless(word)
            quoted = shlex.quote(word) if shown == word else f"~/{shlex.quote(shown[2:])}"
            if lines and not (word.startswith("-") and word.lstrip("-")[:1].isalpha()):
                lines[-1] += f" {quoted}"
            else:
                lines.append(quoted)
    return " \\\n    ".join(lines)


def _homeless(text: str) -> str:
    """Show the home folder at the beginning of a path as ~."""
    home = os.path.expanduser("~").rstrip("/")
    return f"~{text[len(home) :]}" if home and text.startswith(f"{home}/") else text


def _each(rows: Sequence[Row], keys: Sequence[str], form: str) -> list[str]:
    """Tell the combinations of values that there are, each once."""
    found = dict.fromkeys(tuple(row[key] for key in keys) for row in rows)
    words = {"None": "unknown", "True": "yes", "False": "no"}
    return [
        form.format(*(words.get(repr(one), one) for one in values))
        for values in found
        if any(one is not None for one in values)
    ]


def _sizes(row: Row) -> str:
    sizes = (("sentence", row["n_sentences"]), ("word", row["n_words"]))
    return ", ".join(counted(n, noun) for noun, n in sizes if n is not None)


def _step_limits(rows: Sequence[Row]) -> list[str]:
    """Tell the limits that were given, and whether some runs had none."""
    given = _each(rows, ("max_steps",), "{}")
    fitted = [row for row in rows if row["recipe"] is not None]
    default = any(row["max_steps"] is None for row in fitted)
    return [*given, "default of the recipe"] if given and default else given


def _versions(rows: Sequence[Row], commands: Sequence[Mapping[str, Any]]) -> list[str]:
    told = dict.fromkeys(
        ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        for one in commands
        if isinstance(one.get("versions"), dict)
    ) or dict.fromkeys(f"structprobe {row['version']}" for row in rows)
    several = tell_versions(rows)
    return [*told, *([f"of rows: {several}"] if several else [])]
