"""Find the best layer: train one probe per layer and compare them with baselines.

Run with ``python examples/which_layer.py``. Needs the extra ``demo``, but no network.
"""

from tempfile import TemporaryDirectory

from structprobe import Encoder, SweepConfig, Training, Treebank, format_table, sweep
from structprobe.data import SAMPLE

train, dev, test = (Treebank.read(SAMPLE / f"{part}.conllu") for part in ("train", "dev", "test"))

with TemporaryDirectory() as folder:  # use your own folder to keep the rows and resume
    rows = sweep(
        Encoder("minilm"),
        train[:500],
        dev,
        test,
        layers="all",
        ranks=[64],
        seeds=[0],
        folder=folder,
        config=SweepConfig(Training(max_steps=300)),
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
# probe                0    64     0  53.5 [52.0, 55.2]  43.6  52.7   67.4   67.7      52.3  0.6911    0.9
# probe                1    64     0  59.8 [58.3, 61.5]  51.1  58.3   71.8   73.7      60.8  0.6353    1.0
# probe                2    64     0  68.3 [66.7, 70.1]  58.6  57.0   78.2   76.7      69.0  0.5823    1.0
# probe                3    64     0  70.2 [68.5, 71.8]  61.0  63.3   80.6   79.4      70.8  0.5680    1.0
# probe                4    64     0  66.6 [64.9, 68.1]  54.5  52.3   77.1   77.5      66.4  0.6267    1.0
# probe                5    64     0  43.5 [41.8, 45.4]  30.8  47.7   51.2   74.8      43.1  0.9325    1.0
# probe                6    64     0  33.7 [31.9, 35.6]  17.2  28.0   37.4   49.6      32.3  1.1564    1.0
# Scored on test.conllu, 300 sentences.
# In per cent; punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr. and NSpr. over all words, macro-averaged over sentence lengths 5 to 50; 95% bootstrap intervals over sentences in brackets.
# Warning: training ended after 300 steps while the dev loss was still falling: with more steps (max_steps), the scores may be higher (2 of 11 rows).
# best layer by dev UUAS: 3
