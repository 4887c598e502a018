// Trees as plain numbers: heads are 1-based, 0 for the root's; all else counts from 0.

// Names an edge by its two ends, whichever way the arc points.
function edgeName(one, other) {
  return Math.min(one, other) + "-" + Math.max(one, other);
}

// The arcs of a tree, by dependent; a word that names itself as its head has none.
function arcsOf(heads) {
  const arcs = [];
  heads.forEach((head, dependent) => {
    if (head > 0 && head - 1 !== dependent) arcs.push({ head: head - 1, dependent });
  });
  return arcs;
}

function rootOf(heads) {
  return heads.indexOf(0);
}

function baseRelation(deprel) {
  return deprel.split(":")[0];
}

// Marks which arcs of two trees join the same two words, as UUAS counts; and of these, where both
// trees have relations, which have not the gold direction and relation, as LAS counts.
function compareTrees(goldHeads, predHeads, goldRelations = null, predRelations = null) {
  const gold = goldHeads ? arcsOf(goldHeads) : [];
  const pred = arcsOf(predHeads);
  const inGold = new Map(gold.map((arc) => [edgeName(arc.head, arc.dependent), arc]));
  const inPred = new Set(pred.map((arc) => edgeName(arc.head, arc.dependent)));
  const known = (relations) => relations?.every((one) => one && one !== "_");
  const marked = Boolean(goldHeads && known(goldRelations) && known(predRelations));
  const named = (relations, { dependent }) => {
    const relation = relations ? relations[dependent] : "";
    return relation === "_" ? "" : relation;
  };
  for (const arc of gold) {
    arc.shared = inPred.has(edgeName(arc.head, arc.dependent));
    arc.label = named(goldRelations, arc);
  }
  for (const arc of pred) {
    const other = inGold.get(edgeName(arc.head, arc.dependent));
    const relation = named(predRelations, arc);
    arc.shared = Boolean(other);
    const turned = other?.dependent !== arc.dependent;
    arc.differs =
      marked && arc.shared && (turned || baseRelation(other.label) !== baseRelation(relation));
    arc.label = (arc.differs ? "*" : "") + relation;
  }
  const right = pred.filter((arc) => arc.shared).length;
  return { gold, pred, right, marked, differing: pred.filter((arc) => arc.differs).length };
}

// Gives each arc a level from 1, so that it lies over all shorter ones that it overlaps.
function stackArcs(spans) {
  const levels = new Array(spans.length).fill(0);
  const order = spans.map((_, index) => index);
  const width = ([first, last]) => last - first;
  order.sort((a, b) => width(spans[a]) - width(spans[b]) || a - b);
  const placed = [];
  for (const index of order) {
    const [first, last] = spans[index];
    let level = 0;
    for (const other of placed) {
      const [start, end] = spans[other];
      if (start < last && first < end) level = Math.max(level, levels[other]);
    }
    levels[index] = level + 1;
    placed.push(index);
  }
  return levels;
}

// Tree distances between all words, row by row; a word that hangs nowhere is far from all.
function treeDistances(heads) {
  const n = heads.length;
  const neighbours = Array.from({ length: n }, () => []);
  for (const { head, dependent } of arcsOf(heads)) {
    neighbours[head].push(dependent);
    neighbours[dependent].push(head);
  }
  const distances = new Float32Array(n * n).fill(NaN);
  for (let start = 0; start < n; start++) {
    const queue = [start];
    distances[start * n + start] = 0;
    for (let at = 0; at < queue.length; at++) {
      for (const next of neighbours[queue[at]]) {
        if (Number.isNaN(distances[start * n + next])) {
          distances[start * n + next] = distances[start * n + queue[at]] + 1;
          queue.push(next);
        }
      }
    }
  }
  return distances;
}

// The depth of each word below the root.
function treeDepths(heads) {
  const n = heads.length;
  const root = rootOf(heads);
  if (root < 0) return new Float32Array(n).fill(NaN);
  return treeDistances(heads).slice(root * n, (root + 1) * n);
}

// Whether most letters are of a script that is written from right to left.
function isRightToLeft(words) {
  const text = words.join("");
  const count = (pattern) => (text.match(pattern) || []).length;
  const rightToLeft = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/gu;
  return 2 * count(rightToLeft) > count(/\p{L}/gu);
}
