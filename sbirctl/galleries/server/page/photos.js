// The photos found, as a grid that keeps its pictures while the order changes.

import { query } from "./ask.js";

const CLICK = 300; // ms at most from a finger's lift to the click that the browser makes of it

export class Photos extends EventTarget {
  #list;
  #hits = [];
  #items = new Map();
  #gallery = "";
  #pressed = false; // a finger or button is down on a photo, or its click has yet to come
  #wanted = null; // what to show after that
  #timer = 0;

  constructor(list) {
    super();
    this.#list = list;
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("pointerdown", (event) => event.button || this.#press());
    addEventListener("pointerup", () => this.#release(CLICK));
    for (const end of ["click", "pointercancel"]) addEventListener(end, () => this.#release(0));
  }

  get hits() { return this.#hits; }

  /** The gallery that the photos are of; the names of several end lines. */
  get gallery() { return this.#gallery; }

  /** Show hits [{id, score, path}, …] of a gallery, under a press as soon as it is over. */
  show(hits, gallery) {
    if (this.#pressed) this.#wanted = [hits, gallery];
    else this.#replace(hits, gallery);
  }

  // A photo that is moved between press and click gets no click, or another photo gets it.
  #press() {
    clearTimeout(this.#timer);
    this.#pressed = true;
  }

  #release(wait) {
    if (!this.#pressed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#pressed = false;
      if (this.#wanted) this.#replace(...this.#wanted);
      this.#wanted = null;
    }, wait);
  }

  #replace(hits, gallery) {
    if (gallery !== this.#gallery) this.#items.clear();
    this.#gallery = gallery;
    const focused = this.#items.size && this.#list.contains(document.activeElement);
    const before = this.#items;
    this.#items = new Map();
    this.#hits = hits;
    for (const hit of hits) {
      const item = before.get(hit.id) ?? this.#make(hit);
      item.querySelector(".score").textContent = hit.score.toFixed(3);
      this.#items.set(hit.id, item);
    }
    const kept = focused && document.activeElement;
    this.#list.replaceChildren(...this.#items.values());
    const buttons = this.#buttons();
    buttons.forEach((button, i) => (button.tabIndex = i ? -1 : 0));
    if (kept?.isConnected) kept.focus({ preventScroll: true });
    else if (focused) buttons[0]?.focus({ preventScroll: true });
  }

  /** Put the focus on the first photo, or that with an index. */
  focus(index = 0) {
    const buttons = this.#buttons();
    buttons.forEach((button, i) => (button.tabIndex = i === index ? 0 : -1));
    buttons[index]?.focus();
  }

  #buttons() {
    return [...this.#list.querySelectorAll(".photo")];
  }

  #make(hit) {
    const item = document.createElement("li");
    const photo = element("button", "photo", { type: "button", title: hit.path });
    const name = nameOf(hit.path);
    photo.setAttribute("aria-label", `Open ${name}`);
    const image = element("img", "", { alt: "", decoding: "async", src: thumbnail(hit.id, this.#gallery) });
    image.addEventListener("error", () => item.classList.add("gone"));
    photo.append(image);
    photo.addEventListener("click", () => this.#tell("open", hit.id));
    const like = element("button", "like", { type: "button", title: "More like this (M)", tabIndex: -1 });
    like.setAttribute("aria-label", `More like ${name}`);
    like.append(element("b", "", { textContent: "≈" }), element("span", "", { textContent: "More like this" }));
    like.addEventListener("click", () => this.#tell("like", hit.id));
    const line = element("div", "line", { title: hit.path });
    line.append(element("span", "name", { textContent: name }), element("span", "score"));
    item.append(photo, like, line);
    return item;
  }

  #tell(what, id) {
    const detail = this.#hits.find((hit) => hit.id === id); // with the score it has by now
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }

  #key(event) {
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement);
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const top = buttons[0].getBoundingClientRect().top;
    const columns = buttons.filter((one) => Math.abs(one.getBoundingClientRect().top - top) < 2).length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    if (event.key in steps) this.focus(Math.min(buttons.length - 1, Math.max(0, at + steps[event.key])));
    else if (event.key === "Home") this.focus(0);
    else if (event.key === "End") this.focus(buttons.length - 1);
    else if (event.key.toLowerCase() === "m") this.#tell("like", this.#hits[at].id);
    else return;
    event.preventDefault();
  }
}

export function nameOf(path) {
  return path.split(/[/\\]/).filter(Boolean).at(-1) ?? path;
}

export function thumbnail(id, gallery) {
  return `thumbnail/${id}?${query({ gallery: gallery.split("\n") })}`;
}

function element(tag, className, properties = {}) {
  return Object.assign(document.createElement(tag), { className }, properties);
}
