"use strict";
// Graphs: zoom by buttons, wheel and fingers, moving by mouse, search, and what is known of a layer on a click.
for (const view of document.querySelectorAll(".graph")) {
  const pane = view.querySelector(".pane"), svg = pane.querySelector("svg"), found = view.querySelector("output");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const nodes = [...svg.querySelectorAll(".node")];
  let zoom = 1, matches = [], current = -1, chosen = null;

  function setZoom(to, x = pane.clientWidth / 2, y = pane.clientHeight / 2) {
    const next = Math.min(4, Math.max(0.05, to)), ratio = next / zoom;
    const left = (pane.scrollLeft + x) * ratio - x, top = (pane.scrollTop + y) * ratio - y;
    zoom = next;
    svg.setAttribute("width", width * zoom);
    svg.setAttribute("height", height * zoom);
    pane.scrollTo(left, top);
  }
  function fit() {
    setZoom(Math.max(0.2, Math.min(pane.clientWidth / width, pane.clientHeight / height)));
  }
  function centre(node) {
    const box = node.getBoundingClientRect(), outer = pane.getBoundingClientRect();
    pane.scrollBy(box.x + box.width / 2 - outer.x - outer.width / 2, box.y + box.height / 2 - outer.y - outer.height / 2);
  }
  function choose(node, scroll) {
    if (chosen) {
      chosen.classList.remove("chosen");
      document.getElementById("d" + chosen.dataset.node).hidden = true;
    }
    chosen = node;
    node.classList.add("chosen");
    const detail = document.getElementById("d" + node.dataset.node);
    view.querySelector(".hint").hidden = true;
    detail.hidden = false;
    if (scroll) detail.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
  view.querySelector(".in").onclick = () => setZoom(zoom * 1.3);
  view.querySelector(".out").onclick = () => setZoom(zoom / 1.3);
  view.querySelector(".fit").onclick = fit;
  pane.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const outer = pane.getBoundingClientRect();
    setZoom(zoom * Math.exp(-event.deltaY / 300), event.clientX - outer.x, event.clientY - outer.y);
  }, { passive: false });

  let spread = 0;
  const distance = (touches) => Math.hypot(touches[0].clientX - touches[1].clientX, touches[0].clientY - touches[1].clientY);
  pane.addEventListener("touchstart", (event) => { if (event.touches.length === 2) spread = distance(event.touches) / zoom; });
  pane.addEventListener("touchmove", (event) => {
    if (event.touches.length !== 2) return;
    event.preventDefault();
    setZoom(distance(event.touches) / spread);
  }, { passive: false });

  let held = null, moved = false;
  pane.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") held = [event.clientX + pane.scrollLeft, event.clientY + pane.scrollTop];
    moved = false;
  });
  addEventListener("pointermove", (event) => {
    if (!held) return;
    const left = held[0] - event.clientX, top = held[1] - event.clientY;
    moved = moved || Math.abs(left - pane.scrollLeft) + Math.abs(top - pane.scrollTop) > 4;
    if (moved) pane.scrollTo(left, top);
  });
  addEventListener("pointerup", () => { held = null; });
  for (const node of nodes) {
    node.addEventListener("click", () => { if (!moved) choose(node, true); });
    node.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(node, true); });
  }

  const search = view.querySelector("input");
  function show(step) {
    if (!matches.length) return;
    current = (current + step + matches.length) % matches.length;
    found.value = current + 1 + " of " + matches.length;
    centre(matches[current]);
  }
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(" ").filter(Boolean);
    const fits = (node) => words.length && words.every((word) => node.dataset.words.includes(word));
    matches = nodes.filter(fits);
    for (const node of nodes) node.classList.toggle("found", matches.includes(node));
    svg.classList.toggle("searched", words.length > 0);
    current = -1;
    found.value = words.length ? "none" : "";
    show(1);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") show(event.shiftKey ? -1 : 1);
  });
  for (const link of document.querySelectorAll("[data-show]")) {
    const node = svg.querySelector("[data-node='" + link.dataset.show + "']");
    if (node) link.addEventListener("click", (event) => {
      event.preventDefault();
      setZoom(1);
      choose(node, false);
      view.scrollIntoView({ block: "start" });
      centre(node);
    });
  }
  setZoom(Math.max(0.75, Math.min(1, pane.clientWidth / width)));
  pane.scrollTo((width * zoom - pane.clientWidth) / 2, 0);
}
// Pictures over each other: the one on top ends where the slider stands.
for (const slider of document.querySelectorAll(".over input")) {
  const move = () => slider.closest(".over").style.setProperty("--cut", slider.value + "%");
  slider.addEventListener("input", move);
  move();
}
