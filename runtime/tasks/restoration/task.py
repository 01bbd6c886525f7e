"""The tasks ``inpaint``, ``denoise``, ``upscale``, ``brighten`` and ``colorize``: pictures into better pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import (
    Specs,
    check_count,
    check_picture,
    check_sides,
    needed_image,
    refuse,
    shapes_match,
)
from edgevision.modelfiles.metadata import Color, ModelMetadata, Resize, TensorSpec
from edgevision.runtime.tasks.restoration.spec import Prediction, RestorationKind, RestorationSpec
from edgevision.runtime.tasks.task import EngineNeeds, Stages, Task, with_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgevision.data.datasets import ImageDataset, ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.picture_figures import PictureFigures
    from edgevision.runtime.tasks.quality import QualityMeasure
    from edgevision.runtime.tasks.task import Batch

# As many steps of noise as show all that a denoiser for several strengths may meet.
_STRENGTHS = 4


@dataclass(frozen=True, kw_only=True)
class RestorationTask(Task):
    """A picture in, the same picture restored out.

    ``only_pictures`` says that networks of the task give the picture itself: no noise to take away, curves or colours.
    ``crop`` is the side of what is cut from a photograph to calibrate and judge on, times the scale of upscaling.
    """

    only_pictures: bool = False
    crop: int = 128

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        image = needed_image(metadata)
        if metadata.spec is None:
            raise ValueError(f"metadata.spec is missing, which says what the output is in {self.name}")
        spec = metadata.spec_as(RestorationSpec)
        if spec.sigma is not None and spec.sigma[1] > 255:
            refuse("spec.sigma", spec.sigma, "it is of 255")
        self._check_prediction(spec)
        if (spec.scale > 1) != (self.name == RestorationKind.UPSCALE):
            refuse("spec.scale", spec.scale, f"for {self.name} it is {'2 or more' if spec.scale == 1 else 1}")
        self._check_inputs(metadata, inputs)
        restored = outputs[0]
        if len(restored.shape) != 4:
            raise ValueError(
                f"its output {restored.name!r} is {restored.shape}, and pictures are (batch, channels, h, w)"
            )
        if spec.predicts.from_thumbnail:
            if image.size is None:
                raise ValueError(f"metadata.image.size is missing, the size of what {spec.predicts} are estimated from")
            self._check_maps(spec.predicts, restored)
            return
        if not shapes_match(restored.shape[1:2], (image.color.channels,)):
            refuse("image.color", str(image.color), f"its output {restored.name!r} is {restored.shape}")
        check_sides("spec.scale", spec.scale, inputs[0].shape[2:], restored.shape[2:])
        multiple = metadata.tile.multiple if metadata.tile else 1
        if any(isinstance(side, int) and side % multiple for side in inputs[0].shape[2:]):
            refuse("tile.multiple", multiple, f"its input {inputs[0].name!r} is {inputs[0].shape}")

    def _check_prediction(self, spec: RestorationSpec) -> None:
        if self.only_pictures and spec.predicts is not Prediction.IMAGE:
            refuse("spec.predicts", str(spec.predicts), f"{self.name} has {Prediction.IMAGE}")
        if spec.predicts is Prediction.CURVES and self.name != RestorationKind.BRIGHTEN:
            refuse("spec.predicts", str(spec.predicts), f"curves brighten, which is not {self.name}")
        if (spec.predicts is Prediction.CHROMA) != (self.name == RestorationKind.COLORIZE):
            refuse("spec.predicts", str(spec.predicts), f"colorize has {Prediction.CHROMA}, and nothing else has it")

    def _check_maps(self, predicts: Prediction, output: TensorSpec) -> None:
        """Whether the output has the channels of what is predicted from a thumbnail."""
        count = output.shape[1]
        if predicts is Prediction.CURVES and isinstance(count, int) and count % 3:
            refuse("spec.predicts", str(predicts), f"its output is {output.shape}, not three a curve")
        if predicts is Prediction.CHROMA and not shapes_match((count,), (2,)):
            refuse("spec.predicts", str(predicts), f"its output is {output.shape}, not a and b")

    def _check_inputs(self, metadata: ModelMetadata, inputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 1)
        check_picture(needed_image(metadata), inputs[0])

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        spec = metadata.spec_as(RestorationSpec)
        text = f"predicts {spec.predicts}"
        text += f", {spec.scale} times the sides" if spec.scale > 1 else ""
        text += f", sigma {spec.sigma[0]:g} to {spec.sigma[1]:g}" if spec.sigma is not None else ""
        text += f", {spec.noise} noise" if spec.noise is not None else ""
        return {"restores": text}

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        return {"spec": {}} | with_picture(document, shape, given=given)

    def input_names(self, metadata: ModelMetadata, count: int) -> list[str]:
        return ["image", "mask"][:count]

    def output_name(self, metadata: ModelMetadata) -> str:
        return f"restored_{metadata.spec_as(RestorationSpec).predicts}"

    def keeps_size(self, metadata: ModelMetadata) -> bool:
        return not metadata.spec_as(RestorationSpec).predicts.from_thumbnail

    def engine_needs(self, metadata: ModelMetadata) -> EngineNeeds:
        # Threads that wait for the next thumbnail would take the cores from what is done to the pictures.
        threads = None if self.keeps_size(metadata) else 1
        # Between the tiles of a large picture the memory is needed for the picture itself.
        return EngineNeeds(threads, keep_memory=False)

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.restoration.restorer import Restorer

        return Restorer(engine, metadata, **options)

    def stages(self, pipeline: Any) -> Stages:
        from edgevision.imaging.pictures import Picture

        return Stages(Picture.read, pipeline)

    def can_evaluate(self, metadata: ModelMetadata, data: "ImageFolder") -> bool:
        return True

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.tasks.restoration.evaluation import evaluate_restorer

        return evaluate_restorer(pipeline, data, options)

    def picture_figures(
        self, engine: "Engine", metadata: ModelMetadata, data: "ImageDataset", options: "EvaluationOptions"
    ) -> "PictureFigures":
        from edgevision.runtime.tasks.restoration.picture_figures import restoration_figures

        return restoration_figures(self.pipeline(engine, metadata), data, options)

    def output_changes(self, metadata: ModelMetadata) -> "Sequence[Mapping[str, Any]]":
        """What is predicted, and in which range."""
        spec = metadata.spec_as(RestorationSpec)
        if spec.predicts.from_thumbnail:
            return ()
        if spec.predicts is Prediction.NOISE:
            return ({"predicts": Prediction.IMAGE},)
        ranges = [{"output_range": each} for each in ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))]
        same_size = self.name == RestorationKind.DENOISE and spec.output_range is None
        return ({"predicts": Prediction.NOISE}, *ranges) if same_size else ranges

    def calibration_degradations(
        self, metadata: ModelMetadata, options: "EvaluationOptions"
    ) -> "list[EvaluationOptions]":
        """Every noise that it is made for."""
        from edgevision.data.noise_kinds import NoiseKind

        spec = metadata.spec_as(RestorationSpec)
        if self.name == RestorationKind.DENOISE and spec.sigma is not None:
            least, most = spec.sigma
            kind = spec.noise or NoiseKind.WHITE
            if kind is NoiseKind.MIXED:
                # Each draws its own kinds and strengths.
                seeds = range(options.seed, options.seed + _STRENGTHS)
                return [replace(options, noise=kind, sigma=most, seed=seed) for seed in seeds]
            strengths = [least + (most - least) * index / (_STRENGTHS - 1) for index in range(_STRENGTHS)]
            return [replace(options, noise=kind, sigma=sigma) for sigma in strengths]
        return [options]

    def crop_side(self, metadata: ModelMetadata, data: "Sequence[ImageDataset]") -> int | None:
        from edgevision.runtime.tasks.restoration.evaluation import holds_pairs
        from edgevision.runtime.tasks.restoration.tile_sizes import largest_square

        # Ready pairs of a small and a large picture would not fit each other any more.
        if any(map(holds_pairs, data)):
            return None
        square = largest_square(metadata) if self.keeps_size(metadata) else None
        side = self.crop if square is None else min(self.crop, square)
        return side * metadata.spec_as(RestorationSpec).scale

    def quality_measure(
        self,
        metadata: ModelMetadata,
        reference: "Engine",
        inputs: "Batch",
        data: "ImageDataset | None",
        options: "EvaluationOptions",
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.restoration.quality import RestorationQuality

        return RestorationQuality(reference, metadata, data, options)


@dataclass(frozen=True, kw_only=True)
class InpaintingTask(RestorationTask):
    """A picture with holes and the mask of the holes in, the whole picture out."""

    fills_holes: bool = True

    def _check_inputs(self, metadata: ModelMetadata, inputs: Specs) -> None:
        check_count(metadata, "inputs", inputs, 2)
        check_picture(needed_image(metadata), inputs[0])
        mask, picture = inputs[1].shape, inputs[0].shape
        if not shapes_match(mask, (picture[0], 1, *picture[2:])):
            raise ValueError(f"its inputs are {picture} and {mask}: a mask has one channel and the picture's sides")

    def with_auxiliary_inputs(
        self, metadata: ModelMetadata, pictures: "NDArray[np.float32]", draw: "np.random.Generator | float"
    ) -> "Batch":
        """With a mask for each picture, 1 where it is to be filled."""
        from edgevision.runtime.tasks.restoration.masks import sample_masks

        return pictures, sample_masks(pictures.shape, draw)

    def calibration_degradations(
        self, metadata: ModelMetadata, options: "EvaluationOptions"
    ) -> "list[EvaluationOptions]":
        """Every kind of hole."""
        from edgevision.data.hole_kinds import HoleKind

        return [replace(options, holes=kind) for kind in HoleKind]

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.restoration.inpainter import Inpainter

        return Inpainter(engine, metadata, **options)

    def stages(self, pipeline: Any) -> Stages:
        from edgevision.imaging.pictures import Picture
        from edgevision.runtime.tasks.restoration.masks import middle_hole

        return Stages(Picture.read, lambda picture: pipeline(picture, middle_hole(picture.height, picture.width)))


@dataclass(frozen=True, kw_only=True)
class ColorizationTask(RestorationTask):
    """A gray picture in, the same picture in colours out."""

    def _check_inputs(self, metadata: ModelMetadata, inputs: Specs) -> None:
        super()._check_inputs(metadata, inputs)
        color = needed_image(metadata).color
        if color is not Color.GRAY:
            refuse("image.color", str(color), f"colours are guessed from {Color.GRAY}")

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        described = with_picture(document, shape, given=given, fixed=True)
        image = {"resize": Resize.STRETCH.value} | described["image"]
        return {"spec": {"predicts": Prediction.CHROMA.value}} | described | {"image": image}

    def crop_side(self, metadata: ModelMetadata, data: "Sequence[ImageDataset]") -> int | None:
        return None  # what a thing is shows in all of the picture


def _task(kind: RestorationKind, summary: str, room: type[RestorationTask] = RestorationTask) -> RestorationTask:
    return room(
        name=kind.value,
        summary=summary,
        command=f"edgevision.runtime.tasks.restoration.command:{kind}",
        served=f"edgevision.runtime.tasks.restoration.served:{kind.name}",
        spec=RestorationSpec,
        bounds={"scale": (1, 16)},
        describe_network="edgevision.exporters.network_facts.restoration:describe_restoration",
        auxiliary_range=(0.0, 1.0),
        any_size=True,
        compares_settings=True,
        trial_pictures=(12, 24),
    )


INPAINT = _task(RestorationKind.INPAINT, "Fill what a mask marks.", InpaintingTask)
DENOISE = _task(RestorationKind.DENOISE, "Remove noise.")
UPSCALE = _task(RestorationKind.UPSCALE, "Enlarge two or four times.")
BRIGHTEN = _task(RestorationKind.BRIGHTEN, "Light up dark pictures.")
COLORIZE = _task(RestorationKind.COLORIZE, "Give gray pictures colours.", ColorizationTask)
