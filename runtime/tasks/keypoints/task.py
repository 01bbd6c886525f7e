"""The task ``keypoints``: where the points of a thing are."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, check_count, check_outputs, check_picture, needed_image
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec
from edgevision.runtime.tasks.task import Task, with_picture

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.quality import QualityMeasure


_JITTER = 0.1
"""Of boxes while int8 is calibrated and judged, as those that a detector finds are not exact."""


@dataclass(frozen=True, kw_only=True)
class KeypointsTask(Task):
    """A picture and boxes in, points out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 1)
        image = needed_image(metadata)
        check_picture(image, inputs[0])
        if image.size is None:
            raise ValueError("metadata.image.size is missing, and crops have one size")
        head = metadata.spec_as(KeypointsSpec).head
        if head is None:
            raise ValueError("metadata.spec.head is missing, so it does not say how the outputs become points")
        check_outputs("spec.head.outputs", (*head.outputs, *((head.scores,) if head.scores else ())), outputs)

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        spec = metadata.spec_as(KeypointsSpec)
        if spec.head is None:
            return {}
        head = spec.head
        refined = "" if head.coding == "points" else f", refined by {head.refinement}"
        scale = f"the distance of points {spec.scale_points[0]} and {spec.scale_points[1]}" if spec.scale_points else ""
        return {
            "points": f"{head.points}, as {head.coding}{refined}",
            "head": spec.layout or "",
            "names": ", ".join(spec.point_names),
            "crop": f"the box grown by {spec.margin:g} of its side",
            "errors": f"in {scale or 'roots of the area of the box'}",
        }

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        return with_picture(document, shape, given=given, fixed=True)

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.keypoints.finder import KeypointFinder

        return KeypointFinder(engine, metadata, **options)

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        from edgevision.core.errors import DatasetError
        from edgevision.data.point_annotations import PointedFolder

        try:
            return len(PointedFolder(data)) > 0
        except DatasetError:
            return False

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.keypoints.evaluation import evaluate_finder

        return evaluate_finder(pipeline, data, options)

    def calibration_degradations(
        self, metadata: ModelMetadata, options: "EvaluationOptions"
    ) -> "list[EvaluationOptions]":
        return [options]

    def quality_on(
        self, metadata: ModelMetadata, reference: "Engine", data: Any, options: "EvaluationOptions"
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.keypoints.quality import KeypointQuality

        return KeypointQuality(metadata, reference, data, replace(options, jitter=_JITTER))


KEYPOINTS = KeypointsTask(
    name="keypoints",
    summary="Find the points of a thing in a picture, as the landmarks of a face.",
    command="edgevision.runtime.tasks.keypoints.command:keypoints",
    served="edgevision.runtime.tasks.keypoints.served:SERVED",
    ships_for="the 68 points of a face",
    spec=KeypointsSpec,
    describe_network="edgevision.exporters.network_facts.keypoints:describe_keypoints",
    layouts="edgevision.exporters.network_facts.keypoint_layouts:LAYOUTS",
    bounds={"head.points": (1, 100_000)},
)
