// The proof beside the result: what each backend of this browser computes of the samples that came with the model.

import { byId, make } from "../page/elements.js";
import { milliseconds } from "../page/result_panel.js";

const NAMES = { wasm: "WebAssembly", webgpu: "WebGPU" };

export function showProof({ parity }, rows) {
  const used = rows.find((row) => row.used);
  const words = used
    ? `${parity.count} ${parity.count === 1 ? "sample" : "samples"} computed here and by ${parity.reference}, with which the site was made.`
    : rows.length
      ? "Comparing with what was computed where the site was made …"
      : "Opening the model …";
  const card = make(
    "section",
    { class: "card", id: "proof", "aria-labelledby": "proof-title" },
    make("h2", { id: "proof-title" }, "Proof"),
    make("p", { class: "proof-words" }, words),
    ...rows.map(proofRow),
  );
  document.getElementById("proof")?.remove();
  byId("card").before(card);
}

function proofRow({ backend, used, reason, threads, sqnr_db: sqnr, agreement, milliseconds: time }) {
  const facts = [];
  if (time !== undefined) {
    facts.push(sqnr === null ? "the same to the last bit" : `SQNR ${sqnr.toFixed(1)} dB`);
    if (agreement !== null) facts.push(`${agreement.toFixed(0)} % the same answer`);
    facts.push(`${milliseconds(time)} a sample`);
    if (backend === "wasm") facts.push(`${threads} ${threads === 1 ? "thread" : "threads"}`);
  }
  const verdict = used ? "used" : reason ? `not used: ${reason}` : "being compared …";
  return make(
    "p",
    { class: "proof-row" },
    make("strong", {}, NAMES[backend]),
    " ",
    make("span", { class: used ? "proof-used" : "proof-unused" }, verdict),
    facts.length ? make("small", {}, facts.join(" · ")) : null,
  );
}
