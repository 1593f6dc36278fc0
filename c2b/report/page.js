"use strict";
// Sorting and filtering of the table, the choice of curves, and the viewer. Without it the page is whole but for the frames.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

for (const part of all(".controls, .note")) part.hidden = false;

// Table: a click on a name sorts by it, numbers from the largest; what is chosen or searched for stays.

const table = one("table.sortable");

function valueOf(row, column) {
  const cell = row.cells[column];
  if (!("value" in cell.dataset)) return cell.textContent;
  return cell.dataset.value === "" ? NaN : Number(cell.dataset.value === "inf" ? Infinity : cell.dataset.value);
}

function sortBy(header) {
  const numeric = header.classList.contains("number");
  const before = header.getAttribute("aria-sort");
  const down = before ? before === "ascending" : numeric;
  for (const other of all("th", table)) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const column = header.cellIndex;
  const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column), row]);
  rows.sort(([a], [b]) => {
    if (!numeric) return (down ? -1 : 1) * a.localeCompare(b, undefined, {numeric: true});
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    return a === b ? 0 : (a < b) === down ? 1 : -1;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function filter() {
  const words = one("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = all(".filters select").filter((select) => select.value);
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const fits = chosen.every((select) => row.cells[select.dataset.column].textContent === select.value);
    row.hidden = !(fits && words.every((word) => text.includes(word)));
  }
  one("#count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
}

if (table) {
  for (const header of all("thead th", table)) one("button", header).addEventListener("click", () => sortBy(header));
  for (const control of all(".filters select, #search")) control.addEventListener("input", filter);
  filter();
}

// Curves: one light at a time.

for (const section of all(".curves")) {
  const select = one(".choose", section);
  if (!select) continue;
  const choose = () => all(".choice", section).forEach((choice, place) => { choice.hidden = place !== select.selectedIndex; });
  select.addEventListener("input", choose);
  for (const name of all("h3", section)) name.hidden = true;
  choose();
}

// Viewer: columns with a picture and its error, all with one frame, one zoom and one centre.

class Viewer {
  constructor(data) {
    this.data = data;
    this.frame = 0;
    this.zoom = 1;               // 1: the whole frame fits
    this.centre = [0.5, 0.5];    // of what is seen, as a share of the frame
    this.limit = 0.2;            // error at the end of the colour scale
    this.columns = [];
    this.images = new Map();     // decoded sprites, the last used last
    this.packs = [];             // base64 of all sprites
    this.pointers = new Map();   // where fingers are
    this.next = 0;               // the column that the table changes next
    this.fill("#view", data.views.map((view) => view.name));
    this.fill("#limit", data.limits.map(String), data.limits.indexOf(this.limit));
    this.listen();
    this.open(0);
  }

  fill(select, names, chosen = 0) {
    one(select).replaceChildren(...names.map((name, k) => new Option(name, k, false, k === chosen)));
  }

  get view() { return this.data.views[one("#view").selectedIndex]; }

  get frames() { return Math.max(...this.view.shown.map((thing) => thing.frames)); }

  // An exposure, with the columns that show most.
  open(place, names = []) {
    one("#view").selectedIndex = place;
    const kept = names.map((name) => this.view.shown.findIndex((thing) => thing.name === name));
    const wanted = names.length ? kept : [0, ...this.data.opening.map((k) => this.placeOf(k))];
    one("#frame").max = this.frames - 1;
    this.step(Math.min(this.frame, this.frames - 1));
    this.columns = [];
    one(".panes").replaceChildren();
    for (const k of wanted.filter((k) => k in this.view.shown)) this.add(k);
    this.refresh();
  }

  placeOf(series) { return this.view.shown.findIndex((thing) => thing.series === series); }

  add(place) {
    const root = one("#pane").content.firstElementChild.cloneNode(true);
    const column = {root, select: one("select", root), picture: one(".picture", root), error: one(".error", root)};
    const groups = [["truth", ""], ["video", "Reconstructions"], ["capture", "Captures"]];
    for (const [kind, label] of groups) {
      const options = this.view.shown.flatMap((thing, k) => (thing.kind === kind ? [new Option(thing.name, k, false, k === place)] : []));
      const group = label ? Object.assign(document.createElement("optgroup"), {label}) : column.select;
      group.append(...options);
      if (label && options.length) column.select.append(group);
    }
    column.select.addEventListener("input", () => this.refresh());
    one(".panes").append(root);
    for (const canvas of [column.picture, column.error]) this.sizes.observe(canvas);
    this.columns.push(column);
  }

  shown(column) { return this.view.shown[column.select.value]; }

  // Pictures of all columns are decoded, then drawn.
  async refresh() {
    for (const column of this.columns) {
      const thing = this.shown(column);
      for (const canvas of [column.picture, column.error]) canvas.style.aspectRatio = `${thing.width} / ${thing.height}`;
      column.error.hidden = thing.kind !== "video";
      one(".scale", column.root).hidden = thing.kind !== "truth";
    }
    const wanted = new Set([this.view.shown[0], ...this.columns.map((column) => this.shown(column))]);
    await Promise.all([...wanted].map((thing) => this.image(thing)));
    this.draw();
    performance.mark("ready");
  }

  async image(thing) {
    const known = this.images.get(thing);
    const image = known ?? Object.assign(new Image(), {src: `data:image/${this.data.kind};base64,${await this.file(thing)}`});
    this.images.delete(thing);
    this.images.set(thing, image);
    while (this.images.size > 16) this.images.delete(this.images.keys().next().value);
    await image.decode();
  }

  // Its part of the pack, which may still be coming in.
  async file({pack, start, end}) {
    while ((this.packs[pack] ?? "").length < end) {
      this.packs[pack] = one(`#pack-${pack}`)?.textContent;
      if ((this.packs[pack] ?? "").length < end) await new Promise((done) => setTimeout(done, 50));
    }
    return this.packs[pack].slice(start, end);
  }

  later() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.draw(); });
  }

  draw() {
    const truth = this.view.shown[0];
    const pixels = this.pixels(truth);
    for (const column of this.columns) {
      const thing = this.shown(column);
      const frame = Math.min(this.frame, thing.frames - 1);
      this.paint(column.picture, thing, this.images.get(thing), ...this.corner(thing, frame));
      const said = this.said(thing, frame);
      one("figcaption", column.root).textContent = said;
      column.picture.setAttribute("aria-label", `Frame ${frame}; ${said || thing.name}`);
      if (thing.kind === "video") {
        this.paint(column.error, thing, this.errors(thing, pixels), 0, 0);
        column.error.setAttribute("aria-label", `Error of ${thing.name}, frame ${frame}`);
      } else if (thing.kind === "truth") {
        const stops = this.data.colours.filter((_, k) => k % 15 === 0).map((rgb) => `rgb(${rgb})`);
        one(".bar", column.root).style.background = `linear-gradient(to right, ${stops.join()})`;
        one(".end", column.root).textContent = this.limit;
      }
    }
    one("#zoom").textContent = this.zoom === 1 ? "fit" : `${Math.round(100 * this.zoom)} %`;
    for (const canvas of all(".panes canvas")) canvas.classList.toggle("zoomed", this.zoom > 1);
  }

  said(thing, frame) {
    if (thing.kind === "truth") return "";
    if (thing.kind === "capture") return `${thing.name}, as read out`;
    const decibels = (value) => (value === null || value === undefined ? "identical" : `${value.toFixed(2)} dB`);
    return `${thing.name}: this frame ${decibels(thing.psnr[frame])}, all ${decibels(thing.whole)}`;
  }

  corner(thing, frame) { return [(frame % thing.columns) * thing.across, Math.floor(frame / thing.columns) * thing.down]; }

  // The part of a picture that is seen; one pixel of it is a block when it is enlarged.
  paint(canvas, thing, image, x, y) {
    const ratio = window.devicePixelRatio;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!width || !height || !image) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    const context = canvas.getContext("2d");
    const scale = (this.zoom * width) / thing.width;
    context.imageSmoothingEnabled = scale < 2;
    context.imageSmoothingQuality = "high";
    context.clearRect(0, 0, width, height);
    const [left, top] = [width / 2 - this.centre[0] * thing.width * scale, height / 2 - this.centre[1] * thing.height * scale];
    context.drawImage(image, x, y, thing.width, thing.height, left, top, thing.width * scale, thing.height * scale);
  }

  pixels(thing) {
    const image = this.images.get(thing);
    if (!image?.complete) return null;
    const canvas = new OffscreenCanvas(thing.width, thing.height);
    const context = canvas.getContext("2d", {willReadFrequently: true});
    const corner = this.corner(thing, Math.min(this.frame, thing.frames - 1));
    context.drawImage(image, ...corner, thing.width, thing.height, 0, 0, thing.width, thing.height);
    return context.getImageData(0, 0, thing.width, thing.height);
  }

  // Mean over the channels of the absolute error, in colours.
  errors(thing, truth) {
    const made = this.pixels(thing);
    if (!made || !truth || made.data.length !== truth.data.length) return null;
    const [a, b, scale, colours] = [made.data, truth.data, 1 / (3 * this.limit), this.data.colours];
    for (let k = 0; k < a.length; k += 4) {
      const error = Math.abs(a[k] - b[k]) + Math.abs(a[k + 1] - b[k + 1]) + Math.abs(a[k + 2] - b[k + 2]);
      [a[k], a[k + 1], a[k + 2]] = colours[Math.min(255, Math.round(error * scale))];
    }
    const canvas = new OffscreenCanvas(thing.width, thing.height);
    canvas.getContext("2d").putImageData(made, 0, 0);
    return canvas;
  }

  step(frame) {
    this.frame = (frame + this.frames) % this.frames;
    one("#frame").value = this.frame;
    one("#frame-number").textContent = `${this.frame} of ${this.frames - 1}`;
    this.later();
  }

  play() {
    if (this.playing) clearInterval(this.playing);
    this.playing = this.playing ? 0 : setInterval(() => this.step(this.frame + 1), 150);
    one("#play").textContent = this.playing ? "Pause" : "Play";
    one("#play").setAttribute("aria-pressed", String(Boolean(this.playing)));
  }

  // What is under (x, y), a share of the canvas, stays there.
  zoomBy(factor, x = 0.5, y = 0.5) {
    const zoom = factor ? Math.min(32, Math.max(1, this.zoom * factor)) : 1;
    [x, y].forEach((at, k) => { this.centre[k] += (at - 0.5) * (1 / this.zoom - 1 / zoom); });
    this.zoom = zoom;
    this.moveBy(0, 0);
  }

  moveBy(x, y) {
    const margin = 0.5 / this.zoom;
    [x, y].forEach((by, k) => { this.centre[k] = Math.min(1 - margin, Math.max(margin, this.centre[k] + by / this.zoom)); });
    this.later();
  }

  // A row of the table, in the next column that is not the truth.
  show(series, video) {
    const place = this.data.views.findIndex((view) => view.video === video);
    if (video && place >= 0 && this.view.video !== video) this.open(place);
    const k = this.placeOf(series);
    if (k < 0) { one("#told").textContent = "The frames of this row are not in the page."; return; }
    const columns = this.columns.filter((column) => this.shown(column).kind !== "truth");
    if (!columns.length) { this.add(k); columns.push(this.columns.at(-1)); }
    const column = columns[this.next++ % columns.length];
    column.select.value = k;
    this.refresh();
    one("#told").textContent = `Shown: ${this.view.shown[k].name}`;
    one("#viewer").scrollIntoView();
    column.select.focus({preventScroll: true});
  }

  listen() {
    this.sizes = new ResizeObserver(() => this.later());
    one("#view").addEventListener("input", (event) => this.open(event.target.selectedIndex, this.columns.map((column) => column.select.selectedOptions[0].text)));
    one("#frame").addEventListener("input", (event) => this.step(Number(event.target.value)));
    one("#limit").addEventListener("input", (event) => { this.limit = this.data.limits[event.target.selectedIndex]; this.later(); });
    one("#play").addEventListener("click", () => this.play());
    for (const button of all("[data-zoom]")) button.addEventListener("click", () => this.zoomBy(Number(button.dataset.zoom)));
    for (const button of all(".show")) button.addEventListener("click", () => this.show(Number(button.dataset.series), button.dataset.video));
    one("#more").addEventListener("click", () => {
      const used = this.columns.map((column) => Number(column.select.value));
      this.add(Math.max(0, this.view.shown.findIndex((thing, k) => thing.kind === "video" && !used.includes(k))));
      this.refresh();
    });
    one("#fewer").addEventListener("click", () => { if (this.columns.length > 1) this.columns.pop().root.remove(); });
    const panes = one(".panes");
    panes.addEventListener("keydown", (event) => this.key(event));
    panes.addEventListener("dblclick", (event) => { if (event.target.matches("canvas")) this.zoomBy(event.shiftKey ? 0.5 : 2, ...this.at(event)); });
    panes.addEventListener("wheel", (event) => {
      if (!event.target.matches("canvas") || !(event.ctrlKey || event.metaKey || document.activeElement === event.target)) return;
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / (event.ctrlKey ? 100 : 400)), ...this.at(event));
    }, {passive: false});
    panes.addEventListener("pointerdown", (event) => {
      if (!event.target.matches("canvas")) return;
      event.target.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, this.at(event));
    });
    panes.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) panes.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
  }

  at(event) {
    const box = event.target.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  // One finger moves, two zoom.
  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
      if (apart(before) > 0) this.zoomBy(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else {
      this.moveBy(before[0] - now[0], before[1] - now[1]);
    }
    this.pointers.set(event.pointerId, now);
  }

  key(event) {
    if (!event.target.matches("canvas") || event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {
      ArrowLeft: () => this.moveBy(-0.1, 0), ArrowRight: () => this.moveBy(0.1, 0),
      ArrowUp: () => this.moveBy(0, -0.1), ArrowDown: () => this.moveBy(0, 0.1),
      "+": () => this.zoomBy(2), "=": () => this.zoomBy(2), "-": () => this.zoomBy(0.5), 0: () => this.zoomBy(0),
      ",": () => this.step(this.frame - 1), ".": () => this.step(this.frame + 1), " ": () => this.play(),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  }
}

const data = JSON.parse(one("#data").textContent);
if (data.views?.length) new Viewer(data);
