"""The task ``translate``: pictures of one kind turned into another."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, needed_image, refuse
from edgevision.modelfiles.metadata import Color, ModelMetadata
from edgevision.runtime.tasks.restoration.task import RestorationTask
from edgevision.runtime.tasks.translation.spec import TranslationSpec

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageDataset, ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport


@dataclass(frozen=True, kw_only=True)
class TranslationTask(RestorationTask):
    """A picture in, another kind of picture of the same things out; data are pairs."""

    def _check_inputs(self, metadata: ModelMetadata, inputs: Specs) -> None:
        super()._check_inputs(metadata, inputs)
        color = needed_image(metadata).color
        if color.channels != Color.RGB.channels:
            refuse("image.color", str(color), f"{self.name} has colours")

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        spec = metadata.spec_as(TranslationSpec)
        return {"translates": f"{spec.given} to {spec.made}"}

    def output_name(self, metadata: ModelMetadata) -> str:
        return "translated_image"

    def open_data(self, path: str | os.PathLike[str], splits: Sequence[str] = ()) -> Any:
        from edgevision.data.picture_pairs import PairedFolder

        return PairedFolder(path, splits)

    def crop_side(self, metadata: ModelMetadata, data: "Sequence[ImageDataset]") -> int | None:
        return None  # a crop of two pictures side by side is no pair

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.translation.translator import Translator

        return Translator(engine, metadata, **options)

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.shipped_models import shipped_feature_classifier
        from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier
        from edgevision.runtime.tasks.translation.evaluation import evaluate_translator

        # On the CPU, so that pictures of every device are measured alike.
        with FeatureClassifier.open(options.judge or shipped_feature_classifier(), threads=options.threads) as judge:
            return evaluate_translator(pipeline, data, judge, options)


TRANSLATE = TranslationTask(
    name="translate",
    summary="Turn pictures of one kind into another.",
    command="edgevision.runtime.tasks.translation.command:translate",
    served="edgevision.runtime.tasks.translation.served:TRANSLATE",
    spec=TranslationSpec,
    bounds={"scale": (1, 1)},
    describe_network="edgevision.exporters.network_facts.restoration:describe_restoration",
    any_size=True,
    only_pictures=True,
)
