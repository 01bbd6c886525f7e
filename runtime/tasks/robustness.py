"""What a model's figure becomes on corrupted pictures, kind by kind and strength by strength; on adversarial ones."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgevision.core.errors import InputError
from edgevision.core.progress import track
from edgevision.core.records import Record, record
from edgevision.data.corruptions import STRENGTHS, CorruptedPictures, Corruption
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.tasks.evaluation import EvaluationOptions


@record
class RobustnessReport(Record):
    """One figure of a model, in percent, on pictures as they are and on corrupted ones.

    ``by_kind`` has five numbers for each kind, of the strengths 1 to 5; ``mean`` is over all of them, as the mean
    corruption error of the paper is 100 less it, without AlexNet's to divide by.
    """

    figure: str
    clean: float
    mean: float
    by_kind: Mapping[str, tuple[float, ...]]

    def table(self) -> str:
        """A line for each kind."""
        width = max(map(len, self.by_kind))
        lines = [f"{self.figure} on corrupted pictures, by strength (as they are {self.clean:.2f} %)"]
        lines.append(f"{'':<{width}}{''.join(f'{strength:>8}' for strength in STRENGTHS)}    mean")
        for kind, figures in self.by_kind.items():
            numbers = "".join(f"{figure:8.2f}" for figure in figures)
            lines.append(f"{kind:<{width}}{numbers}{sum(figures) / len(figures):8.2f}")
        return "\n".join([*lines, f"mean of all {self.mean:.2f} %"])

    def figures(self) -> dict[str, float]:
        """By the names that they have in a model's metadata."""
        means = {kind: sum(every) / len(every) for kind, every in self.by_kind.items()}
        return {f"{kind}_{self.figure}": mean for kind, mean in (("corrupted", self.mean), *means.items())}


@record
class AdversarialReport(Record):
    """The accuracy of a classifier in percent on ``images`` as they are and on adversarial ones.

    ``fgsm`` and ``pgd`` have a figure for each of the ``distances``, of 255 levels, that a pixel moves at most.
    """

    images: int
    distances: tuple[int, ...]
    clean: float
    fgsm: tuple[float, ...]
    pgd: tuple[float, ...]

    def table(self) -> str:
        """A line for each attack."""
        lines = [f"top1 on {self.images} adversarial pictures, by levels of 255 (as they are {self.clean:.2f} %)"]
        lines.append(f"{'':<6}{''.join(f'{distance:>8}' for distance in self.distances)}")
        for name, figures in (("fgsm", self.fgsm), ("pgd", self.pgd)):
            lines.append(f"{name:<6}{''.join(f'{figure:8.2f}' for figure in figures)}")
        return "\n".join(lines)

    def figures(self) -> dict[str, float]:
        """By the names that they have in a model's metadata."""
        attacks = (("fgsm", self.fgsm), ("pgd", self.pgd))
        return {
            f"{name}_{distance}_top1": figure
            for name, every in attacks
            for distance, figure in zip(self.distances, every, strict=True)
        }


def robustness_figure(task: str) -> str:
    """The figure of a task that corruptions are judged by; :class:`InputError` where it has none."""
    figure = find_task(task).robustness_figure
    if figure is None:
        known = [name for name in task_names() if find_task(name).robustness_figure]
        raise InputError(f"--corruptions is for {', '.join(known)}, not for a model that is for {task}")
    return figure


def evaluate_robustness(pipeline: Any, data: Any, options: EvaluationOptions, clean: float) -> RobustnessReport:
    """Evaluate ``pipeline`` once for each kind and strength; ``clean`` is its figure on ``data`` as it is.

    Raises:
        InputError, DatasetError: as :func:`robustness_figure` and the task's own evaluation.
    """
    task = find_task(pipeline.metadata.task)
    name = robustness_figure(task.name)
    rounds = [(kind, strength) for kind in Corruption for strength in STRENGTHS]
    figures: dict[str, list[float]] = {str(kind): [] for kind in Corruption}
    for kind, strength in track(rounds, len(rounds), "corrupting", quiet=options.quiet):
        pictures: Any = CorruptedPictures(data, kind, strength, options.seed)
        report = task.evaluate(pipeline, pictures, replace(options, quiet=True))
        figures[str(kind)].append(float(getattr(report, name)))
    every = [figure for row in figures.values() for figure in row]
    return RobustnessReport(
        figure=name,
        clean=clean,
        mean=sum(every) / len(every),
        by_kind={kind: tuple(row) for kind, row in figures.items()},
    )
