// One sentence by one run: tree, heat maps, depths and the same as a table.

class SentenceView {
  constructor() {
    this.cell = null;
    const point = (cell) => {
      this.cell = cell;
      this.drawMaps();
      this.readOut();
    };
    this.goldMap = new HeatMap(byId("gold-map"), "Gold", point);
    this.predMap = new HeatMap(byId("pred-map"), "Predicted", point);
    byId("as-table").addEventListener("toggle", () => this.shown && this.fillTable());
    const redraw = () => {
      this.drawn = null;
      if (this.shown) this.drawMaps();
    };
    addEventListener("resize", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  }

  // `shown` has words, gold heads or null, deprels, upos, heads, predDeprels, depths, distances.
  show(shown) {
    const another = this.shown?.words !== shown.words;
    const box = byId("tree");
    if (another) {
      this.cell = null;
      this.gaps = [];
      box.style.minHeight = "";
      box.scrollLeft = 0;
    }
    this.shown = shown;
    // The picture grows with the layers that are seen and never jumps back under the reader.
    const compared = drawTree(box, shown, this.gaps);
    this.gaps = compared.gaps;
    const height = Math.max(compared.height, parseFloat(box.style.minHeight) || 0);
    box.style.minHeight = `${Math.ceil(height)}px`;
    if (another && isRightToLeft(shown.words)) box.scrollLeft = box.scrollWidth;
    this.prepareMaps(another);
    this.drawMaps();
    this.readOut();
    this.drawDepths();
    if (byId("as-table").open) this.fillTable();
    return compared;
  }

  prepareMaps(another) {
    const { gold, distances } = this.shown;
    if (another) {
      this.goldDistances = gold ? treeDistances(gold) : null;
      this.goldDepths = gold ? treeDepths(gold) : null;
    }
    const greatest = (values) => (values || []).reduce((a, b) => (b > a ? b : a), 1);
    this.most = Math.max(greatest(this.goldDistances), gold ? 0 : greatest(distances));
    byId("maps").hidden = !distances;
    byId("no-maps").hidden = Boolean(distances);
    byId("gold-figure").hidden = !gold;
    byId("scale-most").textContent = String(Math.round(this.most));
  }

  drawDepths() {
    const { words, depths } = this.shown;
    byId("depth-figure").hidden = !depths;
    drawDepths(byId("depths"), words, this.goldDepths, depths);
  }

  drawMaps() {
    const { words, distances } = this.shown;
    if (!distances) return;
    const gold = this.goldDistances;
    const room = this.roomForMaps(gold);
    // The gold map stays as it is while the slider moves.
    const drawn = [words, this.cell, this.most, room];
    if (gold && drawn.some((value, index) => value !== this.drawn?.[index])) {
      this.goldMap.show(words, gold, this.most, this.cell, room);
      this.drawn = drawn;
    }
    this.predMap.show(words, distances, this.most, this.cell, room);
  }

  // Two maps stand beside one another, unless a phone is too narrow for that.
  roomForMaps(both) {
    const whole = document.querySelector(".numbers").clientWidth;
    const half = Math.floor((whole - 33) / 2);
    return both && half >= 240 ? half : whole;
  }

  readOut() {
    const { words, distances } = this.shown;
    const box = byId("pair");
    if (!this.cell || !distances) {
      box.textContent = "Point at a square, or go to a map and press the arrow keys.";
      return;
    }
    const [row, column] = this.cell;
    const at = row * words.length + column;
    const gold = this.goldDistances ? `gold ${this.goldDistances[at]}, ` : "";
    box.textContent =
      `${shortened(words[row])} – ${shortened(words[column])}: ${gold}predicted ${distances[at].toFixed(1)}`;
  }

  fillTable() {
    const { words, gold, deprels, upos, heads, predDeprels, depths } = this.shown;
    byId("recovered-relation").hidden = !predDeprels;
    const { goldDepths } = this;
    const named = (head) => (head === 0 ? "root" : `${head} ${words[head - 1]}`);
    const rows = words.map((word, index) =>
      make(
        "tr",
        {},
        make("th", { scope: "row", class: "number" }, String(index + 1)),
        make("td", { dir: "auto" }, word),
        make("td", {}, upos ? upos[index] : "–"),
        make("td", {}, deprels ? deprels[index] : "–"),
        make("td", { dir: "auto" }, gold ? named(gold[index]) : "–"),
        make("td", { dir: "auto" }, heads[index] === index + 1 ? "–" : named(heads[index])),
        make("td", { hidden: !predDeprels }, predDeprels ? predDeprels[index] : "–"),
        make("td", { class: "number" }, goldDepths ? String(goldDepths[index]) : "–"),
        make("td", { class: "number" }, depths ? depths[index].toFixed(1) : "–"),
      ),
    );
    byId("word-rows").replaceChildren(...rows);
  }
}
