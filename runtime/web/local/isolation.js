// The site, isolated by its service worker so that WebAssembly has threads, and kept so that it works without a network.

const RELOADED = "edgevision-reloaded";
const PATIENCE = 5000;

// What the words of the page are where no server is.
const WORDS = {
  kept: "It stays on this device.",
  frames: "Frames stay on this device; the newest is always the next.",
  unseen: "This browser cannot show pictures of this kind. Save it as PNG, JPEG or WebP.",
};

// What site.json says, with its address.
export async function openSite() {
  for (const element of document.querySelectorAll("[data-words]")) element.textContent = WORDS[element.dataset.words];
  await isolate();
  const address = new URL("../", import.meta.url).href;
  const response = await fetch(new URL("site.json", address));
  const site = await response.json();
  (self.requestIdleCallback ?? setTimeout)(keep);
  return { ...site, address };
}

// With its service worker in control the page is loaded once more, since only then it has the headers that threads need.
async function isolate() {
  if (!navigator.serviceWorker) return;
  const registration = await navigator.serviceWorker.register("sw.js").catch(() => null);
  if (!registration || self.crossOriginIsolated || sessionStorage.getItem(RELOADED)) return;
  if (!navigator.serviceWorker.controller) {
    const controlled = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true)));
    if (!(await Promise.race([controlled, new Promise((resolve) => setTimeout(resolve, PATIENCE))]))) return;
  }
  sessionStorage.setItem(RELOADED, "yes");
  location.reload();
  await new Promise(() => {});
}

// All files are fetched while nobody waits, and are there the next time without a network.
async function keep() {
  (await navigator.serviceWorker?.ready)?.active.postMessage({ keep: true, webgpu: Boolean(navigator.gpu) });
}
