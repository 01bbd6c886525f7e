"""What ``edgevision evaluate`` and ``verify`` print of the reports on a model's quality."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgevision.runtime.tasks.autoencoding.evaluation import ReconstructionReport
    from edgevision.runtime.tasks.classification.evaluation import ClassificationReport
    from edgevision.runtime.tasks.generation.evaluation import GenerationReport
    from edgevision.runtime.tasks.restoration.evaluation import RestorationReport

# A wider matrix does not fit a terminal; --json has it.
_WIDEST_MATRIX = 16


def restoration_table(report: "RestorationReport") -> str:
    """The means before and after, one figure a line."""
    lines = [f"{'':<14}  {'before':>9}  {'restored':>9}   {report.damage}"]
    for name, value in report.figures.items():
        unit = "" if name == "ssim" else " dB"
        places = 4 if name == "ssim" else 3
        lines.append(f"{name:<14}  {report.before[name]:9.{places}f}  {value:9.{places}f}{unit}")
    return "\n".join(lines)


def classification_table(report: "ClassificationReport") -> str:
    """The figures, and a line for each class with what its pictures were taken for."""
    figures = ("top1", "top5", "precision", "recall", "f1")
    lines = ["  ".join(f"{name} {getattr(report, name):.2f} %" for name in figures), ""]
    width = max(len("class"), *(len(label) for label in report.labels))
    shown = len(report.labels) <= _WIDEST_MATRIX
    # Down to here a class that was never asked for would only be noise.
    rows = [(index, score) for index, score in enumerate(report.classes) if score.support]
    column = max(5, *(len(str(count)) for row in report.confusion for count in row)) + 1
    header = f"{'class':<{width}}  precision  recall     f1  pictures"
    lines.append(header + ("   taken for" if shown else ""))
    if shown:
        lines[-1] += " " * 2 + "".join(f"{label[: column - 1]:>{column}}" for label in report.labels)
    for index, score in rows:
        line = f"{score.label:<{width}}  {100 * score.precision:9.2f}  {100 * score.recall:6.2f}"
        line += f"  {100 * score.f1:5.2f}  {score.support:8d}"
        if shown:
            line += " " * 14 + "".join(f"{count:>{column}}" for count in report.confusion[index])
        lines.append(line)
    return "\n".join(lines)


def reconstruction_table(report: "ReconstructionReport") -> str:
    """The means, one figure a line."""
    return f"psnr  {report.psnr:8.3f} dB\nssim  {report.ssim:8.4f}\nmse   {report.mse:8.5f}"


def generation_table(report: "GenerationReport") -> str:
    """The figures, what was left out, and a line for each class."""
    lines = [
        f"{report.samples} samples, seen through {report.judge} (not Inception: this is not FID)",
        f"classifier_frechet  {report.classifier_frechet:8.3f}",
    ]
    shares = ("sample_precision", "sample_recall", "sample_variety", "class_agreement")
    lines += [
        f"{name:<18}  {_percent(getattr(report, name)):>8} %" for name in shares if getattr(report, name) is not None
    ]
    lines += report.remarks
    if report.classes:
        width = max(len("class"), *(len(score.label) for score in report.classes))
        lines += ["", f"{'class':<{width}}  samples  agreement %  variety %"]
        for score in report.classes:
            figures = f"{_percent(score.agreement):>11}  {_percent(score.variety):>9}"
            lines.append(f"{score.label:<{width}}  {score.samples:7d}  {figures}")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"
