"""One parsed sentence, which draws and exports itself."""

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
    """A sentence with its recovered tree; printing it draws the tree in the terminal.

    Where the sentence has a gold tree, that is drawn above and the recovered one below, right,
    missed and wrong arcs told apart.

    Attributes
    ----------
    sentence : Sentence
        What was parsed.
    prediction : Prediction
        Its recovered heads, with the distances and depths that they came from.

    Examples
    --------
    >>> import numpy as np
    >>> from structprobe import ParsedSentence, Prediction, Sentence
    >>> prediction = Prediction(np.array([2, 0]))
    >>> ParsedSentence(Sentence(("dogs", "bark")), prediction).heads
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
        """The recovered head of each word, shape (n,), 1-based, 0 for the root's."""
        return self.prediction.heads

    def __len__(self) -> int:
        return len(self.words)

    @property
    def gold_heads(self) -> NDArray[np.integer] | None:
        """The heads that the sentence came with, shape (n,), 1-based; None where it has none."""
        return self.sentence.heads

    def __str__(self) -> str:
        return self.to_text()

    __repr__ = __str__

    def to_text(
        self,
        *,
        gold: bool = True,
        distances: bool = False,
        direction: str = "auto",
        width: int | None = None,
    ) -> str:
        """Draw the tree for a terminal.

        Parameters
        ----------
        gold : bool, default=True
            Whether to draw the gold tree above and the recovered one below, where the sentence
            has a gold tree; else the recovered tree stands alone, above.
        distances : bool, default=False
            Whether to write the predicted distance of the two words on each arc.
        direction : {"auto", "ltr", "rtl"}
            Where the sentence begins; "auto" goes by the letters.
        width : int, optional
            The columns there are; by default those of the terminal.

        Returns
        -------
        str
            The drawing, see `structprobe.draw.draw_text`.

        Raises
        ------
        ProbeError
            If there are no distances to write.
        TreeError
            If a tree is none.
        """
        from structprobe.draw import draw_text

        return draw_text(
            *self._trees(gold),
            distances=self._distances(distances),
            direction=direction,
            width=width,
        )

    def to_svg(self, *, gold: bool = True, distances: bool = False, direction: str = "auto") -> str:
        """Draw the tree as an SVG picture.

        Parameters
        ----------
        gold, distances, direction
            As for `to_text`.

        Returns
        -------
        str
            An ``<svg>`` element, see `structprobe.draw.draw_svg`.

        Raises
        ------
        ProbeError, TreeError
            As for `to_text`.
        """
        from structprobe.draw import draw_svg

        wanted = self._distances(distances)
        return draw_svg(*self._trees(gold), distances=wanted, direction=direction)

    def to_tikz(
        self, *, gold: bool = True, distances: bool = False, direction: str = "auto"
    ) -> str:
        """Draw the tree for LaTeX's package tikz-dependency.

        Parameters
        ----------
        gold, distances, direction
            As for `to_text`.

        Returns
        -------
        str
            A ``dependency`` environment, see `structprobe.draw.draw_tikz`.

        Raises
        ------
        ProbeError, TreeError
            As for `to_text`.
        """
        from structprobe.draw import draw_tikz

        wanted = self._distances(distances)
        return draw_tikz(*self._trees(gold), distances=wanted, direction=direction)

    def to_networkx(self, *, missed: bool = False) -> networkx.DiGraph:
        """Give the tree as a graph with an arc from each head to each of its dependents.

        Parameters
        ----------
        missed : bool, default=False
            Whether to give the arcs of the gold tree too that the recovered one does not have,
            with which the graph is no tree.

        Returns
        -------
        networkx.DiGraph
            Nodes are the word's numbers from 1, as in CoNLL-U, each with the attributes ``word``
            and ``root`` (True for one of them); ``graph.graph["root"]`` is the root's number.
            Arcs have ``distance``, ``status`` and ``deprel`` as far as known, see
            `structprobe.draw.to_networkx`.
        """
        from structprobe.draw import to_networkx

        gold = self.gold_heads is not None
        graph = to_networkx(
            *self._trees(gold),
            deprels=self.sentence.deprels if gold else None,
            distances=self.prediction.distances,
        )
        if gold and not missed:
            arcs = graph.edges(data="recovered")
            graph.remove_edges_from([(a, b) for a, b, recovered in arcs if not recovered])
        return graph

    def to_displacy(self, *, distances: bool = False, direction: str = "auto") -> dict[str, Any]:
        """Give the recovered tree as spaCy's displaCy draws it (``manual=True``).

        Parameters
        ----------
        distances, direction
            As for `to_text`.

        Returns
        -------
        dict
            See `structprobe.draw.to_displacy`.

        Raises
        ------
        ProbeError, TreeError
            As for `to_text`.
        """
        from structprobe.draw import to_displacy

        return to_displacy(
            self.words,
            self.heads,
            deprels=self.prediction.deprels,
            upos=self.sentence.upos,
            distances=self._distances(distances),
            direction=direction,
        )

    def to_conllu(self) -> str:
        """Give the sentence as a CoNLL-U block with the recovered heads.

        Returns
        -------
        str
            The block, blank line included: HEAD as recovered, DEPREL ``root`` or ``dep``, DEPS
            ``_``, all else as it was read.
        """
        from structprobe.treebank import rewrite

        return rewrite(self.sentence, self.heads)

    def _repr_html_(self) -> str:
        """Draw the tree in a notebook."""
        return self.to_svg()

    def _trees(self, gold: bool) -> tuple[Any, ...]:
        """Give words, and the heads of one tree or of both, gold first."""
        if gold and self.gold_heads is not None:
            return self.words, self.gold_heads, self.heads
        return self.words, self.heads

    def _distances(self, wanted: bool) -> NDArray[np.floating] | None:
        """Give the predicted distances, if they are wanted."""
        if wanted and self.prediction.distances is None:
            raise ProbeError(
                "the prediction has no distances to write on the arcs",
                hint="leave distances out; only a distance probe has them",
            )
        return self.prediction.distances if wanted else None
