// Which sentences are meant: by word, relation and score, and in which order.

const AT_ONCE = 60; // entries of the list that are made at a time

class Search {
  constructor(onChoice, onChange) {
    this.onChoice = onChoice;
    this.form = byId("search");
    this.list = byId("found");
    this.more = byId("more");
    this.found = [];
    this.form.addEventListener("input", () => onChange());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(onChange));
    this.more.addEventListener("click", () => {
      const first = this.list.children.length;
      this.extend();
      this.list.children[first].querySelector("button").focus();
    });
    this.list.addEventListener("keydown", (event) => this.walk(event));
  }

  // Fills the choice of relations with those of a bank, the most frequent first.
  offer(bank) {
    const counts = new Map();
    for (const { deprels } of bank.sentences) {
      for (const one of deprels || []) {
        counts.set(baseRelation(one), (counts.get(baseRelation(one)) || 0) + 1);
      }
    }
    const names = [...counts].sort((a, b) => b[1] - a[1]);
    const select = byId("deprel");
    select.replaceChildren(make("option", { value: "" }, "any relation"));
    for (const [name, count] of names) {
      select.append(make("option", { value: name }, `${name} (${count.toLocaleString("en")})`));
    }
    select.disabled = !names.length;
  }

  // The sentences of a run that are asked for, as their numbers in order.
  find(run) {
    const { word, deprel, low, high, order } = this.asked();
    const { sentences, edges } = run.bank;
    const share = (index) => (edges[index] ? run.right[index] / edges[index] : null);
    const bounded = low > 0 || high < 100;
    const found = [];
    sentences.forEach((sentence, index) => {
      sentence.lower ??= ` ${sentence.words.join(" ").toLowerCase()} `;
      if (word && !sentence.lower.includes(word)) return;
      if (deprel && !(sentence.deprels || []).some((one) => baseRelation(one) === deprel)) return;
      if (bounded) {
        const score = share(index);
        if (score === null || 100 * score < low || 100 * score > high) return;
      }
      found.push(index);
    });
    if (order !== "text") {
      const turn = order === "worst" ? 1 : -1;
      // Without an edge to be right or wrong at the end; of equal ones the longer first.
      const value = (index) => share(index) ?? turn * 2;
      found.sort((a, b) => turn * (value(a) - value(b)) || edges[b] - edges[a] || a - b);
    }
    this.found = found;
    return found;
  }

  asked() {
    const value = (name) => this.form.elements[name].value;
    const bound = (name, otherwise) => (value(name) === "" ? otherwise : Number(value(name)));
    return {
      word: value("word").trim().toLowerCase(),
      deprel: value("deprel"),
      low: bound("low", 0),
      high: bound("high", 100),
      order: value("order"),
    };
  }

  show(run, current) {
    const total = run.bank.size.toLocaleString("en");
    byId("count").textContent = `${this.found.length.toLocaleString("en")} of ${total} sentences`;
    byId("hint").hidden = Boolean(this.found.length) || !this.asked().word;
    this.run = run;
    this.list.replaceChildren();
    this.extend();
    this.mark(current);
  }

  extend() {
    const { sentences, edges } = this.run.bank;
    const first = this.list.children.length;
    for (const index of this.found.slice(first, first + AT_ONCE)) {
      const button = make(
        "button",
        { type: "button", "data-index": index },
        make("span", { class: "score" }, perCent(this.run.right[index], edges[index])),
        make("span", { class: "text", dir: "auto" }, sentences[index].words.join(" ")),
      );
      button.addEventListener("click", () => this.onChoice(index));
      this.list.append(make("li", {}, button));
    }
    this.more.hidden = this.list.children.length >= this.found.length;
  }

  mark(current) {
    // A step may lead beyond what the list shows so far.
    const place = this.found.indexOf(current);
    while (place >= this.list.children.length) this.extend();
    for (const { firstChild: button } of this.list.children) {
      const chosen = Number(button.dataset.index) === current;
      if (chosen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (chosen) this.reveal(button);
    }
  }

  // Scrolls the list, and never the page, to an entry.
  reveal({ offsetTop, offsetHeight }) {
    const { list } = this;
    const top = offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = top - list.clientHeight / 2;
    }
  }

  // Up and down go from entry to entry.
  walk(event) {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const entry = event.target.closest("li");
    if (!step || !entry) return;
    event.preventDefault();
    entry[step]?.firstChild.focus();
  }
}
