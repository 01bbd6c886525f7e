"""Generation: seeds in, pictures out."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import InputError, ModelFileError
from edgevision.imaging.picture_sources import ArrayColor, check_array_color
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.batching import run_batched
from edgevision.runtime.engines.engine import Array, Engine
from edgevision.runtime.tasks.generation.latents import LEAST_TRUNCATION, Latents, draw_latents, interpolate
from edgevision.runtime.tasks.generation.result import GeneratedPictures
from edgevision.runtime.tasks.generation.spec import GenerationSpec, LatentSpec
from edgevision.runtime.tasks.pipeline import Pipeline, require_finite

_BATCH = 32
_TEXTURE_SIDE = 256


class Generator(Pipeline):
    """A generator on an engine; call it for a number of pictures.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        labels: the classes that can be asked for; empty for an unconditional generator.
    """

    def __init__(self, engine: Engine, metadata: ModelMetadata, *, color: ArrayColor = "rgb") -> None:
        """Use ``engine``, which the generator closes in turn; ``color`` is the order of channels in arrays of pictures.

        Raises:
            ModelFileError: the metadata does not say what the latent is, or does not fit the model.
        """
        spec = metadata.spec_as(GenerationSpec)
        if spec.latent is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say what its latent is drawn from")
        self.engine = engine
        self.metadata = metadata
        self.latent: LatentSpec = spec.latent
        size = engine.inputs[0].shape[1]
        if isinstance(size, int) and size != self.latent.size:
            raise ModelFileError(f"{metadata.name!r} takes a latent of {size}, its metadata say {self.latent.size}")
        classes = engine.inputs[1].shape[1] if len(engine.inputs) > 1 else 0
        self.labels = spec.labels or tuple(f"class {index}" for index in range(int(classes)))
        if len(self.labels) != classes and classes:
            raise ModelFileError(f"{metadata.name!r} takes {classes} classes and has {len(self.labels)} labels")
        if not classes:
            self.labels = ()
        output = metadata.outputs[0] if metadata.outputs else None
        self._color = check_array_color(color)
        self._range = (output.value_range if output else None) or (-1.0, 1.0)

    def __call__(
        self,
        count: int = 1,
        *,
        seed: int = 0,
        label: str | None = None,
        truncation: float | None = None,
        height: int | None = None,
        width: int | None = None,
    ) -> GeneratedPictures:
        """Draw ``count`` pictures; the same seed gives the same ones, whatever the engine and the count.

        Args:
            label: the class to draw; without it a conditional generator takes its classes in turn.
            truncation: see :func:`draw_latents`.
            height, width: of a texture in pixels; 256 without.

        Raises:
            InputError: an unknown label, a count below one, or an option that the model does not have.
            DeviceError: the device failed.
        """
        how: dict[str, Any] = {"label": label, "truncation": truncation, "height": height, "width": width}
        drawn = [batch.pixels for batch in self.batches(count, seed=seed, **how)]
        return self._result(np.concatenate(drawn))

    def batches(
        self,
        count: int,
        *,
        seed: int = 0,
        label: str | None = None,
        truncation: float | None = None,
        height: int | None = None,
        width: int | None = None,
    ) -> Iterator[GeneratedPictures]:
        """What :meth:`__call__` gives, a batch at a time, so that any number fits into memory; raises as it does."""
        if count < 1:
            raise InputError(f"the count must be at least 1, not {count}")
        self._check(seed, truncation)
        sides, crop = self._sides(height, width)
        chosen = None if label is None else self.index(label)
        portion = 1 if sides is not None else _BATCH
        for first in range(0, count, portion):
            number = min(portion, count - first)
            latents = draw_latents(self.latent, number, seed=seed, first=first, sides=sides, truncation=truncation)
            indices = [first + i if chosen is None else chosen for i in range(number)]
            yield self._result(self._decode(latents, self._one_hot(indices))[:, : crop[0], : crop[1]])

    def between(
        self,
        seeds: tuple[int, int],
        count: int,
        *,
        label: str | None = None,
        truncation: float | None = None,
        height: int | None = None,
        width: int | None = None,
    ) -> GeneratedPictures:
        """``count`` pictures on the way from the first one of a seed to that of another; raises as :meth:`__call__`.

        Without ``label`` a conditional generator stays with its first class.
        """
        if count < 2:
            raise InputError(f"from one seed to another takes at least 2 pictures, not {count}")
        for seed in seeds:
            self._check(seed, truncation)
        sides, crop = self._sides(height, width)
        start, end = (draw_latents(self.latent, 1, seed=s, sides=sides, truncation=truncation)[0] for s in seeds)
        chosen = self.index(label) if label is not None else 0
        pictures = self._decode(interpolate(start, end, count), self._one_hot([chosen] * count))
        return self._result(pictures[:, : crop[0], : crop[1]])

    def decode(self, latents: Latents, classes: Array | None = None) -> GeneratedPictures:
        """The pictures of ``latents`` and, for a conditional generator, ``classes`` float32 (N, classes).

        Raises:
            InputError: latents or classes of the wrong size or number, or none, or numbers that are not finite.
        """
        return self._result(self._decode(latents, classes))

    def index(self, label: str) -> int:
        """The place of a class; :class:`InputError` where there is none of that name."""
        if not self.labels:
            raise InputError(f"{self.metadata.name!r} knows no classes, so none can be asked for; leave --class away")
        if label not in self.labels:
            raise InputError(f"{self.metadata.name!r} knows no class {label!r}; it knows {', '.join(self.labels)}")
        return self.labels.index(label)

    def _decode(self, latents: Latents, classes: Array | None) -> NDArray[np.uint8]:
        latents = np.asarray(latents, np.float32)
        if self.latent.pixels is None and latents.ndim == 4 and latents.shape[2:] == (1, 1):
            latents = latents[:, :, 0, 0]
        if latents.ndim != (2 if self.latent.pixels is None else 4) or latents.shape[1] != self.latent.size:
            raise InputError(
                f"{self.metadata.name!r} takes latents of {self.latent.size} numbers, not of {latents.shape[1:]}"
            )
        if not len(latents) or not np.isfinite(latents).all():
            raise InputError("at least one latent is needed, and all of its numbers must be finite")
        given = None if classes is None else np.asarray(classes, np.float32)
        shape = None if given is None else given.shape
        wanted = (len(latents), len(self.labels)) if self.labels else None
        if shape != wanted:
            raise InputError(f"for these latents {self.metadata.name!r} takes classes of shape {wanted}, not {shape}")
        if len(self.engine.inputs[0].shape) == 4 and latents.ndim == 2:
            # A vector as the first transposed convolution of a DCGAN takes it.
            latents = latents[:, :, None, None]
        inputs: list[Any] = [latents] if given is None else [latents, given]
        output = require_finite(run_batched(self.engine, inputs, most=_BATCH)[0], self.engine)
        low, high = self._range
        scaled = (_as_pictures(output) - low) * (255 / (high - low))
        pictures: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
        return pictures

    def _result(self, pixels: NDArray[np.uint8]) -> GeneratedPictures:
        return GeneratedPictures(pixels, array_color=self._color)

    def _one_hot(self, indices: list[int]) -> Array | None:
        if not self.labels:
            return None
        chosen: Array = np.eye(len(self.labels), dtype=np.float32)[np.array(indices) % len(self.labels)]
        return chosen

    def _sides(
        self, height: int | None, width: int | None
    ) -> tuple[tuple[int, int] | None, tuple[int | None, int | None]]:
        """The sides of the latent map, and what of the picture is wanted."""
        pixels = self.latent.pixels
        if pixels is None:
            if height is not None or width is not None:
                raise InputError(f"{self.metadata.name!r} draws pictures of one size; --size is for textures")
            return None, (None, None)
        height, width = (_TEXTURE_SIDE if side is None else side for side in (height, width))
        if min(height, width) < 1:
            raise InputError(f"a texture's sides must be at least 1, not {width}x{height}")
        return (-(-height // pixels), -(-width // pixels)), (height, width)

    def _check(self, seed: int, truncation: float | None) -> None:
        if seed < 0:
            raise InputError(f"the seed must not be negative, {seed} is")
        if truncation is not None and not truncation >= LEAST_TRUNCATION:
            raise InputError(f"the truncation must be at least {LEAST_TRUNCATION}, not {truncation}")


def _as_pictures(output: Any) -> Any:
    """(N, C, H, W), or flattened as dense generators are published, as (N, H, W, C)."""
    if output.ndim == 4:
        if output.shape[1] not in (1, 3):
            raise ModelFileError(f"pictures have 1 or 3 channels, and these are {output.shape}")
        return output.transpose(0, 2, 3, 1)
    flat = output.reshape(len(output), -1)
    for channels in (1, 3):
        side = round((flat.shape[1] / channels) ** 0.5)
        if channels * side**2 == flat.shape[1]:
            return flat.reshape(-1, channels, side, side).transpose(0, 2, 3, 1)
    raise ModelFileError(f"{flat.shape[1]} numbers are no square picture in gray or colour")
