// What answers the page: here the server that it came from.

import "./token_dialog.js";

export { openStream, prepare, readModel, readModels, readTasks, runTask } from "./server.js";
