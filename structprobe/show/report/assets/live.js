// The live page: sends what is typed, and shows what comes back layer by layer.

class Live {
  constructor() {
    this.view = new SentenceView();
    this.slider = byId("layer");
    this.found = null;
    this.at = Number(this.slider.value);
    byId("type").addEventListener("submit", (event) => {
      event.preventDefault();
      this.parse();
    });
    this.slider.addEventListener("input", () => {
      this.at = Number(this.slider.value);
      this.draw();
    });
  }

  async parse() {
    const text = byId("text").value;
    this.say("Parsing …");
    this.asked = (this.asked || 0) + 1;
    const asked = this.asked;
    let found;
    try {
      const response = await fetch("parse", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ text }),
      });
      found = await response.json();
    } catch {
      found = { error: "the server does not answer; it may have been stopped" };
    }
    if (asked !== this.asked) return; // a later question is on its way
    if (found.error) {
      this.say(`Not parsed: ${found.error}.`);
      return;
    }
    this.found = found;
    const { runs } = found;
    this.slider.max = runs.length - 1;
    this.slider.disabled = runs.length < 2;
    byId("shown").hidden = false;
    this.draw();
  }

  draw() {
    const run = this.found.runs[this.at];
    const { words } = this.found;
    this.slider.value = this.at;
    this.slider.setAttribute("aria-valuetext", run.name);
    byId("run-name").textContent = run.name;
    this.view.show({
      words, gold: null, deprels: null, upos: null, heads: run.heads,
      predDeprels: run.deprels || null, depths: run.depths, distances: Float32Array.from(run.distances),
    });
    const count = words.length === 1 ? "1 word" : `${words.length} words`;
    this.say(`${run.name}: ${count}, the root is ${shortened(words[rootOf(run.heads)])}`);
    document.documentElement.dataset.parsed = this.asked;
  }

  say(text) {
    byId("status").textContent = text;
  }
}

new Live().parse();
