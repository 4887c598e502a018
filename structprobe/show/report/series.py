"""Result rows in series: the layers of one grid point, or the methods of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from structprobe.results.rows import Row

# What rows of one series agree in: all that makes a run another but the layer.
ALIKE = (
    *("method", "fingerprint", "treebank_fingerprint", "train_fingerprint", "dev_fingerprint"),
    *("part", "punct", "rank", "seed", "recipe", "max_steps", "products"),
    *("pooling", "spacing", "bos", "dtype"),
)
_NAMED = ("treebank", "train", "model", "rank", "seed", "recipe", "max_steps", "products",
          "pooling", "spacing", "bos", "dtype", "punct")  # fmt: skip


@dataclass(frozen=True)
class Series:
    """Runs that a slider goes through."""

    name: str  # What they have in common
    rows: Sequence[Row]  # Their rows, in order of layers, or of methods
    names: Sequence[str]  # What tells one from another, such as ``"layer 3"``
    layered: bool  # Whether they are the layers of one method

    @property
    def best(self) -> int:
        """The place of the run with the highest UUAS: on dev where there is one."""
        return max(range(len(self.rows)), key=lambda at: self.rows[at][self.chosen_by] or 0.0)

    @property
    def chosen_on_dev(self) -> bool:
        """Whether `best` was chosen on dev."""
        return all(row["dev_uuas"] is not None for row in self.rows)

    @property
    def chosen_by(self) -> str:
        """The key of the score that `best` has most of."""
        return "dev_uuas" if self.chosen_on_dev else "uuas"


def series_of(rows: Sequence[Row]) -> list[Series]:
    """Group the rows that have scores."""
    scored = [row for row in rows if row["uuas"] is not None and row["words_as"] is None]
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in scored:
        groups.setdefault(tuple(row[key] for key in ALIKE), []).append(row)
    layered = [group for group in groups.values() if len({row["layer"] for row in group}) > 1]
    alone = [group for group in groups.values() if len({row["layer"] for row in group}) == 1]
    if not layered:
        return _comparisons(scored)
    differing = _differing([group[0] for group in layered], scored)
    made = [_layers(group, differing) for group in layered]
    # The best first: on dev, as layers are chosen, where all have that.
    key = "dev_uuas" if all(one.chosen_on_dev for one in made) else "uuas"
    made.sort(key=lambda one: -one.rows[one.best][key])
    return made + [_alone(row, "treebank" in differing) for group in alone for row in group]


def _differing(firsts: Sequence[Row], scored: Sequence[Row]) -> list[str]:
    """Give what tells series apart: the treebank wherever there are several, and what differs."""
    several = len({row["treebank_fingerprint"] for row in scored}) > 1
    found = [
        key
        for key in _NAMED
        if len({str(row[key]) for row in firsts}) > 1 or (key == "treebank" and several)
    ]
    banks = {row["treebank"] for row in firsts}
    if several and len({(row["treebank"], row["train"]) for row in firsts}) == len(banks):
        found = [key for key in found if key != "train"]  # the treebank tells it already
    return found


def method_name(row: Row) -> str:
    """Name a row's method, with what tells it from others of that name."""
    gold = " (uses gold)" if row["uses_gold"] else ""
    told = [f"layer {row['layer']}"] if row["layer"] is not None else []
    told += [f"head {row['head']}"] if row["head"] is not None else []
    return ", ".join([f"{row['method']}{gold}", *told])


def _layers(group: list[Row], differing: Sequence[str]) -> Series:
    ordered = sorted(group, key=lambda row: row["layer"])
    first = ordered[0]
    told = [
        str(first[key]) if key in ("treebank", "train", "model") else f"{key} {first[key]}"
        for key in differing
        if first[key] is not None
    ]
    names = [f"layer {row['layer']}" for row in ordered]
    return Series(", ".join([first["method"], *told]), ordered, names, layered=True)


def _alone(row: Row, name_bank: bool) -> Series:
    name = method_name(row)
    seed = f", seed {row['seed']}" if row["seed"] is not None else ""
    bank = f", {row['treebank']}" if name_bank else ""
    return Series(f"{name}{seed}{bank}", [row], [name], layered=False)


def _comparisons(scored: Sequence[Row]) -> list[Series]:
    """Put all methods on one treebank into one series, in the order of their rows."""
    banks: dict[tuple[object, object], list[Row]] = {}
    for row in scored:
        banks.setdefault((row["treebank_fingerprint"], row["punct"]), []).append(row)
    several = [len(set(values)) > 1 for values in zip(*banks, strict=True)]
    found = []
    for group in banks.values():
        told = group[0]["treebank"], f"punct {group[0]['punct']}"
        name = ", ".join(["methods", *compress(told, several)])
        found.append(Series(name, group, list(map(method_name, group)), layered=False))
    return found
