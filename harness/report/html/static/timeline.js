// SPDX-License-Identifier: GPL-2.0-only
// When each case ran, a lane for each guest that a worker had at a time.

// Starts and durations are whole milliseconds: a case may seem to begin so long before the end of the
// one before it.
const ROUNDING = 2;

const timeline = { lanes: [], bars: [], end: 1, left: 70, lane: 18, top: 4, width: 0 };

// A bar for each try: number of its result, start, duration, outcome, and whether it is the one that
// counts.
function triesInOrder() {
  const found = [];
  for (let i = 0; i < COUNT; i++) {
    if (C.t[i] >= 0) found.push({ i, t: C.t[i], d: C.d[i], w: worker(i), name: outcome(i), counts: true });
  }
  const T = D.tries;
  for (let n = 0; n < T.i.length; n++) {
    if (T.t[n] < 0) continue;
    found.push({ i: T.i[n], t: T.t[n], d: T.d[n], w: text(T.w[n]), name: D.outcomes[T.o[n]], counts: false });
  }
  return found.sort((a, b) => a.t - b.t || a.i - b.i);
}

function layTimeline() {
  const workers = new Map();
  timeline.bars = triesInOrder();
  for (const bar of timeline.bars) {
    if (!workers.has(bar.w)) workers.set(bar.w, []);
    const lanes = workers.get(bar.w);
    let lane = lanes.find((one) => one.end <= bar.t + ROUNDING);
    if (!lane) {
      lane = { end: 0, bars: [], name: lanes.length ? "" : bar.w || "worker" };
      lanes.push(lane);
    }
    lane.bars.push(bar);
    lane.end = Math.max(lane.end, bar.t + bar.d);
    timeline.end = Math.max(timeline.end, lane.end);
  }
  const names = [...workers.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  timeline.lanes = names.flatMap((name) => workers.get(name));
  return workers.size;
}

function tickStep(span, room) {
  const wanted = span / Math.max(1, room / 70);
  const steps = [100, 200, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 600000, 3600000];
  return steps.find((step) => step >= wanted) || 36000000;
}

function drawTimeline(canvas, current) {
  const ratio = window.devicePixelRatio || 1;
  const height = timeline.top + timeline.lanes.length * timeline.lane + 22;
  const width = timeline.width;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  g.textBaseline = "middle";
  const room = width - timeline.left - 8;
  const x = (ms) => timeline.left + (ms / timeline.end) * room;
  const bottom = height - 20;
  const step = tickStep(timeline.end, room);
  for (let ms = 0; ms <= timeline.end; ms += step) {
    g.fillStyle = colours.line;
    g.fillRect(Math.round(x(ms)), timeline.top, 1, bottom - timeline.top);
    g.fillStyle = colours.muted;
    const words = ms < 60000 ? `${ms / 1000} s` : `${Math.floor(ms / 60000)}:${String((ms / 1000) % 60).padStart(2, "0")}`;
    const size = g.measureText(words).width;
    g.fillText(words, Math.min(x(ms), width - size - 2), bottom + 10);
  }
  timeline.lanes.forEach((lane, n) => {
    const y = timeline.top + n * timeline.lane;
    if (lane.name) {
      g.fillStyle = colours.text;
      g.fillText(shorten(g, lane.name, timeline.left - 8), 0, y + timeline.lane / 2);
    }
    for (const bar of lane.bars) {
      const from = x(bar.t);
      const size = Math.max(1, x(bar.t + bar.d) - from - 0.5);
      g.globalAlpha = shownSet[bar.i] ? 1 : 0.14;
      g.fillStyle = bar.name === "pass" ? colours["tile-pass"] : colours[bar.name];
      // What is good is lower, so that what is not is seen without its colour.
      const inset = isBad(bar) ? 1 : 4;
      const tall = timeline.lane - 2 * inset;
      if (bar.counts) {
        g.fillRect(from, y + inset, size, tall);
      } else {
        // A try that did not decide is hollow.
        g.strokeStyle = g.fillStyle;
        g.lineWidth = 1.5;
        g.strokeRect(from + 0.75, y + inset + 0.75, Math.max(0.5, size - 1.5), tall - 1.5);
      }
      g.globalAlpha = 1;
      if (bar.i === current) {
        g.strokeStyle = colours.text;
        g.lineWidth = 2;
        g.strokeRect(from - 1, y, size + 2, timeline.lane);
      }
    }
  });
}

const isBad = (bar) => (bar.counts ? isTrouble(bar.i) : !D.good[D.outcomes.indexOf(bar.name)]);

function hitTimeline(px, py) {
  const lane = timeline.lanes[Math.floor((py - timeline.top) / timeline.lane)];
  if (!lane) return -1;
  const room = timeline.width - timeline.left - 8;
  const ms = ((px - timeline.left) / room) * timeline.end;
  const slack = (2 / room) * timeline.end;
  let best = -1;
  for (const bar of lane.bars) {
    if (ms >= bar.t - slack && ms <= bar.t + bar.d + slack) {
      if (best < 0 || isBad(bar)) best = bar.i;
    }
  }
  return best;
}

function setUpTimeline() {
  const workers = layTimeline();
  if (!timeline.bars.length) return;
  byId("s-timeline").hidden = false;
  const canvas = el("canvas", {
    tabindex: "0",
    role: "application",
    "aria-roledescription": "timeline of all results",
    "aria-label": "Timeline by worker. Arrow keys go from case to case in the order of their start, Enter opens one.",
  });
  const box = el("div", { class: "canvas-box" }, canvas);
  const redraw = () => drawTimeline(canvas, view.current());
  const walked = timeline.bars.filter((bar) => bar.counts).map((bar) => bar.i);
  const places = new Map(walked.map((i, n) => [i, n]));
  const view = picture(canvas, {
    draw: redraw,
    hit: hitTimeline,
    move: (key, i) => {
      const last = walked.length - 1;
      const n = places.get(i) ?? 0;
      const to = { Home: 0, End: last, ArrowRight: n + 1, ArrowLeft: n - 1 }[key];
      return to === undefined ? undefined : walked[Math.max(0, Math.min(last, to))];
    },
  });
  byId("timeline").append(box, view.output);
  let busy = 0;
  for (const bar of timeline.bars) busy += bar.d;
  const lanes = timeline.lanes.length;
  const share = Math.round((100 * busy) / (timeline.end * lanes));
  byId("timeline-note").textContent =
    `${workers} ${workers === 1 ? "worker" : "workers"}, ${lanes} ${lanes === 1 ? "case" : "cases"} at a time at most, ` +
    `${seconds(timeline.end)}, ${share} % of it spent in cases. ` +
    (D.tries.i.length ? "What is hollow is a try that was not the one that counts. " : "") +
    "A gap is time without a case: a guest boots or its saved state is made, or the worker waits.";
  const lay = () => {
    readColours();
    timeline.width = box.clientWidth;
    timeline.left = timeline.width > 500 ? 70 : 44;
    redraw();
  };
  new ResizeObserver(lay).observe(box);
  watchers.push(redraw);
  return lay;
}
