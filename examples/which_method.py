"""Compare methods of recovering trees, on the original and on disturbed sentences.

Run with ``python examples/which_method.py``. Needs the extra ``demo``, but no network.
"""

from tempfile import TemporaryDirectory

from structprobe import Encoder, Treebank, compare, format_table
from structprobe.data import SAMPLE
from structprobe.recoverers.best_layer import BestLayer

train, dev, test = (Treebank.read(SAMPLE / f"{part}.conllu") for part in ("train", "dev", "test"))
encoder = Encoder("minilm")
probe = BestLayer(encoder, rank=64, max_steps=300)  # or just "probe", which takes longer

with TemporaryDirectory() as folder:  # use your own folder to keep the rows and resume
    rows = compare(
        encoder,
        train[:500],
        dev,
        test,
        methods=[probe, "linear", "random"],  # default: "all"
        disturbed=True,
        folder=folder,
    )

columns = ["method", "words_as", "layer", "uuas", "uas", "root_acc"]
print(format_table(rows, columns))
print({layer: f"{100 * uuas:.1f}" for layer, uuas in probe.curve_.items()}, "on dev, by layer")

# It prints:
# method  input      layer               UUAS   UAS  root
# probe   original       3  80.9 [79.5, 82.3]  72.5  63.0
# probe   shuffled       3  26.0 [24.3, 27.8]  20.9  35.7
# probe   swapped        3  70.2 [68.8, 71.7]  58.3  48.0
# probe   truncated      3  80.4 [78.6, 82.3]  69.6  62.0
# linear  original       –  43.8 [42.9, 44.7]   4.9   1.3
# linear  shuffled       –  16.6 [15.3, 18.1]   8.2  12.0
# linear  swapped        –  43.8 [42.9, 44.7]   4.9   1.3
# linear  truncated      –  51.0 [49.5, 52.7]  13.0  14.0
# random  original       –  14.5 [13.3, 15.8]   7.7  10.0
# random  shuffled       –  15.8 [14.5, 17.2]   7.5   8.7
# random  swapped        –  14.5 [13.3, 15.8]   7.7  10.0
# random  truncated      –  28.9 [26.8, 31.2]  14.7  16.7
# Scored on test.conllu, 300 sentences.
# In per cent; punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr. and NSpr. over all words, macro-averaged over sentence lengths 5 to 50; 95% bootstrap intervals over sentences in brackets.
# Warning: training ended after 300 steps while the dev loss was still falling: with more steps (max_steps), the scores may be higher (4 of 12 rows).
# {0: '62.3', 1: '73.5', 2: '80.2', 3: '82.1', 4: '78.0', 5: '55.3', 6: '43.4'} on dev, by layer
