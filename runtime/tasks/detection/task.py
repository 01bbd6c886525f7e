"""The task ``detect``: where things are in a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, check_count, check_outputs, check_picture, needed_image
from edgevision.modelfiles.metadata import ModelMetadata, Resample, Resize
from edgevision.runtime.tasks.detection.spec import DetectionSpec
from edgevision.runtime.tasks.task import Task, with_picture

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.quality import QualityMeasure


_LETTERBOX = {"resize": Resize.PAD.value, "pad_value": 114}
"""How detectors see pictures of other proportions, where nothing is said: with the gray of the YOLO family."""

_RESAMPLE = {"resample": Resample.LINEAR.value}
"""How nearly all detectors were trained and are run by their authors, with OpenCV, PyTorch or TensorFlow."""


@dataclass(frozen=True, kw_only=True)
class DetectionTask(Task):
    """A picture in, boxes out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 1)
        check_picture(needed_image(metadata), inputs[0])
        head = metadata.spec_as(DetectionSpec).head
        if head is None:
            raise ValueError("metadata.spec.head is missing, so it does not say how the outputs become boxes")
        check_outputs("spec.head.parts", (name for part in head.parts for name in part.outputs), outputs)

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        spec = metadata.spec_as(DetectionSpec)
        if spec.head is None:
            return {}
        strides = ", ".join(str(level.stride) for level in spec.head.levels)
        merging = "nothing merged" if spec.iou is None else f"{spec.merge} at IoU {spec.iou:g}"
        return {
            "labels": ", ".join(spec.labels),
            "head": spec.layout or "",
            "boxes": f"{spec.head.coding}{f', strides {strides}' if strides else ''}",
            "points": str(spec.head.points or ""),
            "answers": f"score from {spec.min_score:g}, {merging}, at most {spec.most}",
        }

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        described = with_picture(document, shape, given=given, fixed=True)
        # A crop would lose what is at the sides in silence, and stretching changes what things look like.
        letterbox = {} if "resize" in described["image"] else _LETTERBOX
        return described | {"image": _RESAMPLE | letterbox | described["image"]}

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.detection.detector import Detector

        return Detector(engine, metadata, **options)

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        from edgevision.core.errors import DatasetError
        from edgevision.data.box_annotations import annotations

        try:
            return len(annotations(data)) > 0
        except DatasetError:
            return False

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.detection.evaluation import evaluate_detector

        return evaluate_detector(pipeline, data, quiet=options.quiet)

    def page_parts(self, report: Any, pipeline: Any, data: "ImageFolder") -> "list[str]":
        from edgevision.runtime.tasks.detection.page import page_parts

        return page_parts(report, pipeline, data)

    def quality_on(
        self, metadata: ModelMetadata, reference: "Engine", data: Any, options: "EvaluationOptions"
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.detection.quality import DetectionQuality

        return DetectionQuality(metadata, reference, data)


DETECT = DetectionTask(
    name="detect",
    summary="Find things in a picture, with a box round each.",
    command="edgevision.runtime.tasks.detection.command:detect",
    served="edgevision.runtime.tasks.detection.served:SERVED",
    ships_for="blood cells (RBC, WBC, Platelets)",
    spec=DetectionSpec,
    describe_network="edgevision.exporters.network_facts.detection:describe_detection",
    layouts="edgevision.exporters.network_facts.detection_layouts:LAYOUTS",
    finds="boxes",
    any_size=True,
    robustness_figure="map",
    clip_measures={"hota": "edgevision.runtime.tracking.quality:TrackQuality"},
    bounds={
        "most": (1, 100_000),
        "head.bins": (1, 1024),
        "head.points": (0, 10_000),
        "head.coefficients": (0, 10_000),
        "head.cell_offset": (-1, 1),
    },
)
