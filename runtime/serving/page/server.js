// What the page asks of the server.

import { Refusal } from "./refusal.js";

const REMEDIES = {
  413: "Send a smaller picture; the server was started with a limit (edgevision serve --help).",
  415: "Save it as PNG, JPEG or WebP and try again.",
  429: "The server has more to do than it can queue. Try again in a moment.",
  500: "The server's log says more.",
  503: "Try again, or ask who runs the server.",
};
const TOKEN = "edgevision-token";

let askForToken = async () => null;
let asking = null;

// `ask` is called when the server wants a token, and gives one; `wrong` is true where the last was refused.
export function onTokenWanted(ask) {
  // However many requests want it, it is asked for once.
  askForToken = (wrong) => (asking ??= ask(wrong).finally(() => (asking = null)));
}

const token = () => sessionStorage.getItem(TOKEN);

export const readTasks = async () => (await readJson("v1/tasks")).tasks;

export const readModels = async () => (await readJson("v1/models")).models;

export const readModel = (name) => readJson(`v1/models/${encodeURIComponent(name)}`);

// Runs `task` on `files` ({image, mask}); `wants` is "picture", "json" or "both". The answer:
// {blob, name, document, model, provider, stages: [{name, milliseconds}], milliseconds}.
export async function runTask(task, { files, fields, wants, signal }) {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  for (const [name, file] of Object.entries(files)) form.append(name, file, file.name ?? `${name}.png`);
  // Pictures are wanted as the one that was sent; where nobody writes that kind, as PNG.
  const pictures = `${files.image?.type || "image/*"}, image/png`;
  const accept = { picture: pictures, json: "application/json", both: `application/json, ${pictures}` }[wants];
  const began = performance.now();
  const path = `v1/run/${encodeURIComponent(task)}`;
  const response = await request(path, { method: "POST", body: form, headers: { Accept: accept }, signal });
  const answer = wants === "picture" ? { blob: await response.blob(), document: null } : await fromJson(response);
  return {
    ...answer,
    name: fileName(response.headers.get("Content-Disposition")),
    model: response.headers.get("X-Edgevision-Model"),
    provider: response.headers.get("X-Edgevision-Provider"),
    stages: stages(response.headers.get("Server-Timing")),
    milliseconds: performance.now() - began,
  };
}

// The server opens a model when it is asked for the first time.
export const prepare = () => {};

// A stream of pictures through `task`: {send, close}. `opened` is called when the first can be sent, `answered` with
// {blob} or {document} for each, `ended` with a Refusal when it is over.
export function openStream(task, fields, { opened, answered, ended }) {
  const address = new URL(`v1/stream/${encodeURIComponent(task)}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  for (const [name, value] of fields) address.searchParams.append(name, value);
  const socket = openSocket(address);
  socket.binaryType = "blob";
  socket.onopen = opened;
  socket.onmessage = ({ data }) => answered(typeof data === "string" ? { document: JSON.parse(data) } : { blob: data });
  socket.onclose = ({ reason }) => ended(new Refusal(reason || "the server ended the stream", "Start the camera again."));
  return {
    send: (picture) => socket.readyState === WebSocket.OPEN && socket.send(picture),
    close: () => socket.close(),
  };
}

// A token is sent as a protocol's name, in which some signs cannot be.
function openSocket(address) {
  try {
    return new WebSocket(address, token() ? ["bearer", token()] : []);
  } catch {
    throw new Refusal("A browser cannot send this token with a stream.", "Start the server with one of letters and digits.");
  }
}

// The JSON holds the picture, where there is one, as base64.
async function fromJson(response) {
  const { image, ...document } = await response.json();
  if (!image) return { blob: null, document };
  const bytes = Uint8Array.from(atob(image), (character) => character.charCodeAt(0));
  return { blob: new Blob([bytes], { type: document.media_type ?? imageType(bytes) }), document };
}

// `name;dur=1.5, other;dur=3`
function stages(header) {
  return (header ?? "")
    .split(",")
    .map((entry) => /^\s*([^;\s]+).*?;\s*dur=([\d.]+)/.exec(entry))
    .filter(Boolean)
    .map(([, name, milliseconds]) => ({ name, milliseconds: Number(milliseconds) }));
}

const fileName = (disposition) => /filename="([^"]+)"/.exec(disposition ?? "")?.[1] ?? null;

async function readJson(path) {
  return (await request(path)).json();
}

async function request(path, { headers = {}, ...settings } = {}) {
  for (let wrong = false; ; wrong = true) {
    const authorization = token() ? { Authorization: `Bearer ${token()}` } : {};
    let response;
    try {
      response = await fetch(path, { ...settings, headers: { ...headers, ...authorization } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refusal("The server does not answer.", "See whether edgevision serve still runs, and try again.");
    }
    if (response.ok) return response;
    if (response.status !== 401) throw await refusal(response);
    sessionStorage.setItem(TOKEN, await askForToken(wrong && Boolean(token())));
  }
}

async function refusal(response) {
  const { status } = response;
  const document = await response.json().catch(() => ({}));
  const message = document.error?.message ?? `The server answered ${status} ${response.statusText}.`;
  const wait = Number(response.headers.get("Retry-After"));
  const remedy = wait ? `Try again in ${wait} ${wait === 1 ? "second" : "seconds"}.` : REMEDIES[status];
  return new Refusal(message, remedy);
}

const SIGNATURES = [
  [[0xff, 0xd8], "image/jpeg"],
  [[0x89, 0x50], "image/png"],
  [[0x52, 0x49], "image/webp"],
  [[0x47, 0x49], "image/gif"],
];

// The type of a picture by its first bytes.
function imageType(bytes) {
  const found = SIGNATURES.find(([signature]) => signature.every((byte, index) => bytes[index] === byte));
  return found ? found[1] : "application/octet-stream";
}
