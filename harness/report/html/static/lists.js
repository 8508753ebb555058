// SPDX-License-Identifier: GPL-2.0-only
// Failures, the slowest cases, and the sheet with everything about one result.

const FAILURES_AT_ONCE = 25;
const SLOWEST = 12;

function failureView(i, open) {
  const summary = el(
    "summary",
    { "data-open": String(i) },
    badge(outcome(i)),
    el("h3", {}, title(i), " ", el("span", { class: "on" }, `on ${kernel(i)}`)),
    el("span", { class: "time" }, seconds(C.d[i])),
    el("span", { class: "says" }, message(i))
  );
  const box = el("details", { class: `failure o-${outcome(i)}`, id: `failure-${i}` }, summary);
  let made = false;
  const make = () => {
    if (made || !box.open) return;
    made = true;
    box.append(el("p", { class: "note path" }, node(i)), detailView(i, 4));
  };
  box.addEventListener("toggle", make);
  if (open) {
    box.open = true;
    make();
  }
  return box;
}

// As the headline counts: what passed in the end is shown here, and is no failure.
function failuresTitle(mine, bad) {
  const flaky = (list) => list.filter(isGood).length;
  const failed = (list) => list.length - flaky(list);
  const share = (part, all) => (mine.length === bad.length ? all : `${part} of ${all}`);
  if (!flaky(bad)) return `Failures (${share(mine.length, bad.length)})`;
  return (
    `Failures (${share(failed(mine), failed(bad))})` +
    ` and what is flaky (${share(flaky(mine), flaky(bad))})`
  );
}

function setUpFailures() {
  const bad = [];
  for (let i = 0; i < COUNT; i++) if (isTrouble(i)) bad.push(i);
  if (!COUNT) return;
  byId("s-failures").hidden = false;
  const box = byId("failures");
  if (!bad.length) {
    box.append(el("p", { class: "none" }, icon("pass"), "There is none."));
    return;
  }
  let limit = FAILURES_AT_ONCE;
  const list = el("div", { class: "failure-list" });
  const more = el("button", { type: "button" });
  box.append(list, more);
  let before = "";
  const render = () => {
    const mine = shown.filter(isTrouble);
    const part = mine.slice(0, limit);
    byId("h-failures").textContent = failuresTitle(mine, bad);
    more.hidden = mine.length <= limit;
    more.textContent = `Show ${Math.min(FAILURES_AT_ONCE, mine.length - limit)} more of ${mine.length}`;
    const key = part.join();
    if (key === before && list.childElementCount) return;
    before = key;
    const opened = new Set([...list.querySelectorAll("details.failure[open]")].map((d) => d.id));
    const first = !list.childElementCount;
    list.replaceChildren(
      ...part.map((i, n) => failureView(i, opened.has(`failure-${i}`) || (first && n === 0)))
    );
    if (!part.length) list.append(el("p", { class: "none" }, "None among what is shown."));
  };
  more.addEventListener("click", () => {
    const next = limit;
    limit += FAILURES_AT_ONCE;
    render();
    list.children[next]?.querySelector("summary").focus();
  });
  watchers.push(render);
}

function setUpSlowest() {
  if (!COUNT) return;
  byId("s-slowest").hidden = false;
  const render = () => {
    const top = [...shown].sort((a, b) => C.d[b] - C.d[a] || a - b).slice(0, SLOWEST);
    const most = Math.max(1, ...top.map((i) => C.d[i]));
    const items = top.map((i) => {
      const bar = el("span", { class: `bar o-${outcome(i)}` });
      bar.style.width = `${Math.max(0.5, (100 * C.d[i]) / most)}%`;
      return el(
        "li",
        {},
        el(
          "button",
          { type: "button", class: "row-open", "data-open": String(i), onclick: (event) => openSheet(i, event.currentTarget) },
          icon(outcome(i)),
          el("span", { class: "unseen" }, `${outcome(i)}: `),
          el("span", { class: "name" }, title(i)),
          el("span", { class: "on" }, kernel(i))
        ),
        el("span", { class: "time" }, seconds(C.d[i])),
        el("span", { class: "track", "aria-hidden": "true" }, bar)
      );
    });
    byId("slowest").replaceChildren(el("ol", { class: "bars" }, ...items));
  };
  watchers.push(render);
}

// The sheet

let sheetAt = -1;
let sheetFirst = -1;
let sheetFrom = null;
let sheetBefore = null;

function openSheet(i, from) {
  const sheet = byId("sheet");
  hideTip();
  sheetAt = i;
  if (from) sheetFrom = from;
  openKey = `${node(i)}@${kernel(i)}`;
  const place_ = shown.indexOf(i);
  const go = (step) => el(
    "button",
    {
      type: "button",
      disabled: place_ < 0 || shown[place_ + step] === undefined,
      onclick: () => stepSheet(step),
    },
    step < 0 ? "Previous" : "Next"
  );
  const close = el("button", { type: "button", class: "close", onclick: () => sheet.close() }, "Close");
  const others = KERNELS.map((name, k) => [name, at(C.c[i], k)]).filter(([, j]) => j >= 0 && j !== i);
  sheet.replaceChildren(
    el("div", { class: "bar-top" }, go(-1), go(1), el("span", { class: "grow" }), close),
    el(
      "div",
      { class: "sheet-body" },
      el("h2", { id: "sheet-title", tabindex: "-1" }, badge(outcome(i)), " ", title(i), " ", el("span", { class: "on" }, `on ${kernel(i)}`)),
      el("p", { class: "note path" }, node(i)),
      others.length
        ? el(
            "p",
            { class: "others" },
            "Elsewhere: ",
            others.map(([name, j]) =>
              el("button", { type: "button", class: "chip", onclick: () => openSheet(j) }, badge(outcome(j)), ` ${name}`)
            )
          )
        : null,
      detailView(i, 3)
    )
  );
  if (!sheet.open) {
    sheetFirst = i;
    sheetBefore = document.activeElement;
    sheet.showModal();
  }
  sheet.scrollTop = 0;
  byId("sheet-title").focus();
  writeHash();
}

function stepSheet(step) {
  const place_ = shown.indexOf(sheetAt);
  const next = place_ < 0 ? undefined : shown[place_ + step];
  if (next !== undefined) openSheet(next);
}

function setUpSheet() {
  byId("sheet").addEventListener("close", () => {
    openKey = "";
    writeHash();
    // The event comes a moment after the end: who has gone elsewhere meanwhile stays there.
    const gone = ![document.body, sheetBefore].includes(document.activeElement);
    // Who went on from a row in the table is at the row of what was seen last.
    const row = !gone && sheetAt !== sheetFirst && sheetFrom?.closest("#results");
    if (!(row && focusRow(sheetAt)) && sheetFrom?.isConnected && !gone) sheetFrom.focus();
    sheetFrom = sheetBefore = null;
  });
  for (const id of ["sheet", "help"]) {
    // A click beside it closes it.
    byId(id).addEventListener("click", (event) => {
      if (event.target === byId(id)) byId(id).close();
    });
  }
}
