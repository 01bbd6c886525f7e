"""What the page of an evaluation shows of a detector: curves, confusions, and the worst pictures."""

from collections.abc import Iterator
from html import escape

from PIL import Image

from edgevision.core.drawing import WIDTH, Box, chart, line, place_labels, text
from edgevision.core.html_page import html_table
from edgevision.core.printable import one_line
from edgevision.data.box_annotations import annotations
from edgevision.data.datasets import ImageFolder
from edgevision.imaging.drawing import Marker, class_color
from edgevision.imaging.images import read_image
from edgevision.runtime.tasks.detection.confusion import matches
from edgevision.runtime.tasks.detection.detector import Detector
from edgevision.runtime.tasks.detection.evaluation import DetectionReport, class_order, found_in, truth_of
from edgevision.runtime.tasks.evaluation import worst_names
from edgevision.runtime.tasks.evaluation_parts import MISSED, WORST, confusion_section, worst_section

_LEFT, _TOP, _SIDE = 34, 8, 250


def page_parts(report: DetectionReport, detector: Detector, data: ImageFolder) -> list[str]:
    """HTML; the worst pictures are looked at once more."""
    parts = ["<h2>Classes</h2>", _classes(report)]
    parts += ["<h2>Precision over recall</h2>", _curves(report)]
    parts.append("<p class=soft>At IoU 0.5, as COCO counts; a dot is the model's own least score.</p>")
    labels = [one.label for one in report.classes]
    cells = [[str(count or "") for count in counts] for counts in report.confusion]
    note = (
        f"Things in rows, what they were taken for in columns, with a score of at least {report.min_score:g} and at IoU"
        " 0.5."
    )
    parts.append(confusion_section([*labels, "nothing"], [*labels, "missed"], cells, note))
    missed = "What was missed is framed in magenta. The figure is F1."
    return [*parts, worst_section(_worst(report, detector, data), missed)]


def _classes(report: DetectionReport) -> str:
    head = ("class", "AP50-95", "AP50", "small", "medium", "large", "precision", "recall", "things")
    rows = []
    for one in report.classes:
        cells = (one.ap, one.ap50, one.ap_small, one.ap_medium, one.ap_large, one.precision, one.recall)
        numbers = ["" if cell is None else f"{cell:.1f}" for cell in cells]
        rows.append([escape(one_line(one.label)), *numbers, str(one.things)])
    return html_table(head, rows, numbers=range(1, len(head)))


def _curves(report: DetectionReport) -> str:
    curves = [(index, one) for index, one in enumerate(report.classes) if one.curve]
    bottom, right = _TOP + _SIDE, WIDTH - 12
    wide = right - _LEFT

    def place(recall: float, precision: float) -> tuple[float, float]:
        return _LEFT + wide * recall, bottom - _SIDE * precision

    parts = []
    for step in range(6):
        x, y = place(step / 5, step / 5)
        parts += [line(_LEFT, y, right, y, "grid"), line(x, _TOP, x, bottom, "grid")]
        parts += [text(_LEFT - 5, y + 4, f"{20 * step}", "end"), text(x, bottom + 14, f"{20 * step}", "middle")]
    parts.append(text((_LEFT + right) / 2, bottom + 29, "recall, %", "middle"))
    ends = []
    for index, one in curves:
        color = "#{:02x}{:02x}{:02x}".format(*class_color(index))
        last = max((place for place, value in enumerate(one.curve) if value > 0), default=0)
        points = " ".join("{:.1f},{:.1f}".format(*place(i / 100, one.curve[i])) for i in range(last + 1))
        title = f"<title>{escape(one_line(one.label))}, AP50 {one.ap50 or 0:.1f} %</title>"
        parts.append(f"<polyline class=curve stroke='{color}' points='{points}'>{title}</polyline>")
        ends.append(place(last / 100, one.curve[last]))
        if one.recall is not None and one.precision is not None:
            x, y = place(one.recall / 100, one.precision / 100)
            parts.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' fill='{color}'>{title}</circle>")
    names = [one_line(one.label)[:18] for _, one in curves]
    labels = place_labels(ends, names, Box(_LEFT, _TOP, right, bottom)) if len(names) <= 20 else []
    parts += [
        text(label.x, label.y, name, label.anchor)
        for label, name in zip(labels, names, strict=False)
        if label is not None
    ]
    return chart(bottom + 34, f"Precision over recall of {len(curves)} classes", parts)


def _worst(report: DetectionReport, detector: Detector, data: ImageFolder) -> Iterator[tuple[str, Image.Image]]:
    annotated = annotations(data)
    labels = class_order(detector.labels, annotated)
    for name in worst_names(report.pictures, WORST):
        image = read_image(data.image(data.names.index(name)))
        found = detector(image)
        truth = truth_of(annotated.inside(name, found.size), labels)
        taken = {column for _, column in matches(found_in(found), truth, report.min_score)[0]}
        marker = Marker(found.draw(image).to_pillow())
        for column, box in enumerate(truth.boxes.tolist()):
            if column not in taken and not truth.ignored[column]:
                marker.box((box[0], box[1], box[2], box[3]), MISSED)
        yield f"{name}: {report.pictures[name]:.0f} %", marker.image
