"""What the other geometries and the relations cost beside the structural probe's distances."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.clock import timed
from benchmarks.inside import fit_distances, one_core
from benchmarks.plan import LAYER, RANK, Plan
from benchmarks.table import Line
from structprobe import StructuralProbe
from structprobe.probe.losses.geometries import GEOMETRIES

STEPS, WARM_UP = 300, 100
EPOCH, RELATIONS = 3.0, 0.3


def family(plan: Plan, repeats: int = 3) -> Iterator[Line]:
    """Measure steps of all geometries, at full rank and at a low one, and a fit with relations."""
    train, vectors = plan.vectors("train", LAYER)
    dev, dev_vectors = plan.vectors("dev", LAYER)
    X, held_out = vectors.layer(LAYER), dev_vectors.layer(LAYER)
    heads, dev_heads = ([one.heads for one in bank] for bank in (train, dev))

    def step(geometry: str, rank: int) -> float:
        """CPU seconds of a step, once memory is laid out."""
        marks: list[float] = []
        few = held_out[:1], dev_heads[:1]
        told = {"geometry": geometry, "rank": rank, "max_steps": STEPS}
        fit_distances(X, heads, few, lambda _: marks.append(time.process_time()), **told)
        return (marks[-1] - marks[WARM_UP]) / (len(marks) - 1 - WARM_UP)

    with one_core():
        for rank in (RANK, RANK // 6):
            times: dict[str, list[float]] = {name: [] for name in GEOMETRIES}
            for _ in range(repeats):  # in turn, so that all see the same machine
                for name, own in times.items():
                    own.append(step(name, rank))
            plain = min(times.pop("euclidean"))
            for name, own in times.items():
                ratio = min(own) / plain
                yield Line(
                    f"a step of the geometry {name}, rank {rank}, beside the Euclidean",
                    f"{ratio:.2f} times {plain * 1000:.2f} ms",
                    f"at most {EPOCH:g} times",
                    ratio <= EPOCH,
                )

        def fit(**settings: bool) -> None:
            probe = StructuralProbe(rank=RANK, recipe="whitened", random_state=0, **settings)
            probe.fit(X, train, dev=(held_out, dev))

        fits: dict[str, Callable[[], object]] = {
            "distances": lambda: fit_distances(X, heads, (held_out, dev_heads)),
            "plain": fit,
            "relations": lambda: fit(relations=True),
        }
        seconds = {
            name: timed(run, repeats=repeats, warm_up=False).cpu for name, run in fits.items()
        }
        share = (seconds["relations"] - seconds["plain"]) / seconds["distances"]
        yield Line(
            "relations, beside the distance probe",
            f"{share:.2f} of {seconds['distances']:.1f} CPU s",
            f"at most {RELATIONS:g}",
            share <= RELATIONS,
        )
