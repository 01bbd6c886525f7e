// A server that wants a token gets it from whoever sits here.

import { byId } from "./elements.js";
import { onTokenWanted } from "./server.js";

onTokenWanted(
  (wrong) =>
    new Promise((resolve) => {
      const dialog = byId("token-dialog");
      byId("token-problem").textContent = wrong ? "That is not the token of this server." : "";
      byId("token").value = "";
      byId("token-form").onsubmit = () => resolve(byId("token").value);
      dialog.oncancel = (event) => event.preventDefault();
      dialog.showModal();
    }),
);
