// SPDX-License-Identifier: GPL-2.0-only
// The run's data and how to ask for it. A result is known by its number.

const D = JSON.parse(document.getElementById("data").textContent);
const C = D.columns;
const COUNT = C.c.length;
const KERNELS = D.kernels.map((kernel) => kernel.name);
const CASES = D.groups.length;

const text = (number) => D.strings[number];
const outcome = (i) => D.outcomes[C.o[i]];
const isGood = (i) => D.good[C.o[i]] === 1;
// What a person should look at: what is bad, and what is good by luck only.
const isTrouble = (i) => !isGood(i) || outcome(i) === "flaky";
const kernel = (i) => KERNELS[C.k[i]];
const title = (i) => text(D.titles[C.c[i]]);
const group = (i) => text(D.groups[C.c[i]]);
const message = (i) => text(C.m[i]);
const worker = (i) => text(C.w[i]);
const detail = (i) => D.details[i] || {};

function caseName(c) {
  const first = text(D.groups[c]);
  return first ? `${first}::${text(D.titles[c])}` : text(D.titles[c]);
}

const node = (i) => caseName(C.c[i]);

// U+0001 and U+0002 stand for the case and its title.
function fill(pattern, i) {
  return text(pattern).split("\u0001").join(node(i)).split("\u0002").join(title(i));
}

const reproduce = (i) => fill(C.r[i], i);
const consoleFile = (i) => fill(C.f[i], i);

function place(i) {
  const file = text(C.p[i]);
  return file && C.l[i] ? `${file}:${C.l[i]}` : file;
}

// The result of a case on a kernel, or -1.
const GRID = new Int32Array(CASES * KERNELS.length).fill(-1);
for (let i = 0; i < COUNT; i++) {
  GRID[C.c[i] * KERNELS.length + C.k[i]] = i;
}
const at = (c, k) => GRID[c * KERNELS.length + k];

function find(key) {
  for (let i = 0; i < COUNT; i++) {
    if (`${node(i)}@${kernel(i)}` === key) return i;
  }
  return -1;
}

function seconds(ms) {
  if (ms < 10) return `${ms} ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

// Bad ones first: the worst is what the kernel did, then the case, then the harness.
const RANK = ["crash", "timeout", "fail", "xpass", "error", "flaky", "xfail", "skip", "pass"];
const rank = D.outcomes.map((name) => (RANK.includes(name) ? RANK.indexOf(name) : 0));
