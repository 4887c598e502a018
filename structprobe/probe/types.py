"""What users give to probes, named once for all signatures."""

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
        """The layers there are."""

    def layer(self, layer: int, /) -> WordVectorsLike:
        """Give the vectors of one layer."""


# The vectors of several layers, by whatever names them.
VectorsByLayer: TypeAlias = Mapping[Any, WordVectorsLike]
LayersLike: TypeAlias = EncodedLayers | VectorsByLayer


class HasHeads(Protocol):
    """A sentence with its tree, as `Sentence` is one."""

    @property
    def heads(self) -> NDArray[np.integer] | None:
        """The head of each word, 1-based, 0 = root."""


# `Treebank`, or sentences, or rows of heads.
TreesLike: TypeAlias = Sequence[HasHeads] | Sequence[Sequence[int] | NDArray[np.integer]]

DevLike: TypeAlias = tuple[WordVectorsLike, TreesLike]
LayersDevLike: TypeAlias = tuple[LayersLike, TreesLike]

RandomState: TypeAlias = int | np.integer | np.random.Generator | np.random.RandomState | None

# Where vectors came from, in plain values; None where they do not say.
Origin: TypeAlias = dict[str, Any] | None

Layer: TypeAlias = Hashable
