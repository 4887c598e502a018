"""Where the benchmark fits distance probes alone, they are those that the library gives."""

from __future__ import annotations

import pytest
from support.planted import planted

from benchmarks.inside import distance_scores
from structprobe import LayerSweep

VECTORS, HEADS = planted(90, seed=0, noise=0.3)


@pytest.mark.parametrize("recipe", ["whitened", "published"])
def test_distance_probes_are_those_of_a_whole_fit(recipe: str) -> None:
    parts = [slice(60), slice(60, None)]
    (X, y), dev = (
        ({0: VECTORS[part], 2: [3 * x[:, ::-1] for x in VECTORS[part]]}, HEADS[part])
        for part in parts
    )
    settings = {"recipe": recipe, "max_steps": 30, "rank": 12}
    found = distance_scores(X, y, dev, punct="keep", **settings)
    probes = LayerSweep(random_state=0, device="cpu", **settings).fit(X, y, dev=dev).probes_
    assert [*found] == [*probes]
    for layer, probe in probes.items():
        loss, uuas = found[layer]
        assert loss == probe.history_["distance"]["best_dev_loss"]
        assert uuas == probe.evaluate(dev[0][layer], dev[1], punct="keep").uuas
