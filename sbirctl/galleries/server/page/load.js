// A picture or a file of strokes that was chosen, dropped or pasted.

import { request } from "./ask.js";
import { inkOf } from "./drawing.js";

const LARGEST = 1280; // side in pixels of what is sent: models see far less

/** {ink, photo, warning}: the drawing in it, the picture itself (null for a file of strokes),
    and what of the file is left out. */
export async function load(file) {
  const photo = await shrunk(file);
  const answer = await request("api/drawing", {}, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: photo ?? (await firstLine(file)),
  });
  const cleaned = await createImageBitmap(await answer.blob());
  const warning = decodeURIComponent(answer.headers.get("X-Warnings") ?? "");
  return { ink: inkOf(cleaned, 1024), photo, warning };
}

/** The first picture of a drop or paste, or null. */
export function fileOf(transfer) {
  return [...(transfer?.files ?? [])][0] ?? null;
}

/** Of a file of strokes only the first line, its first drawing; any other file as it is. */
async function firstLine(file) {
  const start = file.slice(0, 400_000);
  const text = file.name?.endsWith(".ndjson") ? (await start.text()).trimStart() : "";
  return text.includes("\n") ? new Blob([text.slice(0, text.indexOf("\n"))]) : file;
}

async function shrunk(file) {
  if (file.type === "image/svg+xml") return null;
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null; // nothing this browser can decode; the server may
  }
  const scale = Math.min(1, LARGEST / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((made) => canvas.toBlob(made, "image/png"));
}
