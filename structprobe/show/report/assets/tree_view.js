// One sentence with the gold tree above its words and the recovered one below, as SVG.

const TREE = { size: 17, gap: 15, level: 19, port: 5, clear: 20, margin: 14, small: 12 };
const LABEL = { size: 11, around: 7 };
const FONT = '"Charter", "Iowan Old Style", "Source Serif 4", Georgia, "Noto Serif", serif';
const LABEL_FONT = 'system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';

const measure = document.createElement("canvas").getContext("2d");

function widthsOf(words) {
  measure.font = `${TREE.size}px ${FONT}`;
  return words.map((word) => Math.max(measure.measureText(word).width, 3 * TREE.port));
}

// How much of a line a label interrupts.
function roomOf({ label }) {
  measure.font = `${LABEL.size}px ${LABEL_FONT}`;
  return measure.measureText(label).width + 2 * LABEL.around;
}

// Where the middles of the words stand, and the width of it all; `gaps` widen those between words.
function middlesOf(words, gaps = []) {
  let at = TREE.margin;
  const middles = widthsOf(words).map((width, index) => {
    const middle = at + width / 2;
    at += width + TREE.gap + (gaps[index] || 0);
    return middle;
  });
  const total = at - TREE.gap + TREE.margin;
  return { middles: isRightToLeft(words) ? middles.map((x) => total - x) : middles, total };
}

// Draws the trees of `shown` (words, gold heads or null, recovered heads, and relations of both or
// null) into a box. Where nobody annotated the sentence, the recovered tree stands above the words;
// gold relations are shown beside recovered ones alone. Gaps are not narrower than in `gaps`.
function drawTree(box, { words, gold, heads: pred, deprels, predDeprels }, gaps = []) {
  const compared = compareTrees(gold, pred, predDeprels && deprels, predDeprels);
  const arcs = [...compared.gold, ...compared.pred];
  const plain = middlesOf(words).middles;
  compared.gaps = widen(arcs, plain, (arc) => roomOf(arc) + TREE.port, gaps);
  const { middles, total } = middlesOf(words, compared.gaps);
  const recovered = side(compared.pred, rootOf(pred), middles, gold ? 1 : -1, gold ? "wrong" : "right");
  const above = gold ? side(compared.gold, rootOf(gold), middles, -1, "missed") : recovered;
  const sameRoot = !gold || rootOf(gold) === rootOf(pred);
  for (const one of [above, recovered]) one.root.classList.add(sameRoot ? "right" : one.other);
  const line = TREE.margin + above.height;
  const height = line + (gold ? recovered.height : TREE.size) + TREE.margin;
  const svg = draw("svg", {
    class: "tree", role: "img", width: Math.ceil(total), height: Math.ceil(height),
    viewBox: `0 0 ${Math.ceil(total)} ${Math.ceil(height)}`,
    "aria-label": describe(words, gold, pred, compared),
  });
  const inner = draw("g", { transform: `translate(0 ${line})` });
  inner.append(above.group, recovered.group);
  words.forEach((word, index) => {
    const text = draw("text", { x: middles[index], y: TREE.size * 0.32, class: "word" });
    text.textContent = word;
    inner.append(text);
  });
  svg.append(inner);
  box.replaceChildren(svg);
  return { ...compared, total: compared.pred.length, height };
}

// The arcs of one tree above (-1) or below (1) the words.
function side(arcs, root, middles, direction, other) {
  const ends = arcs.map(({ head, dependent }) => {
    const enters = middles[dependent];
    const leaves = middles[head] + (enters > middles[head] ? TREE.port : -TREE.port);
    return [leaves, enters];
  });
  const levels = stackArcs(ends.map(([a, b]) => [Math.min(a, b), Math.max(a, b)]));
  const highest = TREE.clear + TREE.level * (Math.max(0, ...levels) + 1);
  const order = arcs.map((_, index) => index);
  // Right ones last, so that dashes never lie over a solid line.
  order.sort((a, b) => arcs[a].shared - arcs[b].shared || levels[b] - levels[a]);
  const group = draw("g");
  for (const index of order) {
    const style = arcs[index].shared ? "right" : other;
    group.append(arcPath(...ends[index], direction, TREE.clear + TREE.level * levels[index], style));
  }
  const rootArrow = draw("g", { class: "arc" });
  if (root >= 0) {
    const x = middles[root];
    rootArrow.append(
      draw("path", { d: `M${x} ${direction * highest}V${direction * (TREE.clear + 5)}` }),
      arrow(x, direction),
      draw("text", {
        x, y: direction * (highest + TREE.small * 0.7) + TREE.small * 0.35, class: "root",
      }, "root"),
    );
  }
  group.append(rootArrow);
  arcs.forEach((arc, index) => {
    if (!arc.label) return; // over all lines
    const taller = ends.filter((_, other) => levels[other] > levels[index]).flat();
    const x = middleOfLabel(ends[index], roomOf(arc), root < 0 ? taller : [...taller, middles[root]]);
    const y = direction * (TREE.clear + TREE.level * levels[index]) + LABEL.size * 0.35;
    group.append(draw("text", { x, y, class: arc.differs ? "label differs" : "label" }, arc.label));
  });
  return { group, root: rootArrow, other, height: highest + TREE.small * 1.6 };
}

function arcPath(leaves, enters, direction, height, style) {
  const turn = enters > leaves ? 1 : -1;
  const radius = Math.min(TREE.level * 0.6, Math.abs(enters - leaves) / 2);
  const top = direction * height;
  const corner = top - direction * radius;
  const line =
    `M${leaves} ${direction * TREE.clear}V${corner}Q${leaves} ${top} ${leaves + turn * radius} ${top}` +
    `H${enters - turn * radius}Q${enters} ${top} ${enters} ${corner}V${direction * (TREE.clear + 5)}`;
  return draw("g", { class: `arc ${style}` }, draw("path", { d: line }), arrow(enters, direction));
}

function arrow(x, direction) {
  const tip = direction * (TREE.clear - 2);
  const back = direction * (TREE.clear + 6);
  return draw("path", { class: "tip", d: `M${x} ${tip}L${x - 3.6} ${back}H${x + 3.6}Z` });
}

// The picture in words, for those who do not see it; the table of words tells it arc by arc.
function describe(words, gold, pred, compared) {
  const rootWord = (heads) => (rootOf(heads) < 0 ? "no word" : words[rootOf(heads)]);
  if (!gold) return `Recovered tree of “${words.join(" ")}”; its root is ${rootWord(pred)}.`;
  const marked = compared.marked
    ? `, ${compared.right - compared.differing} with direction and relation`
    : "";
  return (
    `Tree of “${words.join(" ")}”: ${compared.right} of ${compared.gold.length} gold edges ` +
    `between all words recovered${marked}; the gold root is ${rootWord(gold)}, the recovered root is ${rootWord(pred)}.`
  );
}
