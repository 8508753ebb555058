// SPDX-License-Identifier: GPL-2.0-only
// What is shown: a search, outcomes, kernels, an order. It lives in the address, so that it can be
// sent to somebody.

const state = { q: "", outcomes: new Set(), kernels: new Set(), sort: "outcome", down: false };
const watchers = [];
let openKey = "";
let shown = [];
let shownSet = new Uint8Array(COUNT);
let words = null;

function haystack(c) {
  if (!words) words = new Array(CASES);
  return (words[c] ??= caseName(c).toLowerCase());
}

const messages = new Map();

function messageWords(i) {
  const number = C.m[i];
  if (!messages.has(number)) messages.set(number, text(number).toLowerCase());
  return messages.get(number);
}

const kernelWords = KERNELS.map((name) => name.toLowerCase());

function matches(i, terms) {
  if (state.outcomes.size && !state.outcomes.has(outcome(i))) return false;
  if (state.kernels.size && !state.kernels.has(kernel(i))) return false;
  return terms.every(
    (term) =>
      haystack(C.c[i]).includes(term) ||
      kernelWords[C.k[i]].includes(term) ||
      outcome(i) === term ||
      messageWords(i).includes(term)
  );
}

let casePlaces = null;

// Places of the cases in the order of their names, found once.
function caseOrder() {
  if (!casePlaces) {
    const names = Array.from({ length: CASES }, (_, c) => caseName(c));
    const sorted = names.map((_, c) => c).sort((a, b) => (names[a] < names[b] ? -1 : 1));
    casePlaces = new Int32Array(CASES);
    sorted.forEach((c, place_) => (casePlaces[c] = place_));
  }
  return casePlaces;
}

const ORDERS = {
  outcome: (a, b) => rank[C.o[a]] - rank[C.o[b]],
  case: (a, b) => caseOrder()[C.c[a]] - caseOrder()[C.c[b]],
  kernel: (a, b) => C.k[a] - C.k[b],
  time: (a, b) => C.d[b] - C.d[a],
};

function refresh() {
  const terms = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  shown = [];
  shownSet = new Uint8Array(COUNT);
  for (let i = 0; i < COUNT; i++) {
    if (matches(i, terms)) {
      shown.push(i);
      shownSet[i] = 1;
    }
  }
  const order = ORDERS[state.sort];
  const sign = state.down ? -1 : 1;
  shown.sort((a, b) => sign * order(a, b) || a - b);
  const all = shown.length === COUNT;
  byId("shown").textContent = all ? `${COUNT} results` : `${shown.length} of ${COUNT} results`;
  byId("reset").hidden = all && !state.q;
  for (const button of document.querySelectorAll("[data-outcome]")) {
    button.setAttribute("aria-pressed", String(state.outcomes.has(button.dataset.outcome)));
  }
  for (const button of document.querySelectorAll("[data-kernel]")) {
    button.setAttribute("aria-pressed", String(state.kernels.has(button.dataset.kernel)));
  }
  byId("only-bad").setAttribute("aria-pressed", String(onlyBad()));
  if (byId("search").value !== state.q) byId("search").value = state.q;
  writeHash();
  keepingFocus(() => {
    for (const watcher of watchers) watcher();
  });
}

// Lists are made anew: who stood on a result in one stands on it again, or on the first in there.
function keepingFocus(render) {
  const before = document.activeElement;
  const list = before?.closest?.("#results, #slowest, #history, #failures, #matrix");
  render();
  if (!list || before.isConnected) return;
  if (document.activeElement !== document.body) return;
  const same = before.dataset.open && list.querySelector(`[data-open="${before.dataset.open}"]`);
  const next = same || list.querySelector(".row-open, summary, button:not([hidden])");
  next?.focus({ preventScroll: !same });
}

const badOutcomes = () => D.outcomes.filter((name, n) => !D.good[n] || name === "flaky");

function onlyBad() {
  const bad = badOutcomes();
  return state.outcomes.size === bad.length && bad.every((name) => state.outcomes.has(name));
}

function toggleBad() {
  state.outcomes = onlyBad() ? new Set() : new Set(badOutcomes());
  refresh();
}

function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
  refresh();
}

function sortBy(name) {
  if (state.sort === name) state.down = !state.down;
  else Object.assign(state, { sort: name, down: false });
  refresh();
  say(`Sorted by ${name}${state.down ? ", reversed" : ""}`);
}

function writeHash() {
  const parts = new URLSearchParams();
  if (state.q) parts.set("q", state.q);
  if (state.outcomes.size) parts.set("o", [...state.outcomes].join(","));
  for (const name of state.kernels) parts.append("k", name);
  if (state.sort !== "outcome" || state.down) parts.set("s", (state.down ? "-" : "") + state.sort);
  if (openKey) parts.set("r", openKey);
  const wanted = parts.toString();
  if (wanted === location.hash.slice(1)) return;
  history.replaceState(null, "", wanted ? `#${wanted}` : location.pathname + location.search);
}

// Returns the number of the result that the address opens, or -1.
function readHash() {
  const parts = new URLSearchParams(location.hash.slice(1));
  state.q = parts.get("q") || "";
  state.outcomes = new Set((parts.get("o") || "").split(",").filter((o) => D.outcomes.includes(o)));
  state.kernels = new Set(parts.getAll("k").filter((name) => KERNELS.includes(name)));
  const sort = parts.get("s") || "outcome";
  state.down = sort.startsWith("-");
  state.sort = Object.hasOwn(ORDERS, sort.replace("-", "")) ? sort.replace("-", "") : "outcome";
  return parts.has("r") ? find(parts.get("r")) : -1;
}

// While somebody types, one refresh for each frame is enough.
let waiting = 0;
function refreshSoon() {
  if (!waiting) {
    waiting = requestAnimationFrame(() => {
      waiting = 0;
      refresh();
    });
  }
}

function setUpFilter() {
  const counts = new Map();
  for (let i = 0; i < COUNT; i++) counts.set(outcome(i), (counts.get(outcome(i)) || 0) + 1);
  const present = [...counts.keys()].sort((a, b) => RANK.indexOf(a) - RANK.indexOf(b));
  for (const name of present) {
    const press = () => toggle(state.outcomes, name);
    const button = el("button", { type: "button", class: `chip o-${name}`, onclick: press });
    button.dataset.outcome = name;
    put(button, [icon(name), el("b", {}, String(counts.get(name))), ` ${name}`]);
    byId("counts").append(button);
  }
  if (KERNELS.length > 1) {
    for (const name of KERNELS) {
      const press = () => toggle(state.kernels, name);
      const button = el("button", { type: "button", class: "chip", onclick: press }, name);
      button.dataset.kernel = name;
      byId("kernels").append(button);
    }
  }
  byId("search").addEventListener("input", (event) => {
    state.q = event.target.value;
    refreshSoon();
  });
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("only-bad").addEventListener("click", toggleBad);
  byId("only-bad").hidden = !present.some((name) => badOutcomes().includes(name));
  byId("reset").addEventListener("click", () => {
    Object.assign(state, { q: "", outcomes: new Set(), kernels: new Set() });
    refresh();
    byId("search").focus();
  });
  byId("filter").hidden = COUNT === 0;
}
