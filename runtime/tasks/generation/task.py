"""The task ``generate``: pictures drawn from seeds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgevision.modelfiles.graph_check import (
    Specs,
    check_count,
    check_picture,
    check_sides,
    refuse,
    shapes_match,
    shortened_list,
)
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.tasks.generation.spec import GenerationSpec
from edgevision.runtime.tasks.task import Stages, Task

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageDataset, ImageFolder
    from edgevision.runtime.engines.engine import Engine
    from edgevision.runtime.tasks.evaluation import EvaluationOptions, QualityReport
    from edgevision.runtime.tasks.quality import QualityMeasure
    from edgevision.runtime.tasks.task import Batch

LATENT_BOUNDS = {"latent.size": (1, 1 << 20), "latent.pixels": (1, 1024)}

# Side of the samples' latent maps, of which every place becomes many pixels.
_MAP_SIDE = 4


@dataclass(frozen=True, kw_only=True)
class GenerationTask(Task):
    """Latents, and classes where there are some, in; pictures out."""

    def check(self, metadata: ModelMetadata, inputs: Specs, outputs: Specs) -> None:
        spec = metadata.spec_as(GenerationSpec)
        latent = spec.latent
        if latent is None:
            raise ValueError("metadata.spec.latent is missing, without which nothing is known of what it draws from")
        check_count(metadata, "inputs", inputs, 1, 2)
        shape, picture = inputs[0].shape, outputs[0]
        if len(shape) not in (2, 4):
            raise ValueError(f"its input {inputs[0].name!r} is {shape}, and a latent is (batch, size) or a map of such")
        if not shapes_match(shape[1:2], (latent.size,)):
            refuse("spec.latent.size", latent.size, f"its input {inputs[0].name!r} is {shape}")
        may_be_vector = all(side == 1 or isinstance(side, str) for side in shape[2:])
        may_be_map = len(shape) == 4 and shape[2:] != (1, 1)
        if not (may_be_vector if latent.pixels is None else may_be_map):
            rule = "takes a map of latents" if may_be_map else "takes one latent for a picture"
            refuse("spec.latent.pixels", latent.pixels, f"its input {inputs[0].name!r}, {shape}, {rule}")
        if len(picture.shape) not in (2, 4):
            raise ValueError(
                f"its output {picture.name!r} is {picture.shape}, and pictures are (batch, channels, h, w)"
            )
        if len(picture.shape) == 4:
            if isinstance(picture.shape[1], int) and picture.shape[1] not in (1, 3):
                raise ValueError(f"its output {picture.name!r} is {picture.shape}, and pictures have 1 or 3 channels")
            if latent.pixels is not None:
                check_sides("spec.latent.pixels", latent.pixels, shape[2:], picture.shape[2:])
            if metadata.image is not None:
                check_picture(metadata.image, picture)
        if len(inputs) == 2:
            classes = inputs[1].shape[1] if len(inputs[1].shape) == 2 else None
            if not isinstance(classes, int):
                raise ValueError(f"its input {inputs[1].name!r} is {inputs[1].shape}, and classes are (batch, classes)")
            if spec.labels and len(spec.labels) != classes:
                refuse(
                    "spec.labels", shortened_list(spec.labels), f"its input {inputs[1].name!r} takes {classes} classes"
                )

    def facts(self, metadata: ModelMetadata) -> dict[str, str]:
        return latent_facts(metadata)

    def describe(self, document: dict[str, Any], shape: tuple[int, ...], *, given: bool) -> dict[str, Any]:
        from edgevision.core.errors import InputError

        spec = dict(document.get("spec", {}))
        own = spec.get("latent", {})
        if not isinstance(own, Mapping):
            raise InputError(f"the metadata cannot be right: latent must be an object, not {own!r}")
        latent: dict[str, Any] = {"size": shape[0]} | dict(own)
        if len(shape) == 3 and shape[1:] != (1, 1):
            # A map, not a vector as DCGANs take it. How much it becomes is found out when the network is run.
            latent.setdefault("pixels", 1)
        return document | {"spec": spec | {"latent": latent}}

    def sample_shape(self, metadata: ModelMetadata) -> tuple[int, ...] | None:
        latent = metadata.spec_as(GenerationSpec).latent
        if latent is not None and latent.pixels is not None:
            return (latent.size, _MAP_SIDE, _MAP_SIDE)
        shape = metadata.inputs[0].shape[1:] if metadata.inputs else ("?",)
        return None if any(isinstance(side, str) for side in shape) else tuple(int(side) for side in shape)

    def input_names(self, metadata: ModelMetadata, count: int) -> list[str]:
        return ["latent", "classes"][:count]

    def output_name(self, metadata: ModelMetadata) -> str:
        return "image"

    def samples(self, metadata: ModelMetadata, shape: tuple[int, ...], count: int, seed: int) -> "Iterator[Batch]":
        """The latents of the first samples of ``seed`` and, for a conditional generator, the classes in turn."""
        from edgevision.runtime.tasks.generation.latents import latent_samples

        return latent_samples(metadata.spec_as(GenerationSpec), shape, count, seed)

    def pipeline(self, engine: "Engine", metadata: ModelMetadata, **options: Any) -> Any:
        from edgevision.runtime.tasks.generation.generator import Generator

        return Generator(engine, metadata, **options)

    def stages(self, pipeline: Any) -> Stages:
        return Stages(lambda _: None, lambda _: pipeline(1))

    def evaluate(self, pipeline: Any, data: "ImageFolder", options: "EvaluationOptions") -> "QualityReport":
        from edgevision.runtime.shipped_models import shipped_feature_classifier
        from edgevision.runtime.tasks.generation.evaluation import evaluate_generator
        from edgevision.runtime.tasks.generation.feature_classifier import FeatureClassifier

        # On the CPU, so that samples of every device are measured alike.
        with FeatureClassifier.open(options.judge or shipped_feature_classifier(), threads=options.threads) as judge:
            return evaluate_generator(
                pipeline, data, judge, samples=options.samples, seed=options.seed, quiet=options.quiet
            )

    def quality_measure(
        self,
        metadata: ModelMetadata,
        reference: "Engine",
        inputs: "Batch",
        data: "ImageDataset | None",
        options: "EvaluationOptions",
    ) -> "QualityMeasure":
        from edgevision.runtime.tasks.generation.quality import GeneratorQuality

        return GeneratorQuality(reference, metadata, inputs)


def latent_facts(metadata: ModelMetadata) -> dict[str, str]:
    """What is shown of a latent and of the classes that can be asked for."""
    spec = metadata.spec_as(GenerationSpec)
    latent = f"{spec.latent.size}, {spec.latent.distribution}" if spec.latent else ""
    if spec.latent and spec.latent.pixels is not None:
        latent += f", {spec.latent.pixels} x {spec.latent.pixels} pixels each"
    return {"latent": latent, "labels": ", ".join(spec.labels)}


GENERATE = GenerationTask(
    name="generate",
    summary="Draw pictures from seeds.",
    command="edgevision.runtime.tasks.generation.command:generate",
    served="edgevision.runtime.tasks.generation.served:SERVED",
    spec=GenerationSpec,
    bounds=LATENT_BOUNDS,
    describe_network="edgevision.exporters.network_facts.generation:describe_generation",
    takes_pictures=False,
    draws_inputs=True,
    auxiliary_range=(0.0, 1.0),
)
