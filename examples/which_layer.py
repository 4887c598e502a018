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
# method           layer  chosen         rank  seed               UUAS   UAS  root  DSpr.  NSpr.  dev UUAS  dev L1  CPU s
# linear               –  –                 –     –  43.8 [42.9, 44.7]   4.9   1.3   51.4      –      44.6       –    0.0
# right-branching      –  –                 –     –  43.7 [42.9, 44.7]   4.9   1.3      –      –      44.6       –    0.0
# left-branching       –  –                 –     –  43.7 [42.9, 44.7]  33.0  12.7      –      –      44.6       –    0.0
# random               –  –                 –     0  14.5 [13.3, 15.8]   7.7  10.0      –      –      14.3       –    0.0
# probe                0  axes-stronger    64     0  62.3 [60.9, 63.9]  52.0  52.7   68.7   67.7      62.3  0.6872    1.4
# probe                1  axes-stronger    64     0  72.3 [70.9, 73.9]  63.3  59.0   73.2   73.6      73.5  0.6300    1.2
# probe                2  axes-strong      64     0  78.8 [77.5, 80.1]  70.3  57.0   80.4   76.7      80.2  0.5377    1.2
# probe                3  axes-stronger    64     0  80.9 [79.5, 82.3]  72.5  63.0   81.9   79.3      82.1  0.5281    1.2
# probe                4  axes-stronger    64     0  76.8 [75.0, 78.3]  65.9  53.0   78.4   77.5      78.0  0.5971    1.3
# probe                5  axes-stronger    64     0  56.3 [54.6, 58.3]  39.9  47.7   56.7   74.8      55.3  0.9459    1.3
# probe                6  axes-stronger    64     0  45.7 [43.8, 47.8]  26.8  28.0   45.5   49.6      43.4  1.1031    1.3
# Scored on test.conllu, 300 sentences.
# In per cent; punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr. and NSpr. over all words, macro-averaged over sentence lengths 5 to 50; 95% bootstrap intervals over sentences in brackets.
# Warning: training ended after 300 steps while the dev loss was still falling: with more steps (max_steps), the scores may be higher (3 of 11 rows).
# best layer by dev UUAS: 3
