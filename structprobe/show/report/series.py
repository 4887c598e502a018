"""Result rows in series: the layers of one grid point, or the methods of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from structprobe.results.rows import ENCODING, Row
from structprobe.results.settings import (
    PROTOCOL,
    SETTINGS,
    differing,
    protocol_of,
    tell_settings,
    value_of,
)

# What rows of one series agree in: all that makes a run another but the layer.
ALIKE = (
    *("method", "fingerprint", "treebank_fingerprint", "train_fingerprint", "dev_fingerprint"),
    *("part", "punct", "rank", "seed", "recipe", "select", "max_steps", "products"),
    *("reads", "decoding"),
    *ENCODING,
)
_APART = ("treebank", "punct", "part", "min_length", "max_length")
_NAMED = ("treebank", "train", "dev", "model", "rank", "seed", "recipe", "select", "max_steps",
          "products", "reads", "decoding", "train_sentences", *ENCODING,
          *_APART[1:])  # fmt: skip


@dataclass(frozen=True)
class Series:
    """Runs that a slider goes through."""

    name: str  # What they have in common
    rows: Sequence[Row]  # Their rows, in order of layers, or of methods
    names: Sequence[str]  # What tells one from another, such as ``"layer 3"``
    layered: bool  # Whether they are the layers of one method, and make a curve
    by: str = "layer"  # What a curve goes over

    @property
    def best(self) -> int:
        """The place of the run with the highest UUAS, on dev where there is one; of no control."""
        by = self.chosen_by
        scores = [(row["control"] is None, row[by] or 0.0) for row in self.rows]
        return scores.index(max(scores))

    @property
    def is_control(self) -> bool:
        """Whether the runs are of a control task."""
        return all(row["control"] is not None for row in self.rows)

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
    apart = differing(scored)
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in scored:
        alike = tuple(value_of(row, key) for key in (*ALIKE, *apart))
        groups.setdefault(alike, []).append(row)
    layered = [group for group in groups.values() if len({row["layer"] for row in group}) > 1]
    alone = [group for group in groups.values() if len({row["layer"] for row in group}) == 1]
    if not layered:
        return _comparisons(scored)
    firsts = [group[0] for group in layered]
    made = [_layers(group, _differing(firsts, scored)) for group in layered]
    # The best first: on dev, as layers are chosen, where all have that. Controls come last.
    made.sort(
        key=lambda one: (
            *(one.is_control, not one.chosen_on_dev),
            -one.rows[one.best][one.chosen_by],
        )
    )
    # What is named of others: what lines differ in, and where one is alone, all that rows do.
    return made + [_alone(row, apart) for group in alone for row in group]


def _differing(firsts: Sequence[Row], scored: Sequence[Row]) -> list[str]:
    """Give what tells series apart: the treebank wherever there are several, and what differs."""
    several = len({row["treebank_fingerprint"] for row in scored}) > 1
    values = {key: {*(str(tell_settings(row, [key])) for row in firsts)} for key in _NAMED}
    found = [key for key in _NAMED if len(values[key]) > 1 or (key == "treebank" and several)]
    banks = {row["treebank"] for row in firsts}
    if several and len({(row["treebank"], row["train"]) for row in firsts}) == len(banks):
        found = [key for key in found if key not in ("train", "dev")]  # the treebank tells it
    return [*found, *(key for key in differing(scored) if key == "version")]


def method_name(row: Row) -> str:
    """Name a row's method, with what tells it from others of that name."""
    gold = " (uses gold)" if row["uses_gold"] else ""
    told = [f"layer {row['layer']}"] if row["layer"] is not None else []
    told += [f"head {row['head']}"] if row["head"] is not None else []
    return ", ".join([f"{row['method']}{gold}", *told])


def _layers(group: list[Row], keys: Sequence[str]) -> Series:
    ordered = sorted(group, key=lambda row: row["layer"])
    names = [f"layer {row['layer']}" for row in ordered]
    told = [ordered[0]["method"], *tell_settings(ordered[0], keys)]
    return Series(", ".join(told), ordered, names, layered=True)


def _alone(row: Row, apart: Sequence[str]) -> Series:
    seed = [f"seed {row['seed']}"] if row["seed"] is not None else []
    settings = tell_settings(row, [key for key in apart if key in SETTINGS])
    name = ", ".join([method_name(row), *settings])
    told = [name, *seed, *tell_settings(row, [key for key in apart if key in PROTOCOL])]
    return Series(", ".join(told), [row], [name], layered=False)


def _comparisons(scored: Sequence[Row]) -> list[Series]:
    """Put all methods by one protocol into one series, in the order of their rows."""
    banks: dict[tuple[object, ...], list[Row]] = {}
    for row in scored:
        banks.setdefault(protocol_of(row), []).append(row)
    keys = differing([group[0] for group in banks.values()], _APART)
    found = []
    for group in banks.values():
        apart = [key for key in differing(group, SETTINGS) if key in SETTINGS]
        names = [", ".join([method_name(row), *tell_settings(row, apart)]) for row in group]
        for at, row in enumerate(group):
            if names.count(names[at]) > 1 and row["seed"] is not None:
                names[at] += f", seed {row['seed']}"
        name = ", ".join(["methods", *tell_settings(group[0], keys)])
        found.append(Series(name, group, names, layered=False))
    return found
