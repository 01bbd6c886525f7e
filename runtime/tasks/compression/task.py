"""The tasks ``compress`` and ``decompress``: photographs into few bytes, and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import Specs, check_count, check_picture, needed_image, refuse, shapes_match
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.compression.spec import HYPER_STRIDE, STRIDE, CodecHalf, CompressionSpec
from edgevision.runtime.tasks.task import EngineNeeds, Stages, Task, with_picture

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageDataset, ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.quality import QualityMeasure
    from edgevision.runtime.tasks.task import Batch

_SAMPLE_LATENTS = 8
# Of what int8 is calibrated with and judged on: coding symbols takes much longer than the network.
_CROP = 192


@dataclass(frozen=True, kw_only=True)
class CodecTask(Task):
    """One half of a codec."""

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        return {"codec": metadata.spec_as(CompressionSpec).codec}

    def engine_needs(self, metadata: ModelMetadata) -> EngineNeeds:
        # Between the tiles of a large picture the memory is needed for the picture itself.
        return EngineNeeds(keep_memory=False)

    def calibration_degradations(
        self, metadata: ModelMetadata, options: "EvaluationOptions"
    ) -> "list[EvaluationOptions]":
        """What the whole codec gives this half to do."""
        return [options]

    def crop_side(self, metadata: ModelMetadata, data: "Sequence[ImageDataset]") -> int | None:
        return _CROP

    def quality_measure(
        self,
        metadata: ModelMetadata,
        reference: "Engine",
        inputs: "Batch",
        data: "ImageDataset | None",
        options: "EvaluationOptions",
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.compression.quality import CodecQuality

        return CodecQuality(reference, metadata, data, options)

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.compression.evaluation import evaluate_codec

        return evaluate_codec(pipeline, data, options)

    def _check_half(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs, made: int) -> None:
        if metadata.spec is None:
            raise ValueError("metadata.spec is missing, which says how latents become bits")
        metadata.spec_as(CompressionSpec)
        check_count(metadata, "inputs", inputs, 1)
        check_count(metadata, "outputs", outputs, made)


@dataclass(frozen=True, kw_only=True)
class CompressionTask(CodecTask):
    """A picture in, its latents out, which become the bits of a file."""

    any_size: bool = True

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        self._check_half(metadata, inputs, outputs, 2)
        check_picture(needed_image(metadata), inputs[0])
        for output in outputs:
            if len(output.shape) != 4:
                raise ValueError(
                    f"its output {output.name!r} is {output.shape}, and latents are (batch, channels, h, w)"
                )
        for output, pitch in zip(outputs, (STRIDE, STRIDE * HYPER_STRIDE), strict=True):
            sides = tuple(side // pitch if isinstance(side, int) else side for side in inputs[0].shape[2:])
            if not shapes_match(output.shape[2:], sides):
                raise ValueError(f"its output {output.name!r} is {output.shape}, not one latent for {pitch} pixels")

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        return with_picture(document, shape, given=given)

    def output_name(self, metadata: ModelMetadata) -> str:
        return "latents"

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.compression.compressor import Compressor

        return Compressor(engine, metadata, **options)

    def stages(self, pipeline: Any) -> Stages:
        from edgevision.imaging.pictures import Picture

        return Stages(Picture.read, pipeline)

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class DecompressionTask(CodecTask):
    """Latents in, the picture out."""

    takes_pictures: bool = False

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        self._check_half(metadata, inputs, outputs, 1)
        latents, picture = inputs[0].shape, outputs[0].shape
        if len(latents) != 4 or len(picture) != 4 or not shapes_match(picture[1:2], (3,)):
            raise ValueError(f"it makes {picture} of {latents}, and a picture of three channels is made of latents")
        if metadata.image is not None:
            refuse("image", metadata.image, "it takes latents and no picture")

    def sample_shape(self, metadata: ModelMetadata) -> tuple[int, ...] | None:
        channels = metadata.inputs[0].shape[1] if metadata.inputs else None
        known = super().sample_shape(metadata)
        return known or ((channels, _SAMPLE_LATENTS, _SAMPLE_LATENTS) if isinstance(channels, int) else None)

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        return document

    def input_names(self, metadata: ModelMetadata, count: int) -> list[str]:
        return ["latents"]

    def output_name(self, metadata: ModelMetadata) -> str:
        return "restored_image"

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.compression.decompressor import Decompressor

        return Decompressor(engine, metadata, **options)

    def recorded_batches(
        self, metadata: ModelMetadata, data: Any, count: int, engine: "Engine"
    ) -> "Iterator[Batch] | None":
        from edgevision.core.errors import InputError

        raise InputError(
            f"{metadata.name!r} takes latents, which pictures have to be compressed for; it is compared on seeded ones"
        )


def _half(kind: CodecHalf, summary: str, room: type[CodecTask]) -> CodecTask:
    command = f"edgevision.runtime.tasks.compression.command:{kind}"
    served = f"edgevision.runtime.tasks.compression.served:{kind.name}"
    return room(name=kind.value, summary=summary, command=command, served=served, spec=CompressionSpec)


COMPRESS = _half(CodecHalf.COMPRESS, "Write photographs in few bytes.", CompressionTask)
DECOMPRESS = _half(CodecHalf.DECOMPRESS, "Read what compress wrote.", DecompressionTask)
