// SPDX-License-Identifier: GPL-2.0-only
// Keys, theme, and putting the page together.

const KEYS = [
  ["/", "search", () => byId("search").focus()],
  ["f", "failures only, or everything again", () => COUNT && toggleBad()],
  ["j", "next result (\u2193 in the table)", () => moveRow(1)],
  ["k", "previous result (\u2191 in the table)", () => moveRow(-1)],
  ["o", "sort by outcome; again: the other way round", () => sortBy("outcome")],
  ["n", "sort by name", () => sortBy("case")],
  ["t", "sort by time", () => sortBy("time")],
  ["e", "sort by kernel", () => sortBy("kernel")],
  ["m", "go to the matrix", () => byId("matrix").querySelector("canvas, button")?.focus()],
  ["c", "copy the command of the result that is open", copyOpen],
  ["d", "dark or light", switchTheme],
  ["?", "this help", openHelp],
];

function copyOpen() {
  const scope = byId("sheet").open ? byId("sheet") : document.activeElement?.closest(".failure");
  scope?.querySelector(".command .copy")?.click();
}

function openHelp() {
  const help = byId("help");
  const rows = [...KEYS, ["Enter", "open what has the focus"], ["Esc", "close; in the search: empty it"]];
  const list = rows.map(([key, what]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)));
  help.replaceChildren(
    el(
      "div",
      { class: "bar-top" },
      el("h2", { id: "help-title", tabindex: "-1" }, "Keys"),
      el("span", { class: "grow" }),
      el("button", { type: "button", class: "close", onclick: () => help.close() }, "Close")
    ),
    el("dl", { class: "keys" }, ...list)
  );
  if (!help.open) help.showModal();
  byId("help-title").focus();
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const target = event.target;
  if (target.matches?.("input, textarea, select")) {
    if (event.key === "Escape") {
      if (state.q) {
        state.q = "";
        refresh();
      } else target.blur();
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      moveRow(1);
      event.preventDefault();
    }
    return;
  }
  if (byId("help").open) return;
  if (byId("sheet").open) {
    if (event.key === "j" || event.key === "k") stepSheet(event.key === "j" ? 1 : -1);
    else if (event.key === "c") copyOpen();
    else return;
    event.preventDefault();
    return;
  }
  const inTable = target.closest?.("#results");
  if (inTable && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    moveRow(event.key === "ArrowDown" ? 1 : -1);
    event.preventDefault();
    return;
  }
  const found = KEYS.find(([key]) => key === event.key);
  if (found) {
    found[2]();
    event.preventDefault();
  }
}

// The theme: the system's, until somebody chooses.

const dark = window.matchMedia("(prefers-color-scheme: dark)");
let lay = [];

const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";

function showTheme() {
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
  for (const draw of lay) draw();
}

function switchTheme() {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  try {
    localStorage.setItem("kharness-theme", document.documentElement.dataset.theme);
  } catch {
    // A browser may refuse; the choice then holds for this page.
  }
  showTheme();
}

function setUpTheme() {
  try {
    const kept = localStorage.getItem("kharness-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch {
    // As above.
  }
  byId("theme").hidden = byId("help-open").hidden = false;
  byId("theme").addEventListener("click", switchTheme);
  byId("help-open").addEventListener("click", openHelp);
  dark.addEventListener("change", showTheme);
}

function start() {
  byId("unscripted").remove();
  const about = document.querySelector(".about");
  if (about && innerWidth < 620) about.open = false;
  setUpTheme();
  setUpFilter();
  const matrixLay = setUpMatrix();
  setUpFailures();
  setUpResults();
  setUpSlowest();
  const timelineLay = setUpTimeline();
  setUpHistory();
  setUpSheet();
  lay = [matrixLay, timelineLay].filter(Boolean);
  const asked = readHash();
  readColours();
  refresh();
  showTheme();
  if (asked >= 0) openSheet(asked);
  window.addEventListener("hashchange", () => {
    const i = readHash();
    refresh();
    if (i >= 0) openSheet(i);
    else if (byId("sheet").open) byId("sheet").close();
  });
  document.addEventListener("keydown", onKey);
  document.documentElement.dataset.ready = "yes";
  performance.mark("kharness-ready");
}

start();
