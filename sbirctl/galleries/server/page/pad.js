// The sheet to draw on: mouse, pen, touch and keyboard make strokes of a Drawing.

import { Drawing, paintStroke } from "./drawing.js";

const SENT = 512; // side in pixels of what is sent
const STEP = 0.02; // of the sheet, an arrow key
const ERASER_BUTTON = 32; // the other end of a pen

export class Pad extends EventTarget {
  drawing = new Drawing();
  erasing = false;
  width = 0.01;
  #canvas;
  #context;
  #cursor;
  #under = document.createElement("canvas"); // everything but the stroke being drawn
  #stroke = null;
  #place = [0.5, 0.5]; // of the keyboard's pen
  #touched = false; // a pointer is about to draw, so its own cursor is enough

  constructor(canvas, cursor) {
    super();
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#cursor = cursor;
    new ResizeObserver(() => this.#fit()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.#up(event));
    }
    // A finger that still moves when it lifts would start a fling, `touch-action: none` or not, and
    // the next tap, wherever it is, would do nothing but stop it.
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("focus", () => this.#byKeys(!this.#touched));
    canvas.addEventListener("blur", () => {
      this.end();
      this.#byKeys(false);
    });
  }

  /** Do something to the drawing ("undo", "redo", "clear", or "add" with a step). */
  change(what, ...more) {
    this.end();
    this.drawing[what](...more);
    this.repaint();
    this.#tell(false);
  }

  /** What is drawn, the stroke under way included, as PNG; null for nothing. */
  async png() {
    if (!this.#stroke) return this.drawing.png(SENT);
    this.drawing.add(this.#stroke); // as if it ended here
    const made = this.drawing.png(SENT);
    this.drawing.undo();
    return made;
  }

  get isBlank() {
    return this.drawing.isBlank && !(this.#stroke && !this.#stroke.erase);
  }

  begin(x, y, { erase = this.erasing, pointer = null } = {}) {
    this.end();
    this.#stroke = { points: [[x, y]], width: this.width * (erase ? 2.5 : 1), erase, pointer };
    const context = this.#under.getContext("2d");
    this.drawing.paint(context, this.#under.width);
    this.#paintLive();
  }

  extend(x, y) {
    const last = this.#stroke.points.at(-1);
    if (Math.hypot(x - last[0], y - last[1]) < 0.002) return;
    this.#stroke.points.push([x, y]);
    this.#paintLive();
    this.#tell(true);
  }

  end() {
    if (!this.#stroke) return;
    const stroke = this.#stroke;
    this.#stroke = null;
    this.drawing.add(stroke);
    this.#cursor.classList.remove("down");
    this.#tell(false);
  }

  repaint() {
    this.drawing.paint(this.#context, this.#canvas.width);
  }

  #paintLive() {
    const side = this.#canvas.width;
    this.#context.clearRect(0, 0, side, side);
    this.#context.drawImage(this.#under, 0, 0);
    paintStroke(this.#context, side, this.#stroke);
  }

  #tell(live) {
    this.dispatchEvent(new CustomEvent("change", { detail: { live } }));
  }

  #fit() {
    const side = Math.round(Math.min(1200, this.#canvas.clientWidth * (devicePixelRatio || 1)));
    if (side && side !== this.#canvas.width) {
      for (const canvas of [this.#canvas, this.#under]) canvas.width = canvas.height = side;
      this.repaint();
    }
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #down(event) {
    if (event.button > 0 && !(event.buttons & ERASER_BUTTON)) return;
    if (this.#stroke?.pointer != null) return; // a second finger
    event.preventDefault();
    this.#touched = true;
    this.#canvas.focus({ preventScroll: true });
    this.#touched = false;
    this.#byKeys(false);
    this.#canvas.setPointerCapture(event.pointerId);
    const erase = this.erasing || Boolean(event.buttons & ERASER_BUTTON);
    this.begin(...this.#at(event), { erase, pointer: event.pointerId });
  }

  #move(event) {
    if (!this.#stroke || this.#stroke.pointer !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.extend(...this.#at(one));
  }

  #up(event) {
    if (!this.#stroke || this.#stroke.pointer !== event.pointerId) return;
    this.#place = this.#stroke.points.at(-1).map((at) => Math.min(1, Math.max(0, at)));
    this.end();
  }

  #key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in way) {
      const step = STEP * (event.shiftKey ? 4 : 1);
      this.#place = this.#place.map((at, i) => Math.min(1, Math.max(0, at + step * way[event.key][i])));
      if (this.#stroke) this.extend(...this.#place);
    } else if (event.key === " ") {
      if (this.#stroke) this.end();
      else this.begin(...this.#place);
    } else {
      return;
    }
    event.preventDefault();
    this.#byKeys(true);
  }

  /** Show the keyboard's pen, or hide it. */
  #byKeys(yes) {
    this.#canvas.classList.toggle("by-keys", yes);
    this.#cursor.hidden = !yes;
    this.#cursor.classList.toggle("down", Boolean(this.#stroke));
    this.#cursor.style.left = `${100 * this.#place[0]}%`;
    this.#cursor.style.top = `${100 * this.#place[1]}%`;
  }
}
