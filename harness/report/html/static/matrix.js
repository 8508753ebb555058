// SPDX-License-Identifier: GPL-2.0-only
// Cases by kernels as a picture: a column of tiles for each case, a tile for each kernel, files
// one below the other. Only what is in view is drawn, so it does not matter how many there are.

// A canvas that a pointer and a keyboard can go about in.
function picture(canvas, options) {
  let current = -1;
  const output = el("output", { class: "where", "aria-live": "polite" });
  const focus = (i) => {
    current = i;
    output.textContent = i < 0 ? "" : describe(i);
    options.draw();
  };
  canvas.addEventListener("pointermove", (event) => {
    const i = options.hit(event.offsetX, event.offsetY);
    canvas.classList.toggle("on", i >= 0);
    if (i >= 0) showTip(describe(i), event.clientX, event.clientY);
    else hideTip();
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("click", (event) => {
    const i = options.hit(event.offsetX, event.offsetY);
    if (i >= 0) openSheet(i, canvas);
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Enter" && current >= 0) openSheet(current, canvas);
    else {
      const next = options.move(event.key, current);
      if (next === undefined) return;
      focus(next);
    }
    event.preventDefault();
    event.stopPropagation();
  });
  canvas.addEventListener("focus", () => {
    if (current < 0) focus(options.move("Home", -1) ?? -1);
    else options.draw();
  });
  canvas.addEventListener("blur", () => options.draw());
  return { output, current: () => (document.activeElement === canvas ? current : -1) };
}

function describe(i) {
  const what = message(i) ? `, ${message(i).slice(0, 160)}` : "";
  return `${outcome(i)}: ${node(i)} on ${kernel(i)}, ${seconds(C.d[i])}${what}`;
}

function showTip(words, x, y) {
  const tip = byId("tip");
  tip.textContent = words;
  tip.hidden = false;
  const left = Math.min(x + 12, innerWidth - tip.offsetWidth - 8);
  const below = y + 18 + tip.offsetHeight < innerHeight;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${below ? y + 18 : y - tip.offsetHeight - 10}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["text", "muted", "line", "panel", "accent", "tile-pass", "on-tile", ...RANK];
  colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

const paths = {};

function shapePaths(name) {
  paths[name] ??= {
    line: (SHAPES[name].line || []).map((d) => new Path2D(d)),
    solid: (SHAPES[name].solid || []).map((d) => new Path2D(d)),
  };
  return paths[name];
}

// A bad one fills its tile and has its sign in it; a good one stays back.
function drawTile(g, i, x, y, size) {
  const name = outcome(i);
  const bad = isTrouble(i);
  if (bad || name === "pass") {
    g.fillStyle = bad ? colours[name] : colours["tile-pass"];
    const inset = bad ? 0 : size > 9 ? 1 : 0.5;
    g.fillRect(x + inset, y + inset, size - 1 - 2 * inset, size - 1 - 2 * inset);
    if (!bad) return;
  } else {
    g.strokeStyle = colours[name];
    g.lineWidth = 1;
    g.strokeRect(x + 1.5, y + 1.5, size - 4, size - 4);
  }
  if (size < 9) return;
  g.save();
  g.translate(x, y);
  g.scale((size - 1) / 16, (size - 1) / 16);
  if (!bad) {
    g.translate(3.2, 3.2);
    g.scale(0.6, 0.6);
  }
  g.lineWidth = 2;
  g.strokeStyle = g.fillStyle = bad ? colours["on-tile"] : colours[name];
  const shape = shapePaths(name);
  for (const path of shape.line) g.stroke(path);
  for (const path of shape.solid) g.fill(path);
  g.restore();
}

const matrix = { lines: [], height: 0, tile: 14, left: 0, per: 1, order: [], width: 0, share: 0 };
const LEAST_BLOCK = 120; // Below so many pixels the name of a file above its tiles says nothing.

const matrixFont = (size) => `${size}px ${getComputedStyle(document.body).fontFamily}`;

// Pixels that the longest of some names needs.
function longest(names, size) {
  const g = document.createElement("canvas").getContext("2d");
  g.font = matrixFont(size);
  return names.reduce((most, name) => Math.max(most, Math.ceil(g.measureText(name).width)), 0);
}

// Cases in the order of their files.
function orderCases() {
  const files = new Map();
  for (let c = 0; c < CASES; c++) {
    const key = D.groups[c];
    if (!files.has(key)) files.set(key, []);
    files.get(key).push(c);
  }
  return files;
}

// Small files stand side by side; a large one has the width to itself, and lines below its first.
function layMatrix(width) {
  const rows = KERNELS.length;
  const files = [...orderCases()];
  const wide = width > 620;
  const largest = Math.max(...files.map(([, cases]) => cases.length));
  matrix.width = width;
  // Rows that have names are as high as letters.
  matrix.tile = CASES <= 800 ? 16 : rows > 1 ? 12 : CASES > 3000 ? 8 : 11;
  matrix.small = Math.min(11, matrix.tile - 2);
  matrix.kernels = rows > 1 ? Math.min(wide ? 170 : 100, longest(KERNELS, matrix.small) + 12) : 0;
  const labels = files.map(([key, cases]) => `${text(key) || "no file"}  ${cases.length}`);
  matrix.left = wide ? Math.min(230, Math.round(width * 0.24), longest(labels, 12) + 18) : 0;
  const tiles = matrix.kernels + largest * matrix.tile;
  const block = (wide ? matrix.left + tiles : Math.max(LEAST_BLOCK, tiles)) + 28;
  const across = Math.max(1, Math.floor((width + 28) / block));
  const share = across > 1 ? Math.floor((width + 28) / across) : width;
  matrix.share = share - (across > 1 ? 12 : 0);
  matrix.per = Math.max(1, Math.floor((share - matrix.left - matrix.kernels - 4) / matrix.tile));
  matrix.lines = [];
  matrix.order = [];
  let y = 4;
  let height = 0;
  files.forEach(([key, cases], n) => {
    const x = (n % across) * share;
    if (n % across === 0) {
      y += height;
      height = 0;
      if (!wide) y += 18;
    }
    let down = 0;
    for (let first = 0; first < cases.length; first += matrix.per) {
      const part = cases.slice(first, first + matrix.per);
      const label = first === 0 ? text(key) || "no file" : "";
      matrix.lines.push({ x, y: y + down, label, count: cases.length, cases: part });
      down += Math.max(rows * matrix.tile, first === 0 && wide ? 18 : 0) + 4;
    }
    height = Math.max(height, down + (CASES > 3000 ? 4 : 8));
    for (const c of cases) matrix.order.push(c);
  });
  matrix.height = y + height + 4;
  matrix.places = new Int32Array(CASES);
  matrix.order.forEach((c, n) => (matrix.places[c] = n));
}

const tilesLeft = (line) => line.x + matrix.left + matrix.kernels;

// The first line that begins at y or is the nearest above it.
function lineAt(y) {
  let low = 0;
  let high = matrix.lines.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (matrix.lines[middle].y <= y) low = middle;
    else high = middle - 1;
  }
  while (low > 0 && matrix.lines[low - 1].y === matrix.lines[low].y) low--;
  return low;
}

function shorten(g, words, width) {
  if (g.measureText(words).width <= width) return words;
  let cut = words;
  // The end of a path says more than its start.
  while (cut && g.measureText(`\u2026${cut}`).width > width) cut = cut.slice(1);
  return cut && `\u2026${cut}`;
}

function drawMatrix(canvas, box, current) {
  const ratio = window.devicePixelRatio || 1;
  const height = Math.min(matrix.height, box.clientHeight || matrix.height);
  if (canvas.width !== Math.round(matrix.width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(matrix.width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.width = `${matrix.width}px`;
    canvas.style.height = `${height}px`;
  }
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, matrix.width, height);
  g.textBaseline = "middle";
  const top = box.scrollTop;
  for (let n = lineAt(top); n < matrix.lines.length; n++) {
    const line = matrix.lines[n];
    const y = line.y - top;
    if (y > height + 20) break;
    if (line.label) {
      g.font = matrixFont(12);
      g.fillStyle = colours.text;
      const count = `  ${line.count}`;
      const room = (matrix.left || matrix.share) - 16 - g.measureText(count).width;
      const label = shorten(g, line.label, room);
      const labelY = matrix.left ? y + Math.min(9, (KERNELS.length * matrix.tile) / 2) : y - 9;
      g.fillText(label, line.x, labelY);
      const end = line.x + g.measureText(label).width;
      g.fillStyle = colours.muted;
      g.fillText(count, end, labelY);
    }
    if (matrix.kernels) {
      g.font = matrixFont(matrix.small);
      g.fillStyle = colours.muted;
      g.textAlign = "right";
      KERNELS.forEach((name, k) => {
        const words = shorten(g, name, matrix.kernels - 10);
        g.fillText(words, tilesLeft(line) - 6, y + k * matrix.tile + matrix.tile / 2);
      });
      g.textAlign = "left";
    }
    line.cases.forEach((c, column) => {
      for (let k = 0; k < KERNELS.length; k++) {
        const i = at(c, k);
        const x = tilesLeft(line) + column * matrix.tile;
        const ty = y + k * matrix.tile;
        if (i < 0) {
          g.fillStyle = colours.line;
          g.fillRect(x + matrix.tile / 2 - 1.5, ty + matrix.tile / 2 - 1.5, 2, 2);
          continue;
        }
        g.globalAlpha = shownSet[i] ? 1 : 0.14;
        drawTile(g, i, x, ty, matrix.tile);
        g.globalAlpha = 1;
        if (i === current) {
          g.strokeStyle = colours.text;
          g.lineWidth = 2;
          g.strokeRect(x - 1, ty - 1, matrix.tile + 1, matrix.tile + 1);
        }
      }
    });
  }
}

// What is below the edge: how many files begin there, how many of which trouble are there, and where
// the first of it is.
function belowEdge(edge) {
  const found = { files: 0, trouble: new Map(), first: -1 };
  for (let n = matrix.lines.length - 1; n >= 0; n--) {
    const line = matrix.lines[n];
    if (line.y + KERNELS.length * matrix.tile <= edge + 2) break;
    if (line.label) found.files++;
    for (const c of line.cases) {
      for (let k = 0; k < KERNELS.length; k++) {
        const i = at(c, k);
        if (i < 0 || !shownSet[i] || !isTrouble(i)) continue;
        if (line.y + (k + 1) * matrix.tile <= edge + 2) continue;
        found.trouble.set(outcome(i), (found.trouble.get(outcome(i)) || 0) + 1);
        if (found.first < 0 || line.y <= matrix.lines[found.first].y) found.first = n;
      }
    }
  }
  return found;
}

function belowWords({ files, trouble }) {
  const kinds = RANK.filter((name) => trouble.has(name)).map((name) => `${trouble.get(name)} ${name}`);
  const what = files ? `${files} more ${files === 1 ? "file" : "files"} below` : "More below";
  return `\u25bc ${what}${kinds.length ? `, with ${kinds.join(", ")}` : ""}`;
}

// Says what cannot be seen of the picture, and leads there.
function matrixMore(box) {
  const frame = el("div", { class: "canvas-frame" }, box);
  const button = el("button", { type: "button", class: "more" });
  const render = () => {
    const edge = box.scrollTop + box.clientHeight;
    const below = matrix.height > edge + 2;
    button.hidden = box.hidden || matrix.height <= box.clientHeight + 2;
    frame.classList.toggle("more-below", below && !button.hidden);
    button.textContent = below ? belowWords(belowEdge(edge)) : "\u25b2 That is all: back to the top";
  };
  button.addEventListener("click", () => {
    const edge = box.scrollTop + box.clientHeight;
    const { first } = belowEdge(edge);
    if (matrix.height <= edge + 2) box.scrollTop = 0;
    else box.scrollTop = first >= 0 ? matrix.lines[first].y - 24 : edge - 48;
  });
  return { frame, button, render };
}

function hitMatrix(x, y) {
  for (let n = matrix.lines.length ? lineAt(y) : 0; n < matrix.lines.length; n++) {
    const line = matrix.lines[n];
    if (line.y > y) break;
    const column = Math.floor((x - tilesLeft(line)) / matrix.tile);
    const k = Math.floor((y - line.y) / matrix.tile);
    if (column >= 0 && column < line.cases.length && k < KERNELS.length) {
      return at(line.cases[column], k);
    }
  }
  return -1;
}

// The next result in a direction, over what has none.
function moveInMatrix(key, i) {
  const total = matrix.order.length;
  if (key === "Home" || key === "End") {
    const step = key === "Home" ? 1 : -1;
    for (let n = step > 0 ? 0 : total - 1; n >= 0 && n < total; n += step) {
      for (let k = 0; k < KERNELS.length; k++) {
        if (at(matrix.order[n], k) >= 0) return at(matrix.order[n], k);
      }
    }
    return -1;
  }
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!steps[key] || i < 0) return undefined;
  const [dn, dk] = steps[key];
  let n = matrix.places[C.c[i]];
  let k = C.k[i];
  for (;;) {
    k += dk;
    if (dk && (k < 0 || k >= KERNELS.length)) {
      // Off the last kernel: the next case, and the other way round.
      n += dk;
      k = dk > 0 ? 0 : KERNELS.length - 1;
    }
    n += dn;
    if (n < 0 || n >= total) return i;
    const found = at(matrix.order[n], k);
    if (found >= 0) return found;
  }
}

function scrollToResult(box, i) {
  const c = C.c[i];
  const line = matrix.lines.find((one) => one.cases.includes(c));
  const y = line.y + C.k[i] * matrix.tile;
  if (y < box.scrollTop + 24) box.scrollTop = y - 24;
  else if (y + 30 > box.scrollTop + box.clientHeight) box.scrollTop = y + 30 - box.clientHeight;
}

function setUpMatrix() {
  if (!COUNT) return;
  byId("s-matrix").hidden = false;
  const canvas = el("canvas", {
    tabindex: "0",
    role: "application",
    "aria-roledescription": "picture of all results",
    "aria-label": "Cases by kernels. Arrow keys go from result to result, Enter opens one.",
  });
  const spacer = el("div", { class: "spacer" });
  const box = el("div", { class: "canvas-box" }, canvas, spacer);
  const more = matrixMore(box);
  const redraw = () => {
    drawMatrix(canvas, box, view.current());
    more.render();
  };
  const view = picture(canvas, {
    draw: redraw,
    hit: (x, y) => hitMatrix(x, y + box.scrollTop),
    move: (key, i) => {
      const next = moveInMatrix(key, i);
      if (next >= 0) scrollToResult(box, next);
      return next;
    },
  });
  const table = el("div", { hidden: true });
  byId("matrix").append(more.frame, more.button, view.output, table);
  const lay = () => {
    if (box.hidden) return;
    readColours();
    layMatrix(box.clientWidth);
    spacer.style.height = `${matrix.height}px`;
    redraw();
  };
  box.addEventListener("scroll", redraw, { passive: true });
  new ResizeObserver(lay).observe(box);
  const asTable = byId("matrix-as");
  const pager = matrixTable(table);
  asTable.addEventListener("click", () => {
    const on = table.hidden;
    table.hidden = !on;
    box.hidden = view.output.hidden = on;
    asTable.setAttribute("aria-pressed", String(on));
    more.render();
    if (on) pager();
    else lay();
  });
  watchers.push(() => (table.hidden ? redraw() : pager()));
  const holes = CASES * KERNELS.length - COUNT;
  byId("matrix-note").textContent =
    `A column for each of ${CASES} cases` +
    (KERNELS.length > 1 ? `, from top to bottom ${KERNELS.join(", ")}.` : `, on ${KERNELS[0]}.`) +
    (holes > 0 ? ` A dot is no result (${holes}).` : "");
  return lay;
}
