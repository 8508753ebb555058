// SPDX-License-Identifier: GPL-2.0-only
// Making elements. Text goes in as text; there is no way here for it to become markup.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

function put(parent, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === "") continue;
    parent.append(child);
  }
  return parent;
}

// Properties are attributes, but for onclick and the like.
function el(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (typeof value === "function") made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(key, value === true ? "" : value);
  }
  return put(made, children);
}

function svg(tag, properties, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(properties || {})) made.setAttribute(key, value);
  return put(made, children);
}

// Shapes in a box of 16: an outcome is never told by colour alone.
const ROUND = "M14 8A6 6 0 1 1 2 8A6 6 0 1 1 14 8";
const SHAPES = {
  pass: { line: ["M3 8.5L6.5 12L13 4.5"] },
  fail: { line: ["M3.5 3.5L12.5 12.5M12.5 3.5L3.5 12.5"] },
  skip: { line: ["M3.5 8H12.5"] },
  xfail: { line: [ROUND, "M5.8 5.8L10.2 10.2M10.2 5.8L5.8 10.2"] },
  xpass: { line: [ROUND, "M5.2 8.3L7.2 10.3L10.8 5.8"] },
  crash: { solid: ["M9.6 0.8L3.2 9H7L5.8 15.2L12.8 6.6H8.8Z"] },
  timeout: { line: [ROUND, "M8 4.6V8L10.4 9.6"] },
  error: { line: ["M8 2L14.5 13.8H1.5Z", "M8 6.4V9.8M8 11.4V12"] },
  flaky: { line: ["M1.5 9C3 4 5 4 6.4 8S9.6 12.5 14.5 5.5"] },
};

function icon(name) {
  const shape = SHAPES[name] || SHAPES.error;
  const parts = (shape.line || []).map((d) => svg("path", { d, class: "line" }));
  const solid = (shape.solid || []).map((d) => svg("path", { d, class: "solid" }));
  return svg(
    "svg",
    { viewBox: "0 0 16 16", class: `icon o-${name}`, "aria-hidden": "true" },
    ...parts,
    ...solid
  );
}

function badge(name) {
  return el("span", { class: `badge o-${name}` }, icon(name), name);
}

function say(words) {
  byId("said").textContent = words;
}

function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

// Where the clipboard is refused, the text is selected and copied the old way.
async function copyFrom(element, button) {
  let done = false;
  try {
    await navigator.clipboard.writeText(element.textContent);
    done = true;
  } catch {
    select(element);
    done = document.execCommand("copy");
  }
  if (!done) select(element);
  const words = done ? "Copied" : "Selected: press Ctrl-C";
  button.textContent = words;
  say(words);
}

function command(words) {
  const code = el("code", {}, words);
  const button = el("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", () => copyFrom(code, button));
  return el("div", { class: "command" }, code, button);
}

// A folder and file names below the run folder, and nothing else, become a link.
function link(path, words) {
  const parts = path.split("/");
  const safe = path && !parts.some((part) => part === "" || part === "." || part === "..");
  if (!safe) return el("span", {}, `${words || path}`);
  const base = D.base ? `${D.base.split("/").map(encodeURIComponent).join("/")}/` : "./";
  const href = base + parts.map(encodeURIComponent).join("/");
  return el("a", { href, rel: "noreferrer" }, words || path);
}

const RED_MOTION = window.matchMedia("(prefers-reduced-motion: reduce)");
const behavior = () => (RED_MOTION.matches ? "auto" : "smooth");
