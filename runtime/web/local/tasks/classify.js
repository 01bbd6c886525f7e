// A classifier: the probabilities of its labels.

import { preprocess } from "../preprocessing.js";
import { readPicture } from "../pictures.js";

export async function run({ engine, metadata, files, values, clock }) {
  const picture = await readPicture(files.image);
  clock("decode");
  const tensor = preprocess(picture, metadata.image);
  clock("preprocess");
  const [output] = await engine.run(tensor);
  clock("infer");
  return { document: { predictions: predictions(output.data, metadata, values.top) } };
}

// {label, probability} of the `count` best.
function predictions(output, { spec = {}, outputs }, count) {
  const activation = spec.activation ?? (isProbable(outputs, spec) ? "softmax" : "none");
  const scores = classScores(output, activation);
  const shares = probabilities(scores, activation, spec.multi_label);
  const labels = labelsFor(spec.labels ?? [], scores.length);
  const order = [...scores.keys()].sort((one, other) => scores[other] - scores[one] || one - other);
  return order.slice(0, count).map((index) => ({ label: labels[index], probability: shares[index] }));
}

const isProbable = ([{ value_range: range }], { multi_label: several }) => !several && range?.[0] === 0 && range[1] === 1;

// A network of one score says how much speaks for the second of two classes.
function classScores(output, activation) {
  const scores = [...output];
  if (scores.length > 1) return scores;
  if (activation === "none") return [0, scores[0]];
  if (activation === "log_softmax") return [Math.log1p(-Math.exp(Math.min(scores[0], 0))), scores[0]];
  return [1 - scores[0], scores[0]];
}

function probabilities(scores, activation, several) {
  if (activation === "log_softmax") return scores.map((score) => Math.exp(Math.min(score, 0)));
  if (activation !== "none") return scores.map((score) => Math.min(Math.max(score, 0), 1));
  if (several && scores.length > 2) return scores.map((score) => 1 / (1 + Math.exp(-score)));
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function labelsFor(labels, count) {
  if (labels.length === 1 && count === 2) return [`not ${labels[0]}`, labels[0]];
  return labels.length ? labels : Array.from({ length: count }, (_, index) => `class ${index}`);
}
