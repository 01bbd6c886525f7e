// Keeps the site for times without a network, and gives its pages the headers that threads in WebAssembly need.
// Before this stands SITE = {version, files: {path: sha256}}; a site of other contents has another version.

const CACHE = `edgevision ${SITE.version}`;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};
const FIRST = "index.html";

self.addEventListener("activate", (event) => event.waitUntil(activate()));

async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith("edgevision ") && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

self.addEventListener("fetch", (event) => {
  const path = pathOf(event.request.url);
  if (event.request.method === "GET" && path in SITE.files) event.respondWith(answer(path));
});

// Keeps all files that this browser may need, when the page has what it began with.
self.addEventListener("message", (event) => {
  if (event.data.keep) event.waitUntil(keepAll(event.data.webgpu).catch(() => {}));
});

async function keepAll(webgpu) {
  for (const path of Object.keys(SITE.files)) if (webgpu || !/webgpu|jspi/.test(path)) await keep(path);
}

// The file of the site that an address names; the empty path is the page.
function pathOf(address) {
  const url = new URL(address);
  if (!url.href.startsWith(self.registration.scope)) return null;
  return decodeURIComponent(url.pathname.slice(new URL(self.registration.scope).pathname.length)) || FIRST;
}

// Until a file is kept it comes from where the site lies, as it arrives.
async function answer(path) {
  return (await (await cache()).match(addressOf(path))) ?? isolated(await fetched(path));
}

// What is not the file of this version is not kept.
async function keep(path) {
  const kept = await cache();
  if (await kept.match(addressOf(path))) return;
  const response = await fetched(path);
  const bytes = await response.clone().arrayBuffer();
  if (response.ok && (await digest(bytes)) === SITE.files[path]) await kept.put(addressOf(path), isolated(response));
}

let opened = null;
const cache = () => (opened ??= caches.open(CACHE));
const addressOf = (path) => new URL(path, self.registration.scope);
const fetched = (path) => fetch(addressOf(path), { cache: "no-cache" });

function isolated({ body, status, statusText, headers: given }) {
  const headers = new Headers(given);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(body, { status, statusText, headers });
}

async function digest(bytes) {
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
