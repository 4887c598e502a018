"""The embedded treebanks: CoNLL-U files of our own making, CC0; see README.md beside them.

Installed as ``structprobe.data``.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
SAMPLE = FOLDER / "sample"
HANDMADE = FOLDER / "handmade.conllu"
