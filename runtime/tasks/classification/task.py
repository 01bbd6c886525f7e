"""The task ``classify``: what is in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, check_count, check_picture, needed_image, refuse, shortened_list
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.classification.spec import Activation, ClassificationSpec, class_count
from edgevision.runtime.tasks.task import Stages, Task, with_picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgevision.data.datasets import ImageDataset, ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.picture_figures import PictureFigures
    from edgevision.runtime.tasks.quality import QualityMeasure
    from edgevision.runtime.tasks.task import Batch


@dataclass(frozen=True, kw_only=True)
class ClassificationTask(Task):
    """A picture in, a score for each class out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 1)
        check_picture(needed_image(metadata), inputs[0])
        scores, spec = outputs[0], metadata.spec_as(ClassificationSpec)
        if not scores.dtype.startswith("float"):
            raise ValueError(
                f"its output {scores.name!r} is {scores.dtype}, and {self.name} needs a score for each class, as float"
            )
        classes = class_count(scores, inputs[0])
        if classes == 1 and spec.activation is Activation.SOFTMAX:
            refuse("spec.activation", "softmax", "of one score it is always 1")
        labels = len(spec.labels)
        # One score decides between two.
        if labels and classes not in (None, labels) and not (classes == 1 and labels == 2):
            refuse(
                "spec.labels", shortened_list(spec.labels), f"its graph has {classes} outputs for these {labels} labels"
            )

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        spec = metadata.spec_as(ClassificationSpec)
        return {"labels": ", ".join(spec.labels), "activation": str(spec.activation or "")}

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        return with_picture(document, shape, given=given, fixed=True)

    def output_name(self, metadata: ModelMetadata) -> str:
        return "logits"

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.classification.classifier import Classifier

        return Classifier(engine, metadata, **options)

    def stages(self, pipeline: Any) -> Stages:
        from edgevision.imaging.images import read_image

        def answer(image: Any) -> Any:
            result = pipeline(image)
            result.top()  # what is not asked for is not computed
            return result

        return Stages(read_image, answer)

    def predictions(self, outputs: "Sequence[NDArray[Any]]", count: int, metadata: ModelMetadata) -> "NDArray[Any]":
        from edgevision.runtime.tasks.classification.scores import class_scores, classification_of

        predicted: NDArray[Any] = class_scores(outputs[0], count, classification_of(metadata)).argmax(-1)
        return predicted

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        return bool(data.class_names)

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.classification.evaluation import evaluate_classifier

        return evaluate_classifier(pipeline, data, quiet=options.quiet)

    def picture_figures(
        self, engine: "Engine", metadata: ModelMetadata, data: "ImageDataset", options: "EvaluationOptions"
    ) -> "PictureFigures":
        from edgevision.runtime.tasks.classification.picture_figures import classification_figures

        return classification_figures(engine, metadata, data)

    def quality_measure(
        self,
        metadata: ModelMetadata,
        reference: "Engine",
        inputs: "Batch",
        data: "ImageDataset | None",
        options: "EvaluationOptions",
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.classification.quality import ClassifierQuality

        return ClassifierQuality.on_pictures(metadata, reference, inputs, data)


CLASSIFY = ClassificationTask(
    name="classify",
    summary="Say what is in a picture.",
    command="edgevision.runtime.tasks.classification.command:classify",
    served="edgevision.runtime.tasks.classification.served:SERVED",
    ships_for="airplanes, automobiles, birds, cats, deer, dogs, frogs, horses, ships and trucks, nothing else",
    spec=ClassificationSpec,
    scores_first=True,
    compares_settings=True,
    robustness_figure="top1",
    trial_pictures=(200, 800),
    describe_network="edgevision.exporters.network_facts.classification:describe_classification",
)
