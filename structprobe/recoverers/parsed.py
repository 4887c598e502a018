"""One parsed sentence, with its drawings and exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from structprobe.errors import ProbeError
from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, repr=False, eq=False)
class ParsedSentence:
    """A sentence with its recovered tree, which is drawn when printed.

    If the sentence has a gold tree, that is drawn above and the recovered tree below; right, missed
    and wrong arcs are distinguished. Relations are on the arcs if they were predicted.

    Attributes
    ----------
    sentence : Sentence
        The sentence.
    prediction : Prediction
        The recovered heads, with the scores they were decoded from, and relations if predicted.

    Examples
    --------
    >>> import numpy as np
    >>> from structprobe import ParsedSentence, Prediction, Sentence
    >>> ParsedSentence(Sentence(("dogs", "bark")), Prediction(np.array([2, 0]))).heads
    array([2, 0])
    """

    sentence: Sentence
    prediction: Prediction

    @property
    def words(self) -> tuple[str, ...]:
        """The n words."""
        return self.sentence.words

    @property
    def heads(self) -> NDArray[np.integer]:
        """The recovered head of each word, shape (n,), 1-based, 0 for the root."""
        return self.prediction.heads

    @property
    def deprels(self) -> tuple[str, ...] | None:
        """The predicted relation of each word to its head; None if there are none."""
        return self.prediction.deprels

    def __len__(self) -> int:
        return len(self.words)

    @property
    def gold_heads(self) -> NDArray[np.integer] | None:
        """The gold heads of the sentence, shape (n,), 1-based; None if it has none."""
        return self.sentence.heads

    def __str__(self) -> str:
        return self.to_text()

    __repr__ = __str__

    def to_text(
        self,
        *,
        gold: bool = True,
        deprels: bool = True,
        distances: bool = False,
        direction: str = "auto",
        width: int | None = None,
    ) -> str:
        """Draw the tree for the terminal.

        Parameters
        ----------
        gold, deprels, distances : bool
            Whether to draw the gold tree, if there is one, above the recovered tree; and whether to
            show relations, if they were predicted, and the predicted distances on the arcs.
        direction, width
            As for `structprobe.draw.draw_text`.

        Returns
        -------
        str
            The drawing.

        Raises
        ------
        ProbeError
            If there are no distances to show.
        TreeError
            If the heads are not a tree.
        """
        from structprobe.draw import draw_text

        wanted = self._labels(gold, deprels, distances)
        return draw_text(*self._trees(gold), **wanted, direction=direction, width=width)

    def to_svg(
        self,
        *,
        gold: bool = True,
        deprels: bool = True,
        distances: bool = False,
        direction: str = "auto",
    ) -> str:
        """Draw the tree as an SVG picture.

        Parameters
        ----------
        gold, deprels, distances, direction
            As for `to_text`, which raises the same errors.

        Returns
        -------
        str
            An ``<svg>`` element, see `structprobe.draw.draw_svg`.
        """
        from structprobe.draw import draw_svg

        wanted = self._labels(gold, deprels, distances)
        return draw_svg(*self._trees(gold), **wanted, direction=direction)

    def to_tikz(
        self,
        *,
        gold: bool = True,
        deprels: bool = True,
        distances: bool = False,
        direction: str = "auto",
    ) -> str:
        """Draw the tree for the LaTeX package tikz-dependency.

        Parameters
        ----------
        gold, deprels, distances, direction
            As for `to_text`, which raises the same errors.

        Returns
        -------
        str
            A ``dependency`` environment, see `structprobe.draw.draw_tikz`.
        """
        from structprobe.draw import draw_tikz

        wanted = self._labels(gold, deprels, distances)
        return draw_tikz(*self._trees(gold), **wanted, direction=direction)

    def to_networkx(self, *, missed: bool = False) -> networkx.DiGraph:
        """Convert the tree to a graph with an arc from each head to each of its dependents.

        Parameters
        ----------
        missed : bool, default=False
            Whether to include gold arcs that were not recovered; the graph is then not a tree.

        Returns
        -------
        networkx.DiGraph
            The graph, with attributes as in `structprobe.draw.to_networkx`.
        """
        from structprobe.draw import to_networkx

        gold = self.gold_heads is not None
        known: dict[str, Any] = {"deprels": self.sentence.deprels} if gold else {}
        known |= self._labels(gold, deprels=True, distances=False)
        weights = self.prediction.distances
        graph = to_networkx(*self._trees(gold), **known, distances=weights)
        if gold and not missed:
            arcs = graph.edges(data="recovered")
            graph.remove_edges_from([(a, b) for a, b, recovered in arcs if not recovered])
        return graph

    def to_displacy(
        self, *, deprels: bool = True, distances: bool = False, direction: str = "auto"
    ) -> dict[str, Any]:
        """Convert the recovered tree for spaCy's displaCy (``manual=True``).

        Parameters
        ----------
        deprels, distances, direction
            As for `to_text`, which raises the same errors.

        Returns
        -------
        dict
            See `structprobe.draw.to_displacy`.
        """
        from structprobe.draw import to_displacy

        wanted = self._labels(False, deprels, distances)
        upos = self.sentence.upos
        return to_displacy(*self._trees(False), upos=upos, direction=direction, **wanted)

    def to_conllu(self) -> str:
        """Return the sentence as a CoNLL-U block with the recovered heads.

        Returns
        -------
        str
            The block, with a final blank line: recovered HEAD and DEPREL (``root`` or ``dep`` if
            the method predicts no relations), DEPS ``_``; everything else is unchanged.
        """
        from structprobe.treebank import rewrite

        return rewrite(self.sentence, self.heads, self.prediction.deprels)

    def _repr_html_(self) -> str:
        """Draw the tree in a notebook."""
        return self.to_svg()

    def _trees(self, gold: bool) -> tuple[Any, ...]:
        """Return the words, and the heads of one or both trees, gold first."""
        if gold and self.gold_heads is not None:
            return self.words, self.gold_heads, self.heads
        return self.words, self.heads

    def _labels(self, gold: bool, deprels: bool, distances: bool) -> dict[str, Any]:
        """Return what is to be shown on the arcs, as far as it is known."""
        if distances and self.prediction.distances is None:
            what = "the prediction has no distances to show on the arcs"
            raise ProbeError(what, hint="leave out distances; only distance probes predict them")
        shown: dict[str, Any] = {"distances": self.prediction.distances} if distances else {}
        if not deprels or self.deprels is None:
            return shown
        if gold and self.gold_heads is not None:
            return shown | {"deprels": self.sentence.deprels, "pred_deprels": self.deprels}
        return shown | {"deprels": self.deprels}
