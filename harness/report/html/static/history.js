// SPDX-License-Identifier: GPL-2.0-only
// Earlier runs: what a case came to and how long it took, a point for each run.

const RUNS = D.history.runs;
const PASTS_AT_ONCE = 20;

// Outcomes as ticks: bad ones hang below the line, good ones stand on it.
function outcomeLine(past) {
  const [outcomes] = past;
  const step = Math.max(3, Math.min(9, 180 / outcomes.length));
  const parts = [];
  [...outcomes].forEach((letter, n) => {
    if (letter === ".") return;
    const name = D.outcomes[Number(letter)];
    const bad = !D.good[Number(letter)] || name === "flaky";
    const skipped = name === "skip";
    parts.push(
      svg("rect", {
        x: n * step,
        y: bad ? 11 : skipped ? 8 : 2,
        width: step - 1,
        height: skipped ? 3 : 8,
        class: `o-${name}`,
      })
    );
  });
  const names = [...outcomes].map((letter) => (letter === "." ? "none" : D.outcomes[Number(letter)]));
  const label = `Outcomes, oldest first: ${names.join(", ")}`;
  const width = outcomes.length * step;
  const base = svg("path", { d: `M0 10.5H${width}`, class: "base" });
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} 20`, width, height: 20, role: "img", "aria-label": label }, base, ...parts);
}

function timeLine(past) {
  const [outcomes, times] = past;
  const step = Math.max(3, Math.min(9, 180 / outcomes.length));
  const most = Math.max(1, ...times);
  const points = times
    .map((ms, n) => [n * step + step / 2, 18 - (16 * ms) / most, ms])
    .filter(([, , ms]) => ms > 0);
  const width = outcomes.length * step;
  const last = points[points.length - 1];
  const line = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  const known = times.filter((ms) => ms > 0).map(seconds);
  const label = `Time, oldest first: ${known.join(", ")}`;
  return svg(
    "svg",
    { class: "spark", viewBox: `0 0 ${width} 20`, width, height: 20, role: "img", "aria-label": label },
    svg("polyline", { points: line, class: "time" }),
    last ? svg("circle", { cx: last[0], cy: last[1], r: 2, class: "dot" }) : null
  );
}

function changesWords([, , changes, steps]) {
  if (!steps) return "seen once";
  const share = Math.round((100 * changes) / steps);
  return `${changes} of ${steps} (${share} %)`;
}

function trendWords([, , , , trend]) {
  if (!trend) return "unknown";
  if (trend >= 1.3) return `\u25b2 ${trend.toFixed(2)} \u00d7`;
  if (trend <= 1 / 1.3) return `\u25bc ${trend.toFixed(2)} \u00d7`;
  return "as before";
}

function pastView(i) {
  const past = D.history.rows[i];
  if (!past) return null;
  return el(
    "div",
    { class: "past" },
    el("span", {}, outcomeLine(past), " ", timeLine(past)),
    el("p", { class: "note" }, `Changed ${changesWords(past)}; time ${trendWords(past)}; ${RUNS.length} runs since ${RUNS[0][1]}`)
  );
}

// Bad in this run and good when it ran before: what a person looks for first.
function isFresh(i) {
  const [outcomes] = D.history.rows[i];
  const names = [...outcomes].filter((letter) => letter !== ".").map((letter) => D.outcomes[Number(letter)]);
  const ran = names.filter((name) => name !== "skip");
  const bad = (name) => name !== "flaky" && !D.good[D.outcomes.indexOf(name)];
  return ran.length > 1 && ran[ran.length - 1] === outcome(i) && bad(outcome(i)) && !bad(ran[ran.length - 2]);
}

function setUpHistory() {
  if (!D.history.rows.length) return;
  byId("s-history").hidden = false;
  const rows = D.history.rows;
  const share = (i) => (rows[i][3] ? rows[i][2] / rows[i][3] : 0);
  const drift = (i) => (rows[i][4] && C.d[i] >= 20 ? Math.abs(Math.log(rows[i][4])) : 0);
  const moved = (i) => share(i) > 0 || drift(i) > Math.log(1.3);
  const fresh = new Set(rows.map((_, i) => i).filter(isFresh));
  const order = (a, b) =>
    fresh.has(b) - fresh.has(a) || share(b) - share(a) || drift(b) - drift(a) || a - b;
  let limit = PASTS_AT_ONCE;
  const render = () => {
    const mine = shown.filter(moved).sort(order);
    const news = mine.filter((i) => fresh.has(i)).length;
    byId("history-note").textContent =
      `${RUNS.length} runs since ${RUNS[0][1]}, this one last; ${mine.length} results changed between runs` +
      " or take another time than before. Below the line is bad." +
      (news ? ` First those that are bad now and were good before (${news}).` : "");
    const body = mine.slice(0, limit).map((i) =>
      el(
        "tr",
        {},
        el(
          "th",
          { scope: "row" },
          el("button", { type: "button", class: "row-open", "data-open": String(i), onclick: (event) => openSheet(i, event.currentTarget) }, title(i)),
          el("span", { class: "path" }, `${group(i)} on ${kernel(i)}`)
        ),
        el("td", {}, outcomeLine(rows[i])),
        el("td", { class: "num" }, el("span", { class: "head-word" }, "Changed "), changesWords(rows[i])),
        el("td", {}, timeLine(rows[i])),
        el("td", { class: "num" }, el("span", { class: "head-word" }, "Time "), trendWords(rows[i]))
      )
    );
    const heads = ["Case", "Outcomes", "Changed", "Time", "Trend"].map((name) => el("th", { scope: "col" }, name));
    const table = el(
      "table",
      { class: "pasts" },
      el("caption", { class: "unseen" }, "Cases over earlier runs, those that have just gone bad first, then those that change most"),
      el("thead", {}, el("tr", {}, ...heads)),
      el("tbody", {}, ...body)
    );
    const scroller = el("div", { class: "scroller", tabindex: "0", role: "group", "aria-label": "Cases over earlier runs" }, table);
    byId("history").replaceChildren(body.length ? scroller : el("p", { class: "none" }, "Every case shown did as before."));
    if (mine.length > limit) {
      const more = () => {
        limit += PASTS_AT_ONCE;
        render();
      };
      byId("history").append(el("button", { type: "button", onclick: more }, `Show more of ${mine.length}`));
    }
  };
  watchers.push(render);
}
