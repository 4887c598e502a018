"""Contextualized pointwise mutual information: trees from what words tell about one another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.recoverers.perturbed import Perturbed
from structprobe.scores.prediction import Prediction
from structprobe.trees import eisner, spanning_tree

if TYPE_CHECKING:
    from structprobe.encoder.encoder import Encoder


class CPMI(Perturbed):
    """Connects the words that tell most about one another (Hoover et al. 2021).

    Hoover, Du, Sordoni & O'Donnell (2021), 'Linguistic Dependencies and Statistical Dependence'.
    The contextualized pointwise mutual information of word j about word i, in nats, is ``log p(i |
    sentence without i) - log p(i | sentence without i and j)``, by a masked language model; nothing
    is trained. All subwords of a word are masked together, and its probability is the product of
    those of its subwords, left to right: each is predicted with those before it shown again and
    those after it still masked.

    As in the authors' code, the matrix is made symmetric by the sum of both directions (here their
    mean, which has the same tree), after taking absolute values where these are asked for. The tree
    is undirected: its score is UUAS. For the other scores, it is directed from the word that tells
    most about the others on average, as in `Perturbed`, which is not part of the method.

    Parameters
    ----------
    encoder : Encoder
        A model with a mask token and its head for masked language modelling.
    absolute : bool, default False
        Whether to use absolute values, so that words that make each other less likely are connected
        too.
    projective : bool, default False
        Whether to find the best tree without crossing edges (Eisner's algorithm, with any root)
        instead of the maximum spanning tree.
    limit, progress
        As for `Perturbed`.

    Raises
    ------
    EncoderError
        If the model has no mask token or not its head, or `limit` is below 1.

    Notes
    -----
    A sentence of n words and m subwords takes ``n(n + 1) / 2 + n(m - n)`` passes, which all
    variants on the same encoder share.

    Hoover et al. decode over the words that are not punctuation. Predictions of maximum spanning
    trees have distances, so that UUAS decodes them again over the kept words in the same way. Those
    of projective trees have only heads over all words.

    Examples
    --------
    >>> CPMI(encoder).predict([["the", "dog", "barks"]])  # doctest: +SKIP
    """

    name = "cpmi"
    order = 51
    variants: Mapping[str, Mapping[str, Any]] = MappingProxyType(
        {
            "cpmi": {},
            "cpmi-absolute": {"absolute": True},
            "cpmi-projective": {"projective": True},
            "cpmi-absolute-projective": {"absolute": True, "projective": True},
        }
    )
    options: Mapping[str, type] = MappingProxyType(
        {"absolute": bool, "projective": bool, "limit": int}
    )

    def __init__(
        self,
        encoder: Encoder,
        *,
        absolute: bool = False,
        projective: bool = False,
        limit: int | None = None,
        progress: bool | None = None,
    ) -> None:
        super().__init__(encoder, measure="pmi", limit=limit, progress=progress)
        self.absolute, self.projective = absolute, projective
        self.name = self.name.replace("-pmi", "-absolute" * absolute + "-projective" * projective)

    def _decode(self, impacts: NDArray[np.floating], gold_root: int | None) -> Prediction:
        """Decode the information (n, n) within one sentence."""
        tree = super()._decode(np.abs(impacts) if self.absolute else impacts, gold_root)
        if not self.projective:
            return tree
        assert tree.distances is not None
        # Any word may be the root of the tree, whose edges are then directed from the chosen one.
        n = len(tree)
        heads = eisner(np.insert(-tree.distances, 0, 0.0, axis=1))
        apart = np.ones((n, n))
        inner = np.flatnonzero(heads)
        apart[inner, heads[inner] - 1] = apart[heads[inner] - 1, inner] = 0
        return Prediction(spanning_tree(apart, int(tree.heads.argmin())), depths=tree.depths)
