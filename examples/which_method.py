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
# method  words as   layer               UUAS   UAS  root
# probe   written        3  70.4 [68.7, 71.9]  60.6  61.3
# probe   shuffled       3  24.3 [22.6, 26.2]  19.9  38.3
# probe   swapped        3  60.1 [58.7, 61.8]  46.4  49.3
# probe   truncated      3  71.9 [69.8, 73.9]  62.4  64.3
# linear  written        –  43.8 [42.9, 44.7]   4.9   1.3
# linear  shuffled       –  16.6 [15.3, 18.1]   8.2  12.0
# linear  swapped        –  43.8 [42.9, 44.7]   4.9   1.3
# linear  truncated      –  51.0 [49.5, 52.7]  13.0  14.0
# random  written        –  14.5 [13.3, 15.8]   7.7  10.0
# random  shuffled       –  15.8 [14.5, 17.2]   7.5   8.7
# random  swapped        –  14.5 [13.3, 15.8]   7.7  10.0
# random  truncated      –  28.9 [26.8, 31.2]  14.7  16.7
# Scored on test.conllu, 300 sentences.
# In per cent; punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr. and NSpr. over all words, macro-averaged over sentence lengths 5 to 50; 95% bootstrap intervals over sentences in brackets.
# {0: '52.4', 1: '60.8', 2: '68.9', 3: '71.3', 4: '66.0', 5: '43.2', 6: '32.5'} on dev, by layer
