// One photo, large, with its path; arrow keys go to the next.

import { query, request } from "./ask.js";
import { nameOf } from "./photos.js";

const part = (id) => document.getElementById(id);

export class Viewer extends EventTarget {
  #dialog = part("viewer");
  #photo = part("viewer-photo");
  #hits = []; // as found when it was opened, whatever is found behind it
  #at = 0;
  #gallery = "";

  constructor(photos) {
    super();
    part("previous").addEventListener("click", () => this.#go(-1));
    part("next").addEventListener("click", () => this.#go(1));
    part("close").addEventListener("click", () => this.#dialog.close());
    part("viewer-like").addEventListener("click", () => this.#like());
    part("copy").hidden = !navigator.clipboard;
    part("copy").addEventListener("click", () => this.#copy());
    part("show").addEventListener("click", () => this.#inFolder());
    this.#photo.addEventListener("error", () => this.#gone(true));
    this.#dialog.addEventListener("close", () => {
      this.#photo.removeAttribute("src");
      photos.focus(Math.max(0, photos.hits.findIndex((hit) => hit.id === this.#hit.id)));
    });
    this.#dialog.addEventListener("click", (event) => {
      if (event.target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show one of hits [{id, score, path}, …] of a gallery. */
  open(hit, hits, gallery) {
    this.#gallery = gallery;
    this.#hits = hits;
    this.#at = hits.indexOf(hit);
    this.#show();
    this.#dialog.showModal();
  }

  get #hit() { return this.#hits[this.#at]; }

  #show() {
    const hit = this.#hit;
    this.#gone(false);
    const place = `photo/${hit.id}?${query({ gallery: this.#gallery.split("\n") })}`;
    this.#photo.src = place;
    this.#photo.alt = nameOf(hit.path);
    part("original").href = place;
    part("viewer-name").textContent = nameOf(hit.path);
    part("viewer-score").textContent = hit.score.toFixed(3);
    part("viewer-path").textContent = hit.path;
    part("copy").textContent = "Copy path";
    part("show").textContent = "Show in folder";
    part("previous").disabled = this.#at <= 0;
    part("next").disabled = this.#at >= this.#hits.length - 1;
  }

  #gone(yes) {
    this.#photo.hidden = yes;
    part("viewer-gone").hidden = !yes;
    part("viewer-gone").textContent = "This photo is not there any more, or has changed since it was indexed.";
  }

  #go(step) {
    if (!this.#hits[this.#at + step]) return;
    this.#at += step;
    this.#show();
  }

  #like() {
    this.#dialog.close();
    this.dispatchEvent(new CustomEvent("like", { detail: this.#hit }));
  }

  async #copy() {
    await navigator.clipboard.writeText(this.#hit.path);
    part("copy").textContent = "Copied";
  }

  /** Whether the server can open its machine's file manager. */
  set shows(yes) { part("show").hidden = !yes; }

  async #inFolder() {
    const hit = this.#hit;
    const say = (words) => { if (hit === this.#hit) part("show").textContent = words; };
    say("Opening …");
    try {
      await request(`api/show/${hit.id}`, { gallery: this.#gallery.split("\n") }, { method: "POST" });
      say("Shown");
    } catch (error) {
      say(error.message);
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") this.#go(-1);
    else if (event.key === "ArrowRight") this.#go(1);
    else if (event.key.toLowerCase() === "m") this.#like();
    else return;
    event.preventDefault();
  }
}
