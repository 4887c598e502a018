"""One parsed sentence, which draws and exports itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from structprobe.scores.prediction import Prediction
from structprobe.treebank.sentence import Sentence

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, repr=False, eq=False)
class ParsedSentence:
    """A sentence with its recovered tree; printing it draws the tree in the terminal.

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

    def __str__(self) -> str:
        from structprobe.draw import draw_text

        return draw_text(self.words, self.heads)

    __repr__ = __str__

    def to_networkx(self) -> networkx.DiGraph:
        """Give the tree as a graph with an arc from each head to each of its dependents.

        Returns
        -------
        networkx.DiGraph
            Nodes are the word's numbers from 1, as in CoNLL-U, each with the attributes ``word``
            and ``root`` (True for one of them); ``graph.graph["root"]`` is the root's number.
        """
        import networkx

        graph = networkx.DiGraph()
        for number, (word, head) in enumerate(zip(self.words, self.heads, strict=True), start=1):
            graph.add_node(number, word=word, root=bool(head == 0))
            if head == 0:
                graph.graph["root"] = number
        graph.add_edges_from(
            (int(head), number) for number, head in enumerate(self.heads, start=1) if head != 0
        )
        return graph

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

    def to_svg(self) -> str:
        """Draw the tree as an SVG picture.

        Returns
        -------
        str
            An ``<svg>`` element.
        """
        from structprobe.draw import draw_svg

        return draw_svg(self.words, self.heads)

    def to_tikz(self) -> str:
        """Draw the tree for LaTeX's package tikz-dependency.

        Returns
        -------
        str
            A ``dependency`` environment.
        """
        from structprobe.draw import draw_tikz

        return draw_tikz(self.words, self.heads)

    def _repr_html_(self) -> str:
        """Draw the tree in a notebook."""
        return self.to_svg()
