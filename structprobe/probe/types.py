"""The types of the input of probes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

# `WordVectors`, or one array or tensor (n_words, hidden_size) per sentence.
WordVectorsLike: TypeAlias = Sequence[Any]


class EncodedLayers(Protocol):
    """The vectors of several layers, as `EncodedBank` holds them."""

    @property
    def layers(self) -> tuple[int, ...]:
        """The available layers."""

    def layer(self, layer: int, /) -> WordVectorsLike:
        """Give the vectors of one layer."""


# The vectors of several layers, by name.
VectorsByLayer: TypeAlias = Mapping[Any, WordVectorsLike]
LayersLike: TypeAlias = EncodedLayers | VectorsByLayer


class HasHeads(Protocol):
    """A sentence with its tree, such as `Sentence`."""

    @property
    def heads(self) -> NDArray[np.integer] | None:
        """The head of each word, 1-based, 0 = root."""


# `Treebank`, or sentences, or lists of heads.
TreesLike: TypeAlias = Sequence[HasHeads] | Sequence[Sequence[int] | NDArray[np.integer]]

# A dev set, its vectors by layer; None to hold out training sentences.
DevByLayer: TypeAlias = tuple[VectorsByLayer, TreesLike] | None

RandomState: TypeAlias = int | np.integer | np.random.Generator | np.random.RandomState | None

# The model and settings that vectors come from, in plain values; None if unknown.
Origin: TypeAlias = dict[str, Any] | None

Layer: TypeAlias = Hashable
