// The depth of each word below the root: predicted as dots on stems, gold as rings.

const DEPTH = { top: 14, step: 19, name: 34 };

function drawDepths(box, words, gold, pred) {
  if (!pred) {
    box.replaceChildren();
    return;
  }
  const { middles, total } = middlesOf(words);
  const known = [...pred, ...(gold || [])].filter((value) => !Number.isNaN(value));
  const least = Math.min(0, ...known);
  const deepest = Math.ceil(Math.max(1, ...known));
  const y = (depth) => DEPTH.top + (depth - least) * DEPTH.step;
  const width = Math.ceil(total) + DEPTH.name;
  const height = Math.ceil(y(deepest)) + 30;
  const svg = draw("svg", {
    class: "depths", role: "img", width, height, viewBox: `0 0 ${width} ${height}`,
    "aria-label": `Depths of the words of “${words.join(" ")}”; the table has them as numbers`,
  });
  for (let depth = 0; depth <= deepest; depth++) {
    svg.append(
      draw("path", { class: "grid", d: `M${DEPTH.name} ${y(depth)}H${width - 8}` }),
      draw("text", { class: "tick", x: DEPTH.name - 8, y: y(depth) }, String(depth)),
    );
  }
  words.forEach((word, index) => {
    const x = middles[index] + DEPTH.name;
    const text = draw("text", { class: "word", x, y: height - 8 }, word);
    svg.append(draw("path", { class: "stem", d: `M${x} ${y(0)}V${y(pred[index])}` }), text);
    if (gold && !Number.isNaN(gold[index])) {
      svg.append(draw("circle", { class: "gold", cx: x, cy: y(gold[index]), r: 5.5 }));
    }
    svg.append(draw("circle", { class: "pred", cx: x, cy: y(pred[index]), r: 3.2 }));
  });
  box.replaceChildren(svg);
}
