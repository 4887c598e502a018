"""What rows differ in beside layer, rank and seed; and one row for the runs of several seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from structprobe.errors import ResultError, refuse_kind
from structprobe.results.rows import ENCODING, METRICS, Row

AnyRow = Mapping[str, Any]

# How scores were taken: those of other protocols are not compared.
PROTOCOL = ("treebank", "part", "punct", "min_length", "max_length", "words_as", "suite", "per")
# How the run was made.
SETTINGS = ("model", "train", "dev", "recipe", "select", "max_steps", "products", *ENCODING,
            "train_sentences", "stimuli", "reads", "decoding", "lm_kind", "scores_first",
            "version")  # fmt: skip
# What a point of a grid is, and what tells names of files and models apart.
COORDINATES = ("method", "control", "uses_gold", "layer", "head", "rank", "seed")
NAMED = {"treebank": "treebank_fingerprint", "train": "train_fingerprint",
         "dev": "dev_fingerprint", "model": "fingerprint",
         "suite": "suite_fingerprint"}  # fmt: skip
_WITH_ENDS = (*METRICS, "selectivity", "near_word_bias")
_SCORES = (*_WITH_ENDS, "codelength", "compression", *(f"dev_{metric}" for metric in METRICS))
_AVERAGED = (*_SCORES, *(f"{key}{end}" for key in _WITH_ENDS for end in ("_low", "_high")),
             "dev_loss", "dev_depth_loss", "steps", "cpu_seconds", "wall_seconds")  # fmt: skip
_DIGITS = 6  # of a fingerprint, enough to tell a few treebanks apart


def checked_rows(rows: Iterable[AnyRow]) -> list[AnyRow]:
    """List rows, and refuse what is none, such as the name of their folder."""
    given = list(rows) if isinstance(rows, Iterable) and not isinstance(rows, str) else [rows]
    if wrong := [row for row in given if not isinstance(row, Mapping)]:
        refuse_kind("rows", wrong[0], "a list of rows", ResultError, "pass read_rows(folder)")
    return given


def name_banks(rows: Iterable[AnyRow]) -> list[Row]:
    """Name treebanks and models so that two never share a name."""
    named = [dict(row) for row in checked_rows(rows)]
    for name, digest in NAMED.items():
        # How words are disturbed, or sentences sampled, by which seed, changes the fingerprint, but
        # is no other treebank.
        found: dict[tuple[object, ...], list[Row]] = {}
        for row in named:
            if row.get(digest) is not None:
                disturbed = name == "treebank" and row.get("words_as")
                sample = name == "train" and row.get("train_sentences")
                how = disturbed or sample
                by = (how, row.get("seed")) if how else ()
                found.setdefault((row.get(name), *by), []).append(row)
        for alike in found.values():
            if len({row[digest] for row in alike}) > 1:
                for row in alike:
                    row[name] = f"{row.get(name) or 'unknown'} ({row[digest][:_DIGITS]})"
    return named


def value_of(row: AnyRow, key: str) -> Any:
    """Give a value of a row as rows are compared by it."""
    value = row.get(key)
    if key == "model" and value is not None:
        # A row of an untrained copy says so in the name of its method.
        return str(value).partition(" (untrained")[0]
    if key == "products" and row.get("recipe") is not None:
        return value or "float32"  # which rows of older versions do not say
    return value


def protocol_of(row: AnyRow) -> tuple[Any, ...]:
    """Tell how a row was scored."""
    return tuple(row.get(key) for key in ("treebank_fingerprint", *PROTOCOL))


def differing(rows: Sequence[AnyRow], keys: Sequence[str] = (*PROTOCOL, *SETTINGS)) -> list[str]:
    """List what rows with scores differ in.

    What some rows lack counts where it alone parts them from others of their method, and versions
    count where a run was repeated with another one.
    """
    rows = [row for row in rows if not row.get("why_empty")]
    found = [key for key in keys if len({value_of(row, key) for row in rows} - {None}) > 1]
    if "version" in found and len({_place(row) for row in rows}) == len(rows):
        found.remove("version")
    for key in (key for key in keys if key not in found and key != "version"):
        alike: dict[tuple[Any, ...], set[Any]] = {}
        for row in rows:
            others = tuple(value_of(row, other) for other in ("method", *found))
            alike.setdefault(others, set()).add(value_of(row, key))
        if any(len(values) > 1 for values in alike.values()):
            found.append(key)
    return [key for key in keys if key in found]


def over_seeds(rows: Sequence[AnyRow]) -> list[Row]:
    """Make one row of those that differ only in their seed: means, with ``*_sd`` and ``n_seeds``.

    Where a method was run with several seeds, all rows of its grid are made so.
    """
    apart = differing(rows)
    lines: dict[tuple[Any, ...], list[AnyRow]] = {}
    for row in rows:
        lines.setdefault(_line(row, apart), []).append(row)
    chosen = {line for line, own in lines.items() if _chose(own)}
    points: dict[tuple[Any, ...], list[AnyRow]] = {}
    for row in rows:
        line = _line(row, apart)
        place = None if line in chosen else (row.get("layer"), row.get("head"))
        points.setdefault((line, place), []).append(row)
    several = {point[0] for point, own in points.items() if _n_seeds(own) > 1}
    made: list[Row] = []
    for point, own in points.items():
        if point[0] in several and _n_seeds(own) == len(own):
            made.append(_mean_row(own))
        else:
            made += [dict(row) for row in own]
    return made


def band_of(row: AnyRow, metric: str) -> tuple[float, float] | None:
    """Give the ends of a score's band: one deviation over seeds, or the interval of one run."""
    value, low, high = (row.get(f"{metric}{end}") for end in ("", "_low", "_high"))
    if row.get("n_seeds") and value is not None:
        spread = row.get(f"{metric}_sd") or 0.0
        return value - spread, value + spread
    return None if low is None or high is None else (low, high)


def tell_seeds(rows: Iterable[AnyRow]) -> str:
    """Say over how many seeds rows are means, such as ``"3 seeds"``; empty if over none."""
    counts = sorted({row["n_seeds"] for row in rows if row.get("n_seeds")})
    if not counts or counts[-1] == 1:
        return ""
    return f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else f"{counts[0]} seeds"


def tell_settings(row: AnyRow, keys: Iterable[str]) -> list[str]:
    """Tell the values of some keys, those that need no explanation without the key."""
    plain = (*NAMED, "part")
    told = ((key, row.get(key) if key == "model" else value_of(row, key)) for key in keys)
    return [str(v) if key in plain else f"{key} {v}" for key, v in told if v is not None]


def tell_versions(rows: Sequence[AnyRow]) -> str:
    """Say which versions rows are of, if of several; else nothing."""
    told = []
    for key, name in (("version", "structprobe"), ("torch_version", "torch"),
                      ("transformers_version", "transformers")):  # fmt: skip
        found = sorted({str(row[key]) for row in rows if row.get(key)})
        told += [f"{name} {', '.join(found)}"] if len(found) > 1 else []
    return "; ".join(told)


def _place(row: AnyRow) -> tuple[Any, ...]:
    keys = (*COORDINATES, *PROTOCOL, *SETTINGS)
    return tuple(value_of(row, key) for key in keys if key != "version")


def _line(row: AnyRow, apart: Sequence[str]) -> tuple[Any, ...]:
    """Tell runs that differ at most in layer, head and seed from others."""
    alone = id(row) if row.get("seed") is None or row.get("why_empty") else None
    return (alone, *(value_of(row, key) for key in ("method", "uses_gold", "rank", *apart)))


def _chose(own: Sequence[AnyRow]) -> bool:
    """Whether rows of several seeds are of a method that chose its layer or head itself."""
    fitted = any(row.get("recipe") is not None for row in own)  # at the layer that was asked for
    return not fitted and _n_seeds(own) == len(own) > 1


def _n_seeds(own: Sequence[AnyRow]) -> int:
    return len({row.get("seed") for row in own} - {None})


def _mean_row(own: Sequence[AnyRow]) -> Row:
    """Make the row of several seeds, or of the only one at a place where others have several."""
    row = {
        key: value if all(other.get(key) == value for other in own) else None
        for key, value in own[0].items()
    }
    if len({value_of(one, "model") for one in own}) == 1:  # of untrained copies too
        row["model"] = value_of(own[0], "model")
    for key in _AVERAGED:
        values = [one[key] for one in own if one.get(key) is not None]
        if len(values) < len(own):
            continue  # a mean of some of the seeds would pass for that of all
        row[key] = fmean(values)
        if key in _SCORES and len(values) > 1:
            row[f"{key}_sd"] = stdev(values)
    for key in ("layer", "head"):
        if len(found := sorted({str(one.get(key)) for one in own})) > 1:
            row["choice"] = f"{key} {', '.join(found)}, by seed"
    if "warnings" in row:
        told = dict.fromkeys(text for one in own for text in one.get("warnings") or ())
        row["warnings"] = [*told] or None
    return row | {"key": own[0].get("key"), "seed": None, "n_seeds": len(own)}
