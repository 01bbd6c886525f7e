// The browser's camera through a task: frames go out, answers come back, and each is shown on its frame.

import { readAnswer } from "./answer.js";
import { openStream } from "./backend.js";
import { byId } from "./elements.js";
import { decode } from "./pictures.js";
import { Refusal } from "./refusal.js";
import { showResult } from "./result_panel.js";

const WIDTH = 640;
const JPEG_QUALITY = 0.85;
const RATE_OVER = 2000;
const WORDS_EVERY = 400;
const AGAIN_AFTER = 1000;

export class CameraView {
  isOpen = false;
  #stream = null;
  #tracks = [];
  #sent = null;
  #shown = null;
  #recent = [];
  #told = 0;

  constructor(stage, chooser, problems) {
    this.stage = stage;
    this.chooser = chooser;
    this.problems = problems;
    byId("camera-start").addEventListener("click", () => this.#start());
    byId("camera-stop").addEventListener("click", () => this.#stop());
  }

  open() {
    this.isOpen = true;
    const usable = ({ inputs }) => inputs.length === 1 && inputs[0] === "image";
    this.chooser.limit(usable);
    if (!usable(this.chooser.task)) this.chooser.choose(this.chooser.tasks.find(usable)?.name ?? this.chooser.task.name);
    byId("camera-empty").hidden = false;
  }

  close() {
    this.isOpen = false;
    this.#stop();
    byId("camera-empty").hidden = true;
  }

  // Another task, model or option: a new stream for the same camera.
  restart() {
    if (this.#tracks.length) this.#connect();
  }

  async #start() {
    this.problems.hideProblem();
    if (!navigator.mediaDevices) {
      const remedy = "Open it as http://127.0.0.1 on the server's own machine, or start the server with --cert and --key.";
      return this.problems.showProblem("Browsers lend the camera only to pages of this machine or over HTTPS.", remedy);
    }
    try {
      const wanted = { video: { width: { ideal: WIDTH }, facingMode: "environment" }, audio: false };
      const media = await navigator.mediaDevices.getUserMedia(wanted);
      this.#tracks = media.getTracks();
      byId("video").srcObject = media;
      await byId("video").play();
    } catch (error) {
      return this.problems.showProblem(...refused(error));
    }
    byId("camera-empty").hidden = true;
    byId("camera-stop").hidden = false;
    this.#connect();
  }

  #stop() {
    this.#disconnect();
    for (const track of this.#tracks) track.stop();
    this.#tracks = [];
    byId("video").srcObject = null;
    byId("camera-stop").hidden = true;
    byId("camera-empty").hidden = !this.isOpen;
    this.stage.clear();
  }

  #disconnect() {
    const stream = this.#stream;
    this.#stream = null;
    stream?.close();
  }

  async #connect() {
    const fields = this.chooser.fields();
    if (!fields) return;
    this.#disconnect();
    const specification = await this.chooser.specification();
    const handlers = {
      opened: () => this.#send(stream),
      answered: (answer) => this.#answered(stream, answer, specification),
      ended: (refusal) => this.#stream === stream && this.#fail(refusal),
    };
    let stream = null;
    try {
      stream = openStream(this.chooser.task.name, fields, handlers);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#fail(error);
    }
    this.#recent = [];
    this.#sent = null;
    this.#stream = stream;
  }

  #fail({ message, remedy }) {
    this.#stop();
    this.problems.showProblem(message, remedy);
  }

  // The next frame goes when the last is answered, so what is looked at is always the newest.
  async #send(stream) {
    const video = byId("video");
    const frame = await createImageBitmap(video);
    const canvas = new OffscreenCanvas(frame.width, frame.height);
    canvas.getContext("2d").drawImage(frame, 0, 0);
    const picture = await canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
    if (this.#stream !== stream) return;
    if (!this.#sent) this.stage.showPicture(frame, "The camera");
    this.#sent = { frame, time: performance.now() };
    stream.send(picture);
  }

  async #answered(stream, { document, blob }, specification) {
    const { frame, time } = this.#sent;
    const after = document ? null : await decode(blob);
    if (this.#stream !== stream) return;
    // A frame that fails ends nothing: the server may only be busy.
    if (document?.error) {
      this.problems.showProblem(new Refusal(document.error.message).message);
      return setTimeout(() => this.#send(stream), AGAIN_AFTER);
    }
    this.problems.hideProblem();
    const milliseconds = performance.now() - time;
    const answer = document && readAnswer(document, specification);
    if (answer) this.stage.showAnswer(frame, answer, "The camera, with what was found");
    else this.stage.showComparison(frame, after, "The camera, before and after the model");
    this.#shown?.close();
    this.#shown = frame;
    this.#tell(answer, milliseconds);
    this.#send(stream);
  }

  // Words change slowly enough to be read.
  #tell(answer, milliseconds) {
    const now = performance.now();
    this.#recent = [...this.#recent.filter((time) => now - time < RATE_OVER), now];
    if (now - this.#told < WORDS_EVERY) return;
    this.#told = now;
    const rate = (1000 * this.#recent.length) / RATE_OVER;
    const model = this.chooser.model?.name;
    const live = { task: this.chooser.task.name, answer, model, milliseconds, rate, stages: [] };
    showResult(live, {});
  }
}

// Why there is no camera, and what to do about it.
function refused({ name, message }) {
  if (name === "NotAllowedError") return ["The browser keeps the camera back.", "Allow it beside the page's address, and start again."];
  if (name === "NotFoundError") return ["There is no camera.", "Connect one, and start again."];
  if (name === "NotReadableError") return ["The camera is in use elsewhere.", "End the other programme, and start again."];
  return ["The camera cannot be used.", message];
}
