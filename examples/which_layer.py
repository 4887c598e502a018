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

# It prints:
# method           layer  rank  seed               UUAS   UAS  root  DSpr.  NSpr.  dev UUAS  dev L1  CPU s
# linear               –     –     –  43.8 [42.9, 44.7]   4.9   1.3   51.4      –      44.6       –    0.0
# right-branching      –     –     –  43.7 [42.9, 44.7]   4.9   1.3      –      –      44.6       –    0.0
# left-branching       –     –     –  43.7 [42.9, 44.7]  33.0  12.7      –      –      44.6       –    0.0
# random               –     –     0  14.5 [13.3, 15.8]   7.7  10.0      –      –      14.3       –    0.0
# probe                0    64     0  52.5 [51.0, 54.2]  43.2  53.0   67.0   68.5      52.4  0.6881    0.8
# probe                1    64     0  60.1 [58.5, 61.9]  51.1  56.3   71.9   72.1      60.5  0.6371    0.8
# probe                2    64     0  67.7 [66.1, 69.5]  59.0  56.7   78.1   76.9      69.1  0.5784    0.8
# probe                3    64     0  69.5 [67.9, 71.1]  59.8  61.7   80.4   79.3      69.2  0.5744    0.8
# probe                4    64     0  65.0 [63.2, 66.9]  53.4  55.7   77.1   77.9      66.6  0.6252    0.8
# probe                5    64     0  43.4 [41.8, 45.2]  30.0  48.3   52.1   73.7      43.5  0.9345    0.8
# probe                6    64     0  33.6 [31.8, 35.4]  17.8  30.7   37.4   48.5      32.9  1.1574    0.8
# In per cent; punct="upos": UPOS PUNCT left out of UUAS and root; DSpr. and NSpr. over all words, averaged within and then over lengths 5 to 50; in brackets the 95 % bootstrap interval over sentences.
# best layer by dev UUAS: 3
