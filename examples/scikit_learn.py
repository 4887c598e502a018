"""Use the probe with scikit-learn: a pipeline and a grid search over ranks.

Run with ``python examples/scikit_learn.py``. Needs the extra ``demo``, but no network.
"""

import numpy as np
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from structprobe import Encoder, StructuralProbe, Treebank
from structprobe.data import SAMPLE

bank = Treebank.read(SAMPLE / "train.conllu")[:1000]
X = list(Encoder("minilm").encode(bank, layers=3, progress=False).layer(3))
y = [sentence.heads for sentence in bank]

unit_length = FunctionTransformer(
    lambda X: [words / np.linalg.norm(words, axis=1, keepdims=True) for words in X]
)
pipeline = make_pipeline(unit_length, StructuralProbe(max_steps=150, random_state=0))

# `score` returns UUAS over all words, so the search finds the rank with the best trees.
folds = KFold(2, shuffle=True, random_state=0)
search = GridSearchCV(pipeline, {"structuralprobe__rank": [8, 64]}, cv=folds).fit(X, y)
for rank, uuas in zip((8, 64), search.cv_results_["mean_test_score"], strict=True):
    print(f"rank {rank:2d}: UUAS {100 * uuas:.1f}")
print(f"best rank: {search.best_params_['structuralprobe__rank']}")

# It prints:
# rank  8: UUAS 54.0
# rank 64: UUAS 74.9
# best rank: 64
