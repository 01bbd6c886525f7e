// What makes shares of 0..1 of the numbers that a network ends in.

export const sigmoid = (value) => 0.5 * (1 + Math.tanh(0.5 * value));

export function softmax(values) {
  const most = Math.max(...values);
  const powers = Array.from(values, (value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

// Of one row of numbers, by "none", "sigmoid" or "softmax".
export function activated(values, activation) {
  if (activation === "sigmoid") return Array.from(values, sigmoid);
  return activation === "softmax" ? softmax(values) : Array.from(values);
}
