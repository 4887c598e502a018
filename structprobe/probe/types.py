"""The types of the input of probes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

# `WordVectors`, or one array or tensor (n_words, hidden_size) per sentence.
WordVectorsLike: TypeAlias = Sequence[Any]
# `Treebank`, or sentences with heads, or lists of heads (1-based, 0 = root).
TreesLike: TypeAlias = Sequence[Any]

Layer: TypeAlias = Hashable
VectorsByLayer: TypeAlias = Mapping[Any, WordVectorsLike]
# `EncodedBank` or `VectorsByLayer` for what reads several layers, otherwise `WordVectorsLike`.
VectorsLike: TypeAlias = Any

# A dev set, its vectors by layer; None to hold out training sentences.
DevByLayer: TypeAlias = tuple[VectorsByLayer, TreesLike] | None

RandomState: TypeAlias = int | np.integer | np.random.Generator | np.random.RandomState | None

# The model and settings that vectors come from, in plain values; None if unknown.
Origin: TypeAlias = dict[str, Any] | None
