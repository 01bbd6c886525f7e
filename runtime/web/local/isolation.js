// The site, kept so that it works without a network, and isolated by its service worker so that WebAssembly has threads.

const RELOADED = "edgevision-reloaded";
const PATIENCE = 5000;

// A sample that takes longer on one thread is worth to load the page again for more of them.
const WORTH_THREADS = 50;

// What the words of the page are where no server is.
const WORDS = {
  kept: "It stays on this device.",
  frames: "Frames stay on this device; the newest is always the next.",
  unseen: "This browser cannot show pictures of this kind. Save it as PNG, JPEG or WebP.",
};

// What site.json says, with its address.
export async function openSite() {
  for (const element of document.querySelectorAll("[data-words]")) element.textContent = WORDS[element.dataset.words];
  const address = new URL("../", import.meta.url).href;
  const response = await fetch(new URL("site.json", address));
  return { ...(await response.json()), address };
}

// Loads the page once more where a sample took `milliseconds` on its only thread and there could be more: with the
// service worker in control it has the headers that threads need. Whoever has begun with something is not disturbed.
export async function isolateFor(milliseconds) {
  const threads = self.crossOriginIsolated || navigator.hardwareConcurrency < 2;
  if (threads || milliseconds < WORTH_THREADS || sessionStorage.getItem(RELOADED) || isInUse()) return;
  if (!(await register())) return;
  if (!navigator.serviceWorker.controller) {
    const controlled = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true)));
    if (!(await Promise.race([controlled, new Promise((resolve) => setTimeout(resolve, PATIENCE))])) || isInUse()) return;
  }
  sessionStorage.setItem(RELOADED, "yes");
  location.reload();
  await new Promise(() => {});
}

// Has all files kept, which are then there the next time without a network; those for WebGPU where that runs.
export async function keepSite(webgpu) {
  if (!(await register())) return;
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage({ keep: true, webgpu });
}

const register = async () => navigator.serviceWorker?.register("sw.js").catch(() => null);

const isInUse = () => navigator.userActivation?.hasBeenActive || !document.getElementById("canvas").hidden;
