// SPDX-License-Identifier: GPL-2.0-only
// Everything about one result.

// Lines of a detail: what was expected beside what came, and the rest as it is.
function expectations(words) {
  const blocks = [];
  const rest = [];
  let open = null;
  for (const line of words.split("\n")) {
    const found = /^\s*(expected|got):\s?(.*)$/.exec(line);
    if (found && found[1] === "expected") {
      open = { what: rest.length ? rest.pop() : "", expected: found[2], got: null };
      blocks.push(open);
    } else if (found && open && open.got === null) {
      open.got = found[2];
    } else {
      rest.push(line);
      open = null;
    }
  }
  return { blocks, rest: rest.join("\n").trim() };
}

function pair(block) {
  return el(
    "div",
    { class: "expect" },
    block.what.trim() ? el("p", { class: "what" }, el("code", {}, block.what.trim())) : null,
    el(
      "dl",
      {},
      el("div", { class: "wanted" }, el("dt", {}, "expected"), el("dd", {}, block.expected)),
      el("div", { class: "came" }, el("dt", {}, "got"), el("dd", {}, block.got ?? "nothing"))
    )
  );
}

function pre(words, label) {
  return el("pre", { tabindex: "0", role: "group", "aria-label": label }, words);
}

function folded(summary, words, open) {
  if (!words) return null;
  return el("details", { open: Boolean(open) }, el("summary", {}, summary), pre(words, summary));
}

// The console with its own line numbers; a splat's lines are marked by a bar, a sign and colour.
function consoleView(d) {
  const box = el("div", { class: "console", tabindex: "0", role: "group", "aria-label": "Console" });
  const spans = (d.splats || []).map((s) => [s.first, s.last, Boolean(s.expected)]);
  let next = 1;
  let marked = null;
  for (const [first, words] of d.console) {
    if (first > next) box.append(gap(first - next));
    let number = first;
    for (const line of words.split("\n")) {
      const inside = spans.find(([from, to]) => number >= from && number <= to);
      const row = el("div", { class: inside ? `line mark${inside[2] ? " known" : ""}` : "line" });
      row.append(
        el("span", { class: "number", "aria-hidden": "true" }, String(number)),
        el("span", { class: "sign" }, inside ? (inside[0] === number ? "\u25b6" : "\u2502") : " "),
        el("span", { class: "words" }, line)
      );
      box.append(row);
      if (inside && !marked) marked = row;
      number++;
    }
    next = number;
  }
  if (next <= d.lines) box.append(gap(d.lines - next + 1));
  if (marked) {
    // Seen when it is opened, without moving the page.
    const observer = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      box.scrollTop = Math.max(0, marked.offsetTop - 40);
      observer.disconnect();
    });
    observer.observe(box);
  }
  return box;
}

const gap = (count) => el("div", { class: "gap" }, `${count} lines left out`);

function splatView(s, heading) {
  const facts = [
    s.severity,
    s.kind,
    `console lines ${s.first} to ${s.last}`,
    s.taint ? `taint ${s.taint}` : "",
  ];
  return el(
    "div",
    { class: `splat${s.expected ? " known" : ""}` },
    el(heading, {}, icon(s.expected ? "xfail" : "crash"), s.title),
    el("p", { class: "note" }, facts.filter(Boolean).join(" \u00b7 ")),
    s.expected ? el("p", {}, `Expected: ${s.expected}`) : null,
    s.decoded ? folded("Trace, with files and lines", s.decoded, true) : null,
    s.trace ? folded("Call trace", s.trace, !s.decoded) : null,
    folded("The report's lines", s.lines, true)
  );
}

// Which of the case's tries it was; journals of before do not say.
const tryName = (a, tries) => (a.number ? `Try ${a.number}${tries ? ` of ${tries}` : ""}` : "Another try");

// The tries that are not told in full, and which one is.
function triesView(i, attempts, heading) {
  const facts = new Map(D.misc[C.x[i]][4]);
  const own = Number(facts.get("try")) || 0;
  const tries = facts.get("tries");
  const numbers = attempts.map((a) => a.number || 0);
  const known = own && numbers.every(Boolean);
  let name = "Other tries";
  if (outcome(i) === "flaky") name = "Tries that failed";
  else if (known && numbers.every((n) => n > own)) name = "Later tries";
  else if (known && numbers.every((n) => n < own)) name = "Earlier tries";
  const of = tries ? ` of ${tries}` : "";
  const words = outcome(i) === "flaky" ? `It passed in try ${own}${of}.` : `What stands above is of try ${own}${of}.`;
  return [
    name,
    own ? el("p", { class: "note" }, words) : null,
    attempts.map((a) => attemptView(a, tryName(a, tries), heading)),
  ];
}

function attemptView(a, name, heading) {
  const facts = [seconds(a.ms || 0), a.worker ? `worker ${a.worker}` : "", a.started || ""];
  return el(
    "div",
    { class: "attempt" },
    el(heading, {}, `${name} `, badge(a.outcome)),
    el("p", { class: "note" }, facts.filter(Boolean).join(" \u00b7 ")),
    a.message ? el("p", {}, a.message) : null,
    folded("Detail", a.detail, true),
    folded("Console", a.console, false),
    folded("Standard output", a.stdout, false),
    a.file ? el("p", { class: "note" }, "Console, whole: ", link(a.file)) : null
  );
}

function factsOf(i) {
  const [isolation, accel, parent, classname, extra] = D.misc[C.x[i]];
  const rows = [
    ["Took", `${seconds(C.d[i])} (user ${seconds(C.u[i])}, kernel ${seconds(C.s[i])})`],
    ["Began", C.t[i] < 0 ? "" : `${seconds(C.t[i])} after the first case`],
    ["Worker", worker(i)],
    ["Guest", [isolation, accel].filter(Boolean).join(", ")],
    ["Memory", C.a[i] ? `${C.a[i]} KiB at most` : ""],
    ["Class", classname],
    ["Part of", parent],
    ...extra,
  ].filter(([, words]) => words);
  const cells = rows.map(([name, words]) => el("div", {}, el("dt", {}, name), el("dd", {}, words)));
  return el("dl", { class: "facts" }, ...cells);
}

function filesView(i, d) {
  const files = [...(d.files || [])];
  if (C.f[i]) files.unshift(["console, whole", consoleFile(i)]);
  if (!files.length) return null;
  const items = files.map(([name, path]) => el("li", {}, `${name}: `, link(path)));
  return [["Files", el("ul", {}, ...items)]];
}

// The whole view; headings are of the level given.
function detailView(i, level) {
  const d = detail(i);
  const inner = `h${level + 1}`;
  const { blocks, rest } = expectations(d.detail || "");
  const parts = [];
  if (message(i)) {
    parts.push([null, el("p", { class: "message" }, message(i))]);
  }
  if (place(i)) parts.push([null, el("p", { class: "note" }, "at ", el("code", {}, place(i)))]);
  if (blocks.length) parts.push(["Expectation", blocks.map(pair)]);
  if (text(C.r[i])) parts.push(["Reproduce", command(reproduce(i))]);
  if (d.splats) parts.push(["The kernel reported", d.splats.map((s) => splatView(s, inner))]);
  if (rest) parts.push([blocks.length ? "More it said" : "Detail", pre(rest, "Detail")]);
  if (d.console) parts.push(["Console", consoleView(d)]);
  if (d.attempts) {
    parts.push(triesView(i, d.attempts, inner));
  }
  if (d.evidence) {
    parts.push(["Evidence", d.evidence.map(([name, words]) => folded(name, words, false))]);
  }
  const out = [
    folded("Standard output", d.stdout, false),
    folded("Standard error", d.stderr, Boolean(d.stderr) && !isGood(i)),
  ];
  if (out.some(Boolean)) parts.push(["Output", out]);
  const past = pastView(i);
  if (past) parts.push(["Over earlier runs", past]);
  for (const files of filesView(i, d) || []) parts.push(files);
  parts.push(["Facts", factsOf(i)]);
  if (d.cut) {
    const words = "Texts are cut here to keep this page small; journal.jsonl and consoles/ have all.";
    parts.push([null, el("p", { class: "note" }, words)]);
  } else if (!D.details[i]) {
    const words = "No output is kept here for this result; the run folder has what there was.";
    parts.push([null, el("p", { class: "note" }, words)]);
  }
  const box = el("div", { class: "detail" });
  for (const [name, ...content] of parts) {
    if (name) box.append(el(`h${level}`, {}, name));
    put(box, content);
  }
  return box;
}
