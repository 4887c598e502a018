"""Trees as plain arrays: gold depths and distances, and decoders from scores to heads.

Heads are 1-based, 0 for the root's; everything else counts from 0.
"""

from structprobe.trees.arborescences import arborescence, arborescences
from structprobe.trees.arc_scores import best_heads
from structprobe.trees.gold import (
    edges,
    flat_depths,
    flat_distances,
    gold_depths,
    gold_distances,
    padded_tree_depths,
    padded_tree_distances,
    tree_depths,
    tree_distances,
)
from structprobe.trees.grouping import group_by_length, pad
from structprobe.trees.projective import eisner
from structprobe.trees.spanning import decode_rooted, spanning_tree, spanning_trees

__all__ = [
    "arborescence",
    "arborescences",
    "best_heads",
    "decode_rooted",
    "edges",
    "eisner",
    "flat_depths",
    "flat_distances",
    "gold_depths",
    "gold_distances",
    "group_by_length",
    "pad",
    "padded_tree_depths",
    "padded_tree_distances",
    "spanning_tree",
    "spanning_trees",
    "tree_depths",
    "tree_distances",
]
