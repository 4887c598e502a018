"""Ask which layer holds the tree: one probe a layer, and the baselines, in one table.

Run it with ``python examples/which_layer.py``; it needs the extra ``demo`` and no network.
"""

from tempfile import TemporaryDirectory

from structprobe import Encoder, Treebank
from structprobe.data import SAMPLE
from structprobe.experiments.demo import embedded_model
from structprobe.experiments.sweep import sweep
from structprobe.show.table import format_table

train, dev, test = (Treebank.read(SAMPLE / f"{part}.conllu") for part in ("train", "dev", "test"))

with TemporaryDirectory() as folder:  # give a folder of your own to keep rows and resume
    rows = sweep(
        Encoder(embedded_model()),
        train[:500],
        dev,
        test,
        layers="all",
        ranks=[64],
        seeds=[0],
        folder=folder,
        max_steps=300,
    )

print(format_table(rows))
best = max((row for row in rows if row["method"] == "probe"), key=lambda row: row["dev_uuas"])
print(f"best layer by dev UUAS: {best['layer']}")
