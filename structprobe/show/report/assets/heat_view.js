// Distances between words as maps of squares, gold beside predicted on one scale.

const HEAT = { most: 30, least: 4, font: 12, labels: 120, letters: 24, room: 440 };

// The colours of the scale, near to far, by the scheme that the system asks for.
function heatColours(count) {
  const style = getComputedStyle(document.documentElement);
  const stops = ["--near", "--middle", "--far"].map((name) => rgb(style.getPropertyValue(name)));
  return Array.from({ length: count }, (_, index) => {
    const at = (2 * index) / Math.max(1, count - 1);
    const [one, other] = at < 1 ? [stops[0], stops[1]] : [stops[1], stops[2]];
    const share = at < 1 ? at : at - 1;
    return one.map((value, channel) => value + share * (other[channel] - value));
  });
}

function rgb(text) {
  const hex = text.trim().slice(1);
  return [0, 2, 4].map((start) => parseInt(hex.slice(start, start + 2), 16));
}

// A map that keeps what it shows, so that a pointer or the arrow keys can ask for one cell.
class HeatMap {
  constructor(canvas, name, onPoint) {
    Object.assign(this, { canvas, name, values: null, words: [], cell: null });
    canvas.addEventListener("pointermove", (event) => this.point(event, onPoint));
    canvas.addEventListener("pointerdown", (event) => this.point(event, onPoint));
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      if (!step[event.key] || !this.values) return;
      event.preventDefault();
      const n = this.words.length;
      const [down, right] = step[event.key];
      const onwards = this.mirrored ? -right : right;
      const [row, column] = this.cell || [0, -onwards];
      const clamp = (value) => Math.min(n - 1, Math.max(0, value));
      onPoint([clamp(row + down), clamp(column + onwards)]);
    });
  }

  // Which place from the left a column has, and which column a place: as the tree reads.
  across(column) {
    return this.mirrored ? this.words.length - 1 - column : column;
  }

  point(event, onPoint) {
    if (!this.values) return;
    const box = this.canvas.getBoundingClientRect();
    const scale = this.width / box.width;
    const column = Math.floor(((event.clientX - box.left) * scale - this.left) / this.size);
    const row = Math.floor(((event.clientY - box.top) * scale - this.top) / this.size);
    const n = this.words.length;
    if (row >= 0 && column >= 0 && row < n && column < n) onPoint([row, this.across(column)]);
  }

  // `values` are (n, n) row by row; NaN stays blank. `room` is how wide the map may be in pixels.
  show(words, values, most, cell, room) {
    Object.assign(this, { words, values, most, cell, mirrored: isRightToLeft(words) });
    this.labels = words.map((word) => shortened(word, HEAT.letters));
    const n = words.length;
    const context = this.canvas.getContext("2d");
    const labelled = HEAT.room / n >= HEAT.font * 0.8;
    context.font = `${HEAT.font}px ${FONT}`;
    const longest = Math.max(...this.labels.map((word) => context.measureText(word).width));
    const space = labelled ? Math.min(HEAT.labels, Math.ceil(longest)) + 8 : 2;
    this.size = Math.max(HEAT.least, Math.min(HEAT.most, Math.floor(Math.min(HEAT.room, room - space - 2) / n)));
    this.left = this.top = space;
    this.width = space + n * this.size + 2;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = this.canvas.height = Math.round(this.width * ratio);
    this.canvas.style.width = `${this.width}px`;
    context.scale(ratio, ratio);
    this.squares(context, heatColours(64));
    if (labelled) this.label(context, space);
    this.caption(labelled);
    if (cell) this.frame(context, cell);
    this.canvas.setAttribute("aria-label", this.told());
  }

  squares(context, colours) {
    const n = this.words.length;
    const image = context.createImageData(n, n);
    for (let index = 0; index < n * n; index++) {
      const value = this.values[index];
      if (Number.isNaN(value)) continue;
      const place = Math.min(63, Math.max(0, Math.round((63 * value) / this.most)));
      const pixel = 4 * (index - (index % n) + this.across(index % n));
      for (let channel = 0; channel < 3; channel++) {
        image.data[pixel + channel] = colours[place][channel];
      }
      image.data[pixel + 3] = 255;
    }
    const small = document.createElement("canvas");
    small.width = small.height = n;
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, this.left, this.top, n * this.size, n * this.size);
  }

  label(context, space) {
    const style = getComputedStyle(this.canvas);
    context.font = `${HEAT.font}px ${FONT}`;
    context.fillStyle = style.color;
    context.textAlign = "right";
    context.textBaseline = "middle";
    this.labels.forEach((word, index) => {
      const middle = this.size * (index + 0.5);
      context.fillText(word, this.left - 5, this.top + middle, space - 6);
      context.save();
      context.translate(this.left + this.size * (this.across(index) + 0.5), this.top - 5);
      context.rotate(Math.PI / 2);
      context.fillText(word, 0, 0, space - 6);
      context.restore();
    });
  }

  caption(labelled) {
    const caption = this.canvas.closest("figure")?.querySelector("figcaption");
    const without = " (too many words for labels; point at a square for its two words)";
    if (caption) caption.textContent = `${this.name} distances${labelled ? "" : without}`;
  }

  frame(context, [row, column]) {
    context.strokeStyle = getComputedStyle(this.canvas).color;
    context.lineWidth = 2;
    const [x, y] = [this.left + this.across(column) * this.size, this.top + row * this.size];
    context.strokeRect(x + 1, y + 1, this.size - 2, this.size - 2);
  }

  told() {
    return `${this.name} distances between all words of “${this.words.join(" ")}”; arrow keys read single pairs`;
  }

  clear() {
    this.values = null;
    this.canvas.width = this.canvas.height = 0;
  }
}
