"""Trees as plain arrays: gold depths and distances, and decoders from scores to heads.

Heads are 1-based, with 0 for the root; all other indices are 0-based.
"""

from structprobe.trees.arborescences import arborescence, arborescences
from structprobe.trees.arc_scores import best_heads
from structprobe.trees.gold import edges, gold_depths, gold_distances, tree_depths, tree_distances
from structprobe.trees.projective import eisner
from structprobe.trees.spanning import decode_rooted, spanning_tree, spanning_trees

__all__ = [
    "arborescence", "arborescences", "best_heads", "decode_rooted", "edges", "eisner",
    "gold_depths", "gold_distances", "spanning_tree", "spanning_trees", "tree_depths",
    "tree_distances",
]  # fmt: skip
