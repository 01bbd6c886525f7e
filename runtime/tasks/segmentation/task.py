"""The task ``segment``: which pixel of a picture belongs to what."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, check_count, check_outputs, check_picture, needed_image
from edgevision.modelfiles.metadata import ModelMetadata, Resize
from edgevision.runtime.tasks.segmentation.spec import SegmentationSpec
from edgevision.runtime.tasks.task import Task, with_picture

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.quality import QualityMeasure


@dataclass(frozen=True, kw_only=True)
class SegmentationTask(Task):
    """A picture in, masks out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 1)
        check_picture(needed_image(metadata), inputs[0])
        head = metadata.spec_as(SegmentationSpec).head
        if head is None:
            raise ValueError("metadata.spec.head is missing, so it does not say how the outputs become masks")
        check_outputs("spec.head.maps", (part.output for part in head.maps), outputs)
        if head.boxes is not None and head.boxes.head is not None:
            parts = head.boxes.head.parts
            check_outputs("spec.head.boxes.head.parts", (name for part in parts for name in part.outputs), outputs)

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        spec = metadata.spec_as(SegmentationSpec)
        if spec.head is None:
            return {}
        watershed, clustering, boxes = spec.head.watershed, spec.head.clustering, spec.head.boxes
        apart = "" if watershed is None else f"things apart by a watershed, prominence {watershed.prominence:g}"
        if clustering is not None:
            apart = f"things apart by clusters of embeddings, radius {clustering.radius:g}"
        if boxes is not None:
            apart = f"things in boxes, score from {boxes.min_score:g}, at most {boxes.most}"
        return {
            "labels": ", ".join(spec.labels),
            "head": spec.layout or "",
            "maps": ", ".join(spec.head.fields),
            "answers": apart or "the class of each pixel",
        }

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        # What says how it may be cut into tiles works at any size.
        described = with_picture(document, shape, given=given, fixed=document.get("tile") is None)
        # What a crop leaves out would have no mask.
        return described | {"image": {"resize": Resize.STRETCH.value} | described["image"]}

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.segmentation.segmenter import Segmenter

        return Segmenter(engine, metadata, **options)

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        return any(name in data.masks for name in data.names)

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.segmentation.evaluation import evaluate_segmenter

        return evaluate_segmenter(pipeline, data, quiet=options.quiet)

    def page_parts(self, report: Any, pipeline: Any, data: "ImageFolder") -> "list[str]":
        from edgevision.runtime.tasks.segmentation.page import page_parts

        return page_parts(report, pipeline, data)

    def quality_on(
        self, metadata: ModelMetadata, reference: "Engine", data: Any, options: "EvaluationOptions"
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.segmentation.quality import SegmentationQuality

        return SegmentationQuality(metadata, reference, data)


SEGMENT = SegmentationTask(
    name="segment",
    summary="Say of each pixel of a picture what it belongs to.",
    command="edgevision.runtime.tasks.segmentation.command:segment",
    served="edgevision.runtime.tasks.segmentation.served:SERVED",
    ships_for="persons",
    spec=SegmentationSpec,
    finds="masks",
    describe_network="edgevision.exporters.network_facts.segmentation:describe_segmentation",
    layouts="edgevision.exporters.network_facts.segmentation_layouts:LAYOUTS",
    any_size=True,
    bounds={
        "most": (1, 65_535),
        "head.watershed.min_area": (0, 1 << 30),
        "head.clustering.min_area": (0, 1 << 30),
        "head.boxes.most": (1, 65_535),
        "head.boxes.head.bins": (1, 1024),
        "head.boxes.head.points": (0, 10_000),
        "head.boxes.head.coefficients": (0, 10_000),
        "head.boxes.head.cell_offset": (-1, 1),
    },
)
