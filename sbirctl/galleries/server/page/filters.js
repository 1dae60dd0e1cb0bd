// Which photos are wanted: below a folder, taken on some days, of some score.

const part = (id) => document.getElementById(id);
const NAMES = ["in", "since", "until", "min"];

export class Filters extends EventTarget {
  constructor() {
    super();
    for (const name of NAMES) part(`filter-${name}`).addEventListener("change", () => this.#changed());
    part("filter-none").addEventListener("click", () => this.#clear());
    addEventListener("pointerdown", (event) => {
      if (!part("filters").contains(event.target)) this.close();
    });
    part("filters").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !part("filters").open) return;
      event.preventDefault();
      this.close();
      part("filters").querySelector("summary").focus();
    });
  }

  /** As a search has them: {in, since, until, min}, empty where all are wanted. */
  get values() {
    return Object.fromEntries(NAMES.map((name) => [name, part(`filter-${name}`).value]));
  }

  /** The folders of the gallery; what they have in common is not shown. */
  set folders(all) {
    const chosen = part("filter-in").value;
    const common = all.length ? all.reduce(shared) : "";
    const cut = common.lastIndexOf("/", common.length - 2) + 1;
    const options = all.map((folder) => new Option(folder.slice(cut), folder));
    part("filter-in").replaceChildren(new Option("all", ""), ...options);
    part("filter-in").value = all.includes(chosen) ? chosen : "";
    this.#count();
  }

  close() {
    part("filters").open = false;
  }

  focus() {
    part("filters").open = true;
    part("filter-in").focus();
  }

  #clear() {
    for (const name of NAMES) part(`filter-${name}`).value = "";
    this.#changed();
  }

  #changed() {
    this.#count();
    this.dispatchEvent(new Event("change"));
  }

  #count() {
    const count = Object.values(this.values).filter(Boolean).length;
    part("filter-count").textContent = count ? ` (${count})` : "";
  }
}

function shared(a, b) {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}
