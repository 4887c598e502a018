// Where labels of arcs stand, and how far words stand apart so that labels fit between them: the
// same as in structprobe.draw.label_layout.

// How much wider each gap between words becomes, but never narrower than in `gaps`; `room` is what
// an arc's label takes.
function widen(arcs, middles, room, gaps) {
  const wider = middles.slice(1).map((_, at) => gaps[at] || 0);
  const span = ({ head, dependent }) => Math.abs(head - dependent);
  // Arcs between neighbours first: they have no choice, and help those that lie over them.
  const labelled = arcs.filter((arc) => arc.label).sort((a, b) => span(a) - span(b));
  for (const arc of labelled) {
    const first = Math.min(arc.head, arc.dependent);
    const last = Math.max(arc.head, arc.dependent);
    let there = Math.abs(middles[last] - middles[first]);
    for (let at = first; at < last; at++) there += wider[at];
    const lack = Math.max(0, Math.ceil(room(arc) - there));
    const each = Math.floor(lack / (last - first));
    const rest = lack % (last - first);
    for (let at = first; at < last; at++) wider[at] += each + (at - first < rest ? 1 : 0);
  }
  return wider;
}

// As near to the middle of a line as what crosses it leaves room.
function middleOfLabel(ends, size, crossing) {
  const [first, last] = [Math.min(...ends), Math.max(...ends)];
  const middle = (first + last) / 2;
  const walls = [first, ...crossing.filter((x) => first < x && x < last), last].sort((a, b) => a - b);
  let best = null;
  for (let at = 0; at + 1 < walls.length; at++) {
    if (walls[at + 1] - walls[at] < size) continue;
    const spot = Math.min(Math.max(middle, walls[at] + size / 2), walls[at + 1] - size / 2);
    if (best === null || Math.abs(spot - middle) < Math.abs(best - middle)) best = spot;
  }
  return best ?? middle;
}
