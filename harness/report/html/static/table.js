// SPDX-License-Identifier: GPL-2.0-only
// All results, a page at a time, and the matrix as a table for those who cannot see the picture.

const PAGE = 50;
const results = { page: 0, focusRow: -1 };

function pager(pageCount, page, go, label) {
  if (pageCount < 2) return null;
  const button = (words, target, off) =>
    el("button", { type: "button", disabled: off, onclick: () => go(target) }, words);
  return el(
    "nav",
    { class: "pager", "aria-label": label },
    button("First", 0, page === 0),
    button("Previous", page - 1, page === 0),
    el("span", {}, `page ${page + 1} of ${pageCount}`),
    button("Next", page + 1, page >= pageCount - 1),
    button("Last", pageCount - 1, page >= pageCount - 1)
  );
}

function sortHeader(name, label) {
  const sorted = state.sort === name;
  const order = sorted ? (state.down ? "descending" : "ascending") : null;
  const sign = sorted ? (state.down ? " \u25b2" : " \u25bc") : "";
  return el(
    "th",
    { scope: "col", "aria-sort": order, class: `c-${name}` },
    el(
      "button",
      { type: "button", "data-sort": name, onclick: () => sortBy(name) },
      label,
      el("span", { class: "sign", "aria-hidden": "true" }, sign)
    )
  );
}

function resultRow(i) {
  const open = (event) => openSheet(i, event.currentTarget);
  return el(
    "tr",
    { "data-result": String(i) },
    el("td", { class: "c-outcome" }, badge(outcome(i))),
    el(
      "td",
      { class: "c-case" },
      el("button", { type: "button", class: "row-open", "data-open": String(i), onclick: open }, title(i)),
      el("span", { class: "path" }, group(i)),
      message(i) ? el("span", { class: "says" }, message(i)) : null
    ),
    el("td", { class: "c-kernel" }, kernel(i)),
    el("td", { class: "c-time" }, seconds(C.d[i]))
  );
}

function renderResults() {
  const pages = Math.max(1, Math.ceil(shown.length / PAGE));
  results.page = Math.min(results.page, pages - 1);
  const from = results.page * PAGE;
  const part = shown.slice(from, from + PAGE);
  const active = document.activeElement?.dataset?.sort;
  const turn = (page) => {
    results.page = page;
    renderResults();
    byId("h-results").scrollIntoView({ block: "start", behavior: behavior() });
    byId("results").querySelector("tbody button")?.focus({ preventScroll: true });
  };
  const range = part.length ? `, ${from + 1} to ${from + part.length}` : "";
  const table = el(
    "table",
    { class: "results", "aria-rowcount": String(shown.length + 1) },
    el("caption", { class: "unseen" }, `Results${range} of ${shown.length}`),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        sortHeader("outcome", "Outcome"),
        sortHeader("case", "Case"),
        sortHeader("kernel", "Kernel"),
        sortHeader("time", "Time")
      )
    ),
    el("tbody", {}, ...part.map(resultRow))
  );
  byId("results").replaceChildren(table);
  if (!part.length) byId("results").append(el("p", { class: "none" }, "Nothing matches."));
  const pages_ = pager(pages, results.page, turn, "Pages of results");
  if (pages_) byId("results").append(pages_);
  if (active) byId("results").querySelector(`[data-sort="${active}"]`)?.focus();
}

// Down or up a row; over the edge, a page.
function moveRow(step) {
  const rows = [...byId("results").querySelectorAll("tbody .row-open")];
  if (!rows.length) return;
  let next = rows.indexOf(document.activeElement) + step;
  if (rows.indexOf(document.activeElement) < 0) next = step > 0 ? 0 : rows.length - 1;
  const pages = Math.ceil(shown.length / PAGE);
  if (next >= rows.length && results.page < pages - 1) {
    results.page++;
    renderResults();
    next = 0;
  } else if (next < 0 && results.page > 0) {
    results.page--;
    renderResults();
    next = PAGE - 1;
  }
  const now = [...byId("results").querySelectorAll("tbody .row-open")];
  const row = now[Math.max(0, Math.min(next, now.length - 1))];
  row.focus({ preventScroll: true });
  row.closest("tr").scrollIntoView({ block: "nearest" });
}

// The row of a result, on whatever page it is; false when it is not shown.
function focusRow(i) {
  const place_ = shown.indexOf(i);
  if (place_ < 0) return false;
  results.page = Math.floor(place_ / PAGE);
  renderResults();
  const row = byId("results").querySelector(`[data-open="${i}"]`);
  row.focus({ preventScroll: true });
  row.closest("tr").scrollIntoView({ block: "nearest" });
  return true;
}

function setUpResults() {
  if (!COUNT) return;
  byId("s-results").hidden = false;
  let before = null;
  watchers.push(() => {
    const key = [state.q, [...state.outcomes], [...state.kernels], state.sort, state.down].join("|");
    if (before !== null && key !== before) results.page = 0;
    before = key;
    renderResults();
  });
}

// Returns what renders it; nothing is made before it is asked for.
function matrixTable(box) {
  let page = 0;
  const render = () => {
    const cases = [...new Set(matrix.order.filter((c) => KERNELS.some((_, k) => at(c, k) >= 0 && shownSet[at(c, k)])))];
    const pages = Math.max(1, Math.ceil(cases.length / PAGE));
    page = Math.min(page, pages - 1);
    const part = cases.slice(page * PAGE, (page + 1) * PAGE);
    const cell = (c, k) => {
      const i = at(c, k);
      if (i < 0) return el("td", {}, el("span", { class: "hole" }, "no result"));
      const open = (event) => openSheet(i, event.currentTarget);
      return el("td", {}, el("button", { type: "button", class: "row-open", "data-open": String(i), onclick: open }, badge(outcome(i))));
    };
    const bodies = [];
    let file = null;
    for (const c of part) {
      if (D.groups[c] !== file) {
        file = D.groups[c];
        const span = String(KERNELS.length + 1);
        const head = el("th", { colspan: span, scope: "rowgroup", class: "file" }, text(file) || "no file");
        bodies.push(el("tbody", {}, el("tr", {}, head)));
      }
      bodies[bodies.length - 1].append(
        el("tr", {}, el("th", { scope: "row" }, text(D.titles[c])), ...KERNELS.map((_, k) => cell(c, k)))
      );
    }
    const table = el(
      "table",
      { class: "grid" },
      el("caption", { class: "unseen" }, "Outcome of each case on each kernel"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Case"), ...KERNELS.map((name) => el("th", { scope: "col" }, name)))),
      ...bodies
    );
    const turn = (target) => {
      page = target;
      render();
      byId("h-matrix").scrollIntoView({ block: "start", behavior: behavior() });
    };
    const scroller = el("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Cases by kernels, table" }, table);
    box.replaceChildren(scroller);
    put(box, [pager(pages, page, turn, "Pages of cases")]);
  };
  return render;
}
