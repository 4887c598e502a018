"""Train a structural probe on one layer and compare it with the linear chain.

Run with ``python examples/fit_one_layer.py``. Needs the extra ``demo``, but no network.
"""

from structprobe import Encoder, LinearChain, StructuralProbe, Treebank, score
from structprobe.data import SAMPLE

train, dev, test = (Treebank.read(SAMPLE / f"{part}.conllu") for part in ("train", "dev", "test"))
encoder = Encoder("minilm")  # or a hub id: Encoder("bert-base-cased")

LAYER = 4
train_vectors, dev_vectors, test_vectors = (
    encoder.encode(bank, layers=[LAYER]).layer(LAYER) for bank in (train, dev, test)
)

probe = StructuralProbe(rank=64, max_steps=500, random_state=0)
probe.fit(train_vectors, train, dev=(dev_vectors, dev))

print(f"probe on layer {LAYER}")
print(probe.evaluate(test_vectors, test))
print("linear chain")
print(score(test, LinearChain().predict(test)))

# It prints:
# probe on layer 4
# UUAS 84.2, UAS 79.3, LAS –, root 85.3, DSpr. 82.4, NSpr. 87.0 (per cent; 300 sentences, 3,887 words, 3,202 edges, 0 undefined correlations; punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr. and NSpr. over all words, macro-averaged over sentence lengths 5 to 50)
# linear chain
# UUAS 43.8, UAS 4.9, LAS –, root 1.3, DSpr. 51.4, NSpr. – (per cent; 300 sentences, 3,887 words, 3,202 edges, 0 undefined correlations; punct="upos": UPOS PUNCT excluded from UUAS and root; DSpr. and NSpr. over all words, macro-averaged over sentence lengths 5 to 50)
