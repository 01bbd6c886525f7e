"""What the page of an evaluation shows of a segmenter: its classes, confusions, and the worst pictures."""

from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.html_page import html_table
from edgevision.core.printable import one_line
from edgevision.data.datasets import ImageFolder
from edgevision.data.mask_annotations import VOID, MaskedFolder
from edgevision.imaging.cropped_masks import mask_overlap, paint_ids
from edgevision.imaging.drawing import Marker
from edgevision.imaging.images import read_image
from edgevision.metrics.matching import pair_up
from edgevision.runtime.tasks.evaluation import worst_names
from edgevision.runtime.tasks.evaluation_parts import MISSED, WORST, confusion_section, worst_section
from edgevision.runtime.tasks.segmentation.evaluation import SegmentationReport, ThingsReport
from edgevision.runtime.tasks.segmentation.result import Segmentation
from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
from edgevision.runtime.tasks.segmentation.tallies import ClassOrder, things_in


def page_parts(report: SegmentationReport | ThingsReport, segmenter: Segmenter, data: ImageFolder) -> list[str]:
    """HTML; the worst pictures are looked at once more."""
    if isinstance(report, ThingsReport):
        parts = [f"<p>{escape(line)}</p>" for line in report.table().splitlines()[1:-1]]
        note = "Things that were missed are magenta. The figure is TP / (TP + FP + FN) at IoU 0.5."
    else:
        labels = [score.label for score in report.classes]
        shares = [[f"{100 * count / max(1, sum(counts)):.1f}" for count in counts] for counts in report.confusion]
        parts = ["<h2>Classes</h2>", _classes(report)]
        taken_for = "Of the pixels of a class in rows, in percent, what they were taken for."
        parts.append(confusion_section(labels, [*labels, "none"], shares, taken_for))
        note = (
            "Pixels that were taken for something else are magenta. The figure is the mean IoU of a picture's classes."
        )
    return [*parts, worst_section(_worst(report, segmenter, data), note)]


def _classes(report: SegmentationReport) -> str:
    head = ("class", "IoU", "precision", "recall", "pixels")
    rows = []
    for score in report.classes:
        figures = ["" if cell is None else f"{cell:.1f}" for cell in (score.iou, score.precision, score.recall)]
        rows.append([escape(one_line(score.label)), *figures, f"{score.share:.1f} %"])
    return html_table(head, rows, numbers=range(1, len(head)))


def _worst(
    report: SegmentationReport | ThingsReport, segmenter: Segmenter, data: ImageFolder
) -> Iterator[tuple[str, Image.Image]]:
    masked = MaskedFolder(data)
    for name in worst_names(report.pictures, WORST):
        image = read_image(data.image(data.names.index(name)))
        found = segmenter(image)
        wrong = (
            _missed(found, masked, name)
            if isinstance(report, ThingsReport)
            else _confused(found, segmenter, masked, name)
        )
        marker = Marker(found.draw(image, legend=False).to_pillow())
        marker.areas(wrong, [MISSED])
        yield f"{name}: {report.pictures[name]:.0f} %", marker.image


def _confused(found: Segmentation, segmenter: Segmenter, masked: MaskedFolder, name: str) -> NDArray[np.int32]:
    """1 where a pixel was taken for something else, else 0."""
    order = ClassOrder(segmenter.labels, segmenter.background, masked)
    expected = order.expected(masked.class_map(name, found.size))
    wrong = (expected != VOID) & (expected != order.predicted(found))
    return np.asarray(wrong, np.int32)


def _missed(found: Segmentation, masked: MaskedFolder, name: str) -> NDArray[np.int32]:
    """1 in things that nothing overlaps by half, else 0."""
    things = things_in(masked, name, found.size)
    paired = {column for _, column in pair_up(mask_overlap(found.masks, things), range(len(found)), 0.5)}
    missed = paint_ids([mask for index, mask in enumerate(things) if index not in paired], found.size)
    return np.asarray(missed > 0, np.int32)
