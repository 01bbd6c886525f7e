// Why something was not done, in words, and what to do about it.

export class Refusal extends Error {
  constructor(message, remedy = "") {
    super(sentence(message));
    this.remedy = remedy;
  }
}

// `text` as a sentence; names of files stay as they are.
const sentence = (text) => {
  const begun = text.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1));
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
};
