// What happens when: the drawing, the gallery and the photos found.

import { Asker, request } from "./ask.js";
import { Filters } from "./filters.js";
import { bindKeys } from "./keys.js";
import { fileOf, load } from "./load.js";
import { Pad } from "./pad.js";
import { Photos, nameOf, thumbnail } from "./photos.js";
import { Viewer } from "./viewer.js";

const part = (id) => document.getElementById(id);
const pad = new Pad(part("pad"), part("cursor"));
const photos = new Photos(part("photos"));
const viewer = new Viewer(photos);
const filters = new Filters();
const asker = new Asker(show, fail, busy);
const COUNT = 48; // photos at first, and again each time the end of them comes into sight
const MOST = 960;
const LOOK = 2000; // ms between questions whether photos have come or gone
let wanted = COUNT;
const end = new IntersectionObserver(more, { rootMargin: "600px" });
let galleries = [];
let watching = 0;
let likeness = null; // the photo that more of is looked for
let given = null; // {name, photo, asPhoto} of a loaded picture

const gallery = () => part("gallery").value; // the names of several end lines
const chosen = () => gallery().split("\n");

// Searching

function question(signal) {
  const parameters = { gallery: chosen(), k: wanted, ...filters.values };
  if (likeness) return read(`api/like/${likeness.id}`, parameters, { signal });
  return byDrawing(parameters, signal);
}

async function byDrawing(parameters, signal) {
  const words = part("words-line").hidden ? "" : part("words").value.trim();
  const photo = given?.asPhoto ? given.photo : null;
  const picture = photo ?? (await pad.png());
  if (!picture && !words) return null;
  const headers = { "Content-Type": "application/octet-stream" };
  const more = { ...parameters, as: photo ? "photo" : "sketch", words };
  const options = { method: "POST", headers, body: picture ?? new Blob(), signal };
  return read("api/search", more, options);
}

async function read(path, parameters, options) {
  return (await request(path, parameters, options)).json();
}

function ask(live = false) {
  wanted = COUNT;
  const nothing = !likeness && !given?.asPhoto && pad.isBlank && !part("words").value.trim();
  if (nothing) {
    asker.forget();
    show(null);
  } else if (live) {
    asker.soon(question);
  } else {
    asker.now(question);
  }
}

function show(answer) {
  part("trouble").hidden = true;
  const hits = answer?.photos ?? [];
  photos.show(hits, gallery());
  part("empty").hidden = hits.length > 0;
  end.disconnect();
  end.observe(part("end")); // tells at once whether it is in sight
  const time = answer?.embed_ms ? `${Math.round(answer.embed_ms + answer.search_ms)} ms` : "";
  const unlikely = answer?.likely === false && hits.length ? "Perhaps nothing like it is here; the nearest:" : "";
  const said = answer ? [[unlikely, plural(hits.length)].join(" ").trim(), time, ...(answer.warnings ?? [])] : [];
  part("status").textContent = said.filter(Boolean).join(" · ");
}

/** Ask for more photos, when those that are there have been scrolled through. */
function more(entries) {
  const full = photos.hits.length === wanted && wanted < MOST;
  if (!full || !entries.some((entry) => entry.isIntersecting)) return;
  wanted += COUNT;
  asker.now(question);
}

/** Whether an answer is yet to come. */
function busy(yes) {
  part("found").setAttribute("aria-busy", String(yes));
}

function fail(error) {
  part("trouble").textContent = error.message;
  part("trouble").hidden = false;
  part("status").textContent = "";
}

function plural(count) {
  return `${count.toLocaleString("en")} ${count === 1 ? "photo" : "photos"}`;
}

// More like this

function like(hit) {
  likeness = hit;
  part("back").hidden = part("like").hidden = !hit;
  if (hit) {
    part("like").src = thumbnail(hit.id, gallery());
    part("like").alt = `like ${nameOf(hit.path)}`;
    scrollTo({ top: 0 });
  }
  ask();
}

photos.addEventListener("open", (event) => viewer.open(event.detail, photos.hits, photos.gallery));
photos.addEventListener("like", (event) => like(event.detail));
viewer.addEventListener("like", (event) => like(event.detail));
part("back").addEventListener("click", () => like(null));

// Drawing

pad.addEventListener("change", (event) => {
  if (given && !given.asPhoto && !pad.drawing.hasPicture) setGiven(null);
  drawn();
  if (likeness) like(null);
  else ask(event.detail.live || !pad.isBlank);
});

function drawn() {
  const { drawing } = pad;
  part("invite").hidden = !pad.isBlank || given !== null;
  part("undo").disabled = !drawing.canUndo || Boolean(given?.asPhoto);
  part("redo").disabled = !drawing.canRedo || Boolean(given?.asPhoto);
  part("clear").disabled = drawing.isBlank && !given;
}

function tool(erasing) {
  pad.erasing = erasing;
  part("pen").setAttribute("aria-checked", String(!erasing));
  part("eraser").setAttribute("aria-checked", String(erasing));
  part("pad").classList.toggle("erasing", erasing);
}

function width(change = 0) {
  const slider = part("width");
  slider.value = Number(slider.value) + change;
  pad.width = Number(slider.value) / 1000;
  part("dot").setAttribute("r", 1 + Number(slider.value) / 6);
}

function clear() {
  setGiven(null);
  pad.change("clear");
}

part("pad").addEventListener("pointerdown", () => (part("invite").hidden = true), { capture: true });
part("pen").addEventListener("click", () => tool(false));
part("eraser").addEventListener("click", () => tool(true));
part("width").addEventListener("input", () => width());
part("undo").addEventListener("click", () => pad.change("undo"));
part("redo").addEventListener("click", () => pad.change("redo"));
part("clear").addEventListener("click", clear);
part("words").addEventListener("input", () => ask(true));

// Loading a picture

async function open(file) {
  if (!file) return;
  part("desk").setAttribute("aria-busy", "true");
  try {
    const { ink, photo, warning } = await load(file);
    setGiven({ name: file.name || "pasted picture", photo, warning, asPhoto: false });
    pad.change("add", { ink });
  } catch (error) {
    fail(error);
  } finally {
    part("desk").removeAttribute("aria-busy");
  }
}

function setGiven(to) {
  if (given?.asPhoto) URL.revokeObjectURL(part("given").src);
  given = to;
  const asPhoto = Boolean(to?.asPhoto);
  part("loaded").hidden = !to;
  part("loaded-name").textContent = [to?.name, to?.warning].filter(Boolean).join(" – ");
  part("as-photo").disabled = !to?.photo;
  part("as-photo").setAttribute("aria-checked", String(asPhoto));
  part("as-drawing").setAttribute("aria-checked", String(!asPhoto));
  part("given").hidden = !asPhoto;
  if (asPhoto) part("given").src = URL.createObjectURL(to.photo);
  drawn();
}

function takeAs(asPhoto) {
  setGiven({ ...given, asPhoto });
  if (likeness) like(null);
  else ask();
}

part("as-photo").addEventListener("click", () => takeAs(true));
part("as-drawing").addEventListener("click", () => takeAs(false));
part("load").addEventListener("click", () => part("file").click());
part("file").addEventListener("change", () => {
  open(part("file").files[0]);
  part("file").value = "";
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  part("sheet").classList.add("over");
});
addEventListener("dragleave", () => part("sheet").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  part("sheet").classList.remove("over");
  open(fileOf(event.dataTransfer));
});
addEventListener("paste", (event) => open(fileOf(event.clipboardData)));

filters.addEventListener("change", () => ask());

// The gallery

/** The gallery in a few words, and whether it is being looked through for new photos. */
function about() {
  const infos = galleries.filter((one) => chosen().includes(one.name));
  const count = infos.reduce((sum, one) => sum + one.photos, 0);
  const looking = infos.some((one) => one.looking) ? " · looking for new photos …" : "";
  part("about").textContent = infos.length ? `${plural(count)} · ${infos[0].model}${looking}` : "";
  return infos.some((one) => one.looking);
}

/** While the server looks for new photos, ask how far it is; search again when some came. */
async function watch() {
  clearTimeout(watching);
  const name = gallery();
  const before = photosOf(name);
  try {
    galleries = await (await request("api/galleries")).json();
  } catch {
    return; // the next search tells it
  }
  if (name !== gallery()) return;
  if (about()) watching = setTimeout(watch, LOOK);
  if (photosOf(name) !== before) ask();
}

function photosOf(name) {
  return JSON.stringify(galleries.filter((one) => name.split("\n").includes(one.name)).map((one) => one.photos));
}

async function choose() {
  const name = gallery();
  about();
  likeness = null;
  part("back").hidden = part("like").hidden = true;
  asker.forget(); // what was asked of the gallery before
  busy(true);
  try {
    const { words, folders, caution, shows } = await (await request("api/gallery", { gallery: chosen() })).json();
    if (name !== gallery()) return; // chosen anew meanwhile
    part("words-line").hidden = !words;
    viewer.shows = shows;
    part("caution").textContent = caution;
    part("caution").hidden = !caution;
    filters.folders = folders;
    ask();
    watch();
  } catch (error) {
    if (name !== gallery()) return;
    busy(false);
    show(null);
    fail(error);
  }
}

/** Each gallery, then those together that one model made. */
function choices() {
  const single = galleries.map((one) => new Option(one.name, one.name));
  const sets = galleries.filter((one) => one.with.length).map((one) => [one.name, ...one.with].sort());
  const together = new Map(sets.map((names) => [names.join("\n"), names]));
  return [...single, ...[...together].map(([value, names]) => new Option(names.join(" + "), value))];
}

async function start() {
  width();
  drawn();
  try {
    galleries = await (await request("api/galleries")).json();
  } catch (error) {
    fail(error);
    return;
  }
  part("gallery").replaceChildren(...choices());
  part("gallery").addEventListener("change", choose);
  await choose();
}

bindKeys({
  pen: () => tool(false),
  eraser: () => tool(true),
  width,
  undo: () => part("undo").click(), // does nothing while it is disabled
  redo: () => part("redo").click(),
  clear,
  load: () => part("file").click(),
  back: () => likeness && like(null),
  photos: () => photos.focus(),
  filters: () => filters.focus(),
});
part("help").addEventListener("click", () => part("keys").showModal());
start();
