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

// All files that this browser may need, one after the other.
self.addEventListener("message", ({ data }) => {
  const needed = Object.keys(SITE.files).filter((path) => data.webgpu || !/webgpu|jspi/.test(path));
  if (data.keep) needed.reduce((before, path) => before.then(() => file(path)), Promise.resolve()).catch(() => {});
});

// The file of the site that an address names; the empty path is the page.
function pathOf(address) {
  const url = new URL(address);
  if (!url.href.startsWith(self.registration.scope)) return null;
  return decodeURIComponent(url.pathname.slice(new URL(self.registration.scope).pathname.length)) || FIRST;
}

async function answer(path) {
  const found = await file(path);
  const headers = new Headers(found.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}

// From the cache, else from where the site lies. What is not the file of this version is handed on, but not kept.
async function file(path) {
  const cache = await caches.open(CACHE);
  const address = new URL(path, self.registration.scope);
  const kept = await cache.match(address);
  if (kept) return kept;
  const response = await fetch(address, { cache: "no-cache" });
  if (response.ok && (await digest(response.clone())) === SITE.files[path]) await cache.put(address, response.clone());
  return response;
}

async function digest(response) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.arrayBuffer()));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
