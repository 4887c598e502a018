// What the page carries: sentences as JSON, and of each run a packed block of numbers.

function readJson(id) {
  return JSON.parse(byId(id).textContent);
}

function bytesOf(base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// A treebank: its sentences, and where the numbers of each begin in a packed block.
class Bank {
  constructor({ sentences, edges, longest, name }) {
    Object.assign(this, { sentences, edges, longest, name, size: sentences.length });
    this.firstWord = [];
    this.firstPair = [];
    this.nWords = this.nPairs = 0;
    for (const { words } of sentences) {
      this.firstWord.push(this.nWords);
      this.firstPair.push(this.nPairs);
      this.nWords += words.length;
      if (words.length <= longest) this.nPairs += (words.length * (words.length - 1)) / 2;
    }
  }
}

// One run's predictions on a bank, unpacked when they are first asked for.
class Run {
  constructor(told, bank) {
    Object.assign(this, told);
    this.bank = bank;
    this.ready = null;
  }

  load() {
    this.ready ??= inflate(bytesOf(byId(this.block).textContent)).then((buffer) => {
      this.unpack(buffer);
      byId(this.block).remove(); // the packed text is not needed any more
    });
    return this.ready;
  }

  // In the order in which Python packs them: floats, then 16-bit, then 8-bit numbers.
  unpack(buffer) {
    const { size, nWords, nPairs } = this.bank;
    let at = 0;
    const take = (type, count) => {
      const found = new type(buffer, at, count);
      at += count * type.BYTES_PER_ELEMENT;
      return found;
    };
    if (this.distances) this.pairScale = take(Float32Array, 2 * size);
    if (this.depths) this.depthScale = take(Float32Array, 2 * size);
    this.right = take(Uint16Array, size);
    this.drawn = take(Uint16Array, size);
    this.heads = take(Uint16Array, nWords);
    if (this.relations.length) this.relationOf = take(Uint16Array, nWords);
    if (this.depths) this.depthBytes = take(Uint8Array, nWords);
    if (this.distances) this.pairBytes = take(Uint8Array, nPairs);
    this.loaded = true;
  }

  headsOf(index) {
    const first = this.bank.firstWord[index];
    return [...this.heads.subarray(first, first + this.bank.sentences[index].words.length)];
  }

  // The predicted relations or null where the run has none.
  relationsOf(index) {
    if (!this.relations.length) return null;
    const first = this.bank.firstWord[index];
    const places = this.relationOf.subarray(first, first + this.bank.sentences[index].words.length);
    return Array.from(places, (place) => this.relations[place]);
  }

  depthsOf(index) {
    if (!this.depths) return null;
    const first = this.bank.firstWord[index];
    const bytes = this.depthBytes.subarray(first, first + this.bank.sentences[index].words.length);
    return unscale(bytes, this.depthScale, index);
  }

  // Predicted distances as a whole matrix, row by row, or null where the page has none.
  distancesOf(index) {
    const n = this.bank.sentences[index].words.length;
    if (!this.distances || n > this.bank.longest) return null;
    const first = this.bank.firstPair[index];
    const bytes = this.pairBytes.subarray(first, first + (n * (n - 1)) / 2);
    const pairs = unscale(bytes, this.pairScale, index);
    const matrix = new Float32Array(n * n);
    let at = 0;
    for (let row = 0; row < n; row++) {
      for (let column = row + 1; column < n; column++, at++) {
        matrix[row * n + column] = matrix[column * n + row] = pairs[at];
      }
    }
    return matrix;
  }
}

function unscale(bytes, scale, index) {
  const [low, high] = [scale[2 * index], scale[2 * index + 1]];
  return Float32Array.from(bytes, (byte) => low + ((high - low) * byte) / 255);
}
