// A drawing as what was done to make it, so that everything can be undone. Places and widths are
// in parts of the sheet's side.

export class Drawing {
  #done = [];
  #undone = [];

  get canUndo() { return this.#done.length > 0; }
  get canRedo() { return this.#undone.length > 0; }

  /** Add a stroke {points: [[x, y], …], width, erase}, or a picture {ink} that replaces all. */
  add(step) {
    this.#done.push(step);
    this.#undone = [];
  }

  clear() {
    if (!this.isBlank) this.add({ blank: true });
  }

  undo() {
    if (this.canUndo) this.#undone.push(this.#done.pop());
  }

  redo() {
    if (this.canRedo) this.#done.push(this.#undone.pop());
  }

  /** Whether nothing was drawn since it was blank. */
  get isBlank() {
    return !this.#visible().some((step) => step.ink || (step.points && !step.erase));
  }

  /** Whether a loaded picture is part of it. */
  get hasPicture() {
    return this.#visible().some((step) => step.ink);
  }

  /** Paint it onto a transparent canvas of side × side pixels. */
  paint(context, side) {
    context.clearRect(0, 0, side, side);
    for (const step of this.#visible()) {
      if (step.ink) context.drawImage(step.ink, 0, 0, side, side);
      else if (step.points) paintStroke(context, side, step);
    }
  }

  /** As PNG, black on white, or null where every line was erased again. */
  async png(side) {
    const layer = square(side);
    this.paint(layer.getContext("2d"), side);
    const sheet = square(side);
    const context = sheet.getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    context.drawImage(layer, 0, 0);
    const { data } = context.getImageData(0, 0, side, side);
    let dark = false;
    for (let i = 0; i < data.length && !dark; i += 4) dark = data[i] < 200;
    return dark ? new Promise((made) => sheet.toBlob(made, "image/png")) : null;
  }

  #visible() {
    const start = this.#done.findLastIndex((step) => step.blank || step.ink);
    return this.#done.slice(Math.max(0, start));
  }
}

export function paintStroke(context, side, { points, width, erase }) {
  context.save();
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = width * side;
  context.strokeStyle = "#000";
  context.beginPath();
  const [first, ...others] = points.map(([x, y]) => [x * side, y * side]);
  context.moveTo(...first);
  // through the middles between points, so that few points still give a round line
  others.forEach(([x, y], i) => {
    const [nextX, nextY] = others[i + 1] ?? [x, y];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  if (!others.length) context.lineTo(...first);
  context.stroke();
  context.restore();
}

/** A dark-on-white picture as ink: black, and transparent where it is white. */
export function inkOf(picture, side) {
  const canvas = square(side);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const scale = side / Math.max(picture.width, picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
  const pixels = context.getImageData(0, 0, side, side);
  const { data } = pixels;
  for (let i = 0; i < data.length; i += 4) {
    data[i + 3] = 255 - (data[i] * 299 + data[i + 1] * 587 + data[i + 2] * 114) / 1000;
    data[i] = data[i + 1] = data[i + 2] = 0;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function square(side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  return canvas;
}
