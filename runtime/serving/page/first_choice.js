// What a page begins with.

// The first task that paints a mask, which shows most; else the first.
export const firstTask = (tasks) => tasks.find(({ inputs }) => inputs.includes("mask")) ?? tasks[0];

// Of the models for a task the one that `name` names, else the default.
export function defaultModel(models, task, name = null) {
  const fitting = models.filter((model) => model.task === task);
  return fitting.find((model) => model.name === name) ?? fitting.find((model) => model.default) ?? fitting[0];
}
