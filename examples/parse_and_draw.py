"""Parse a sentence of your own and draw it: in the terminal, as SVG and for LaTeX.

Run it with ``python examples/parse_and_draw.py``; it needs the extra ``demo`` and no network. The
picture goes to ``tree.svg`` in the folder that you stand in.
"""

from pathlib import Path

from structprobe import Encoder, ProbeRecoverer, StructuralProbe, Treebank
from structprobe.data import SAMPLE
from structprobe.experiments.demo import embedded_model

train, dev = (Treebank.read(SAMPLE / f"{part}.conllu") for part in ("train", "dev"))
probe = StructuralProbe(rank=64, max_steps=500, random_state=0)
recoverer = ProbeRecoverer(Encoder(embedded_model()), layer=4, probe=probe).fit(train, dev)

tree = recoverer.parse("the dog that chased the cat ran to the river")
print(tree)
print(tree.to_tikz())
Path("tree.svg").write_text(tree.to_svg(), encoding="utf-8")
