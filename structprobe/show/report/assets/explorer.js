// The explorer: which sentence, which run, and what happens when either changes.

class Explorer {
  constructor(told) {
    const banks = told.banks.map((bank) => new Bank(bank));
    this.series = told.series.map((series) => ({
      ...series,
      runs: series.runs.map((run) => new Run(run, banks[series.bank])),
    }));
    this.slider = byId("layer");
    this.view = new SentenceView();
    this.search = new Search((index) => this.choose(index), () => this.refresh());
    this.slider.addEventListener("input", () => this.toRun(Number(this.slider.value)));
    byId("previous").addEventListener("click", () => this.step(-1));
    byId("next").addEventListener("click", () => this.step(1));
    byId("series")?.addEventListener("change", (event) => this.toSeries(Number(event.target.value)));
    for (const link of document.querySelectorAll("a[data-sentence]")) {
      link.addEventListener("click", () => this.follow(link.dataset));
    }
  }

  get run() {
    return this.chosen.runs[this.at];
  }

  async start() {
    await this.toSeries(0);
    for (const { runs } of this.series) for (const run of runs) await run.load();
    this.drawBars();
    document.documentElement.dataset.ready = "all";
  }

  async toSeries(number, at) {
    const bank = this.chosen?.runs[0].bank;
    this.chosen = this.series[number];
    this.at = at ?? this.chosen.best;
    this.slider.max = this.chosen.runs.length - 1;
    this.slider.disabled = this.chosen.runs.length < 2;
    this.fitSlider(this.chosen.runs.length);
    if (byId("series")) byId("series").value = number;
    await this.run.load();
    if (bank !== this.run.bank) {
      this.search.offer(this.run.bank);
      this.sentence = null;
    }
    this.refresh();
  }

  // Puts the stops of the slider under the middles of the bars; its thumb is 16 pixels wide.
  fitSlider(count) {
    this.slider.style.width = `calc(${(100 * (count - 1)) / count}% + 16px)`;
    this.slider.style.marginInlineStart = `calc(${50 / count}% - 8px)`;
  }

  async toRun(at) {
    this.at = at;
    await this.run.load();
    if (this.at !== at) return; // the slider has gone on in the meantime
    this.draw();
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.refresh(), 250);
  }

  // Finds anew; the sentence that is shown stays where it is among what is found.
  refresh() {
    const found = this.search.find(this.run);
    const all = this.run.bank.size;
    if (!found.includes(this.sentence)) this.sentence = found[0] ?? this.sentence ?? (all ? 0 : null);
    this.search.show(this.run, this.sentence);
    this.pale(!found.length);
    this.draw();
  }

  // Where nothing is found, the sentence that was shown before stays, pale and out of reach.
  pale(none) {
    byId("tree").closest(".view").classList.toggle("none", none);
    for (const part of document.querySelectorAll(".view > :is(.key, #tree, .numbers, #as-table)")) {
      part.inert = none;
    }
  }

  choose(index) {
    this.sentence = index;
    this.search.mark(index);
    this.draw();
  }

  step(by) {
    const { found } = this.search;
    const at = found.indexOf(this.sentence);
    if (found.length) this.choose(found[(at + by + found.length) % found.length]);
  }

  async follow({ sentence, series, run }) {
    this.search.form.reset();
    this.sentence = Number(sentence);
    await this.toSeries(Number(series), Number(run));
  }

  draw() {
    const { run, sentence } = this;
    const { words, heads: gold, deprels, upos, id } = run.bank.sentences[sentence];
    this.slider.value = this.at;
    this.slider.setAttribute("aria-valuetext", run.name);
    byId("run-name").textContent = run.name;
    const compared = this.view.show({
      words, gold, deprels, upos,
      heads: run.headsOf(sentence),
      predDeprels: run.relationsOf(sentence),
      depths: run.depthsOf(sentence),
      distances: run.distancesOf(sentence),
    });
    this.tell(run, sentence, compared, id);
    this.drawBars();
  }

  tell(run, sentence, compared, id) {
    const { found } = this.search;
    const edges = run.bank.edges[sentence];
    const place = found.indexOf(sentence) + 1;
    byId("sentence-id").textContent = id || `sentence ${sentence + 1}`;
    byId("place").textContent = place ? `${place} of ${found.length}` : "not among the sentences found";
    if (!found.length) {
      byId("sentence-id").textContent = "";
      byId("place").textContent = "no sentence found";
    }
    const { gold, pred, right, marked, differing } = compared;
    const counts = {
      right: `${right} right`,
      differing: `*: ${differing} of these with wrong direction or relation`,
      wrong: `${pred.length - right} wrong`,
      missed: `${gold.length - right} missed`,
    };
    for (const [name, text] of Object.entries(counts)) {
      const entry = byId(`n-${name}`); // there is no key without gold trees
      if (entry) entry.textContent = text;
      if (entry && name === "differing") entry.closest("li").hidden = !marked;
    }
    const score = edges
      ? `${run.right[sentence]} of ${edges} scored edges right (UUAS ${perCent(run.right[sentence], edges)})`
      : "no scored edges in this sentence";
    byId("status").textContent = !found.length
      ? `${run.name}: no sentence found; the previous one is shown below.`
      : `${run.name}: ${score}${edges ? tellDrawn(run, sentence) : ""}`;
  }

  // A bar a run: how this sentence fares along the slider.
  drawBars() {
    const { runs } = this.chosen;
    const edges = this.run.bank.edges[this.sentence];
    const bars = runs.map((run, index) => {
      const share = run.loaded && edges ? run.right[this.sentence] / edges : 0;
      const height = Math.max(1, 30 * share);
      return draw("rect", {
        x: index + 0.12, width: 0.76, y: 31 - height, height,
        class: index === this.at ? "here" : null,
      });
    });
    byId("bars").setAttribute("viewBox", `0 0 ${runs.length} 32`);
    byId("bars").replaceChildren(...bars);
  }
}

// The score decodes anew over the words that it keeps, and may find another tree than is drawn.
function tellDrawn({ right, drawn }, sentence) {
  if (drawn[sentence] === right[sentence]) return "";
  return (
    `. The tree drawn, over all words, has ${drawn[sentence]} of them; ` +
    "UUAS decodes a tree over the scored words alone."
  );
}
