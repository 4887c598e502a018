// Making elements. Data becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children);
  return made;
}

function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// Shortens what is too long for a line in its middle, by whole characters.
function shortened(text, most = 40) {
  const letters = [...text];
  if (letters.length <= most) return text;
  const kept = Math.floor((most - 1) / 2);
  return `${letters.slice(0, kept).join("")}…${letters.slice(-kept).join("")}`;
}

function perCent(part, whole) {
  return whole ? ((100 * part) / whole).toFixed(0) + "%" : "–";
}
