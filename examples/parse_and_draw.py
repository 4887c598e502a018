"""Parse a sentence and draw its tree as text and for LaTeX; draw another with its gold tree as SVG.

Run with ``python examples/parse_and_draw.py``. Needs the extra ``demo``, but no network. The SVG
is written to ``tree.svg`` in the current folder.
"""

from pathlib import Path

from structprobe import Encoder, ProbeRecoverer, StructuralProbe, Treebank
from structprobe.data import HANDMADE, SAMPLE
from structprobe.draw import draw_svg

train, dev = (Treebank.read(SAMPLE / f"{part}.conllu") for part in ("train", "dev"))
probe = StructuralProbe(rank=64, max_steps=500, random_state=0)
recoverer = ProbeRecoverer(Encoder("minilm"), layer=4, probe=probe).fit(train, dev)

tree = recoverer.parse("the dog that chased the cat ran to the river")
print(tree)
print(tree.to_tikz())

# The first annotated sentence with 9 to 12 words: gold tree above, recovered tree below.
sentence = next(one for one in Treebank.read(HANDMADE) if 9 <= len(one) <= 12)
(prediction,) = recoverer.predict([sentence])
picture = draw_svg(sentence.words, sentence.heads, prediction.heads)
Path("tree.svg").write_text(picture, encoding="utf-8")

# It prints:
#                ┌────────────┐ ┌──────────┐
#      ┌────────┐│┌────────┐  │ │ ┌───────┐│
#  ┌──┐│   ┌────┤││    ┌──┐│  │ │ │   ┌───┤│
#  ▼  │▼   ▼    │▼│    ▼  │▼  │●│ ▼   ▼   │▼
# the dog that chased the cat ran to the river
# \begin{dependency}
#   \begin{deptext}[column sep=1em]
#     {the} \& {dog} \& {that} \& {chased} \& {the} \& {cat} \& {ran} \& {to} \& {the} \& {river} \\
#   \end{deptext}
#   \deproot[edge unit distance=3.375ex]{7}{root}
#   \depedge[hide label, edge height=3ex]{2}{1}{}
#   \depedge[hide label, edge height=6ex]{4}{2}{}
#   \depedge[hide label, edge height=3ex]{4}{3}{}
#   \depedge[hide label, edge height=9ex]{7}{4}{}
#   \depedge[hide label, edge height=3ex]{6}{5}{}
#   \depedge[hide label, edge height=6ex]{4}{6}{}
#   \depedge[hide label, edge height=6ex]{10}{8}{}
#   \depedge[hide label, edge height=3ex]{10}{9}{}
#   \depedge[hide label, edge height=9ex]{7}{10}{}
# \end{dependency}
