"""The tasks ``reconstruct`` and ``encode``: pictures to codes, and back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, check_count, check_picture, needed_image
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.generation.spec import GenerationSpec
from edgevision.runtime.tasks.generation.task import LATENT_BOUNDS, latent_facts
from edgevision.runtime.tasks.task import Task, with_picture

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport


@dataclass(frozen=True, kw_only=True)
class EncodingTask(Task):
    """A picture in, its code out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        image = needed_image(metadata)
        if image.size is None:
            raise ValueError("metadata.image.size is missing, and the network takes pictures of one size")
        check_count(metadata, "inputs", inputs, 1)
        check_picture(image, inputs[0])

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        return with_picture(document, shape, given=given)

    def output_name(self, metadata: ModelMetadata) -> str:
        return "code"

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.autoencoding.autoencoder import Encoder

        return Encoder(engine, metadata, **options)

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.core.errors import InputError

        raise InputError(
            f"{pipeline.metadata.name!r} only encodes, which shows nothing to compare; export the whole autoencoder, or"
            " its decoder"
        )


@dataclass(frozen=True, kw_only=True)
class ReconstructionTask(EncodingTask):
    """A picture in, its reconstruction and its code out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        super().check(metadata, inputs, outputs)
        if len(outputs) < 2:
            raise ValueError(f"its graph has {len(outputs)} output, and {self.name} needs the picture and its code")
        check_picture(needed_image(metadata), outputs[0])

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        return latent_facts(metadata)

    def output_name(self, metadata: ModelMetadata) -> str:
        return "restored_image"

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.autoencoding.autoencoder import Reconstructor

        return Reconstructor(engine, metadata, **options)

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        return True

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.autoencoding.evaluation import evaluate_reconstructor

        return evaluate_reconstructor(pipeline, data, quiet=options.quiet)


RECONSTRUCT = ReconstructionTask(
    name="reconstruct",
    summary="Pass pictures through a code.",
    command="edgevision.runtime.tasks.autoencoding.command:reconstruct",
    spec=GenerationSpec,
    bounds=LATENT_BOUNDS,
)
ENCODE = EncodingTask(
    name="encode",
    summary="Write the codes of pictures.",
    command="edgevision.runtime.tasks.autoencoding.command:encode",
)
