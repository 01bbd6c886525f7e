"""The task ``stylize``: pictures painted in other styles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, check_count, check_picture, needed_image, refuse
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.restoration.task import RestorationTask
from edgevision.runtime.tasks.stylization.spec import StylizationSpec
from edgevision.runtime.tasks.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgevision.data.datasets import ImageDataset, ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.quality import QualityMeasure
    from edgevision.runtime.tasks.task import Batch


@dataclass(frozen=True, kw_only=True)
class StylizationTask(RestorationTask):
    """A picture in, with the shares of the styles where there are several; the same picture painted out."""

    def _check_inputs(self, metadata: ModelMetadata, inputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 1, 2, 3)
        check_picture(needed_image(metadata), inputs[0])
        styles = metadata.spec_as(StylizationSpec).styles
        if bool(styles) != (len(inputs) > 1):
            refuse("spec.styles", styles, f"its graph has {len(inputs)} inputs, the second being the shares of styles")
        if len(inputs) > 1 and inputs[1].shape[1:] != (len(styles),):
            refuse("spec.styles", styles, f"its input {inputs[1].name!r} is {inputs[1].shape}")
        if len(inputs) > 2 and (len(inputs[2].shape) != 3 or inputs[2].shape[1] != 2):
            raise ValueError(f"its input {inputs[2].name!r} is {inputs[2].shape}, not (batch, 2, channels)")

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        return {"styles": ", ".join(metadata.spec_as(StylizationSpec).styles)}

    def input_names(self, metadata: ModelMetadata, count: int) -> list[str]:
        return ["image", "shares", "statistics"][:count]

    def output_name(self, metadata: ModelMetadata) -> str:
        return "painted_image"

    def with_auxiliary_inputs(
        self, metadata: ModelMetadata, pictures: "NDArray[np.float32]", draw: "np.random.Generator | float"
    ) -> "Batch":
        """With the styles in turn from any on, and the statistics of the pictures themselves."""
        import numpy as np

        from edgevision.runtime.tasks.stylization.stylizer import no_statistics

        styles = len(metadata.spec_as(StylizationSpec).styles)
        if not styles:
            return (pictures,)
        # Pictures that keep their sizes come one by one.
        first = draw.integers(styles) if isinstance(draw, np.random.Generator) else 0
        shares = np.eye(styles, dtype=np.float32)[(first + np.arange(len(pictures))) % styles]
        return pictures, shares, *no_statistics(metadata.inputs, len(pictures))

    def calibration_degradations(
        self, metadata: ModelMetadata, options: "EvaluationOptions"
    ) -> "list[EvaluationOptions]":
        """What evaluation paints, where that can be judged."""
        return [options] if metadata.spec_as(StylizationSpec).paintings is not None else []

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.stylization.evaluation import evaluate_stylizer

        return evaluate_stylizer(pipeline, data, options)

    def quality_measure(
        self,
        metadata: ModelMetadata,
        reference: "Engine",
        inputs: "Batch",
        data: "ImageDataset | None",
        options: "EvaluationOptions",
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.stylization.evaluation import StyleQuality

        if data is None or metadata.spec_as(StylizationSpec).paintings is None:
            return Task.quality_measure(self, metadata, reference, inputs, data, options)
        return StyleQuality(reference, metadata, data, options)

    def output_changes(self, metadata: ModelMetadata) -> "Sequence[Mapping[str, Any]]":
        return ()

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.stylization.stylizer import Stylizer

        return Stylizer(engine, metadata, **options)


STYLIZE = StylizationTask(
    name="stylize",
    summary="Paint pictures in other styles.",
    command="edgevision.runtime.tasks.stylization.command:stylize",
    served="edgevision.runtime.tasks.stylization.served:STYLIZE",
    spec=StylizationSpec,
    bounds={"scale": (1, 1)},
    describe_network="edgevision.exporters.network_facts.stylization:describe_stylization",
    any_size=True,
    only_pictures=True,
    crop=256,
)
