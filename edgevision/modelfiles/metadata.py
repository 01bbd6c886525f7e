"""What a model file says about itself, so that no side file and no option has to repeat it.

:class:`ModelMetadata` is written into the checkpoint by training, into ONNX ``metadata_props`` and into OpenVINO
``rt_info`` under the one key :data:`METADATA_KEY`, always as the same JSON document.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, Self

from edgevision.core.errors import ModelFileError
from edgevision.core.installation import upgrade_command
from edgevision.core.printable import exact_json
from edgevision.core.records import Record, record

METADATA_KEY = "edgevision"
SCHEMA_VERSION = 1


class Task(StrEnum):
    """What a model is for; also the word after ``edgevision run``."""

    CLASSIFY = "classify"
    GENERATE = "generate"
    RECONSTRUCT = "reconstruct"
    ENCODE = "encode"
    INPAINT = "inpaint"
    DENOISE = "denoise"
    UPSCALE = "upscale"
    BRIGHTEN = "brighten"
    OTHER = "other"
    """Anything else: it can be exported, quantised and timed, and has no pipeline."""


class Precision(StrEnum):
    """The number format most of the weights and activations are in."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class Color(StrEnum):
    """Order and meaning of the channels of an image tensor."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"
    YCBCR = "ycbcr"
    LUMA = "luma"
    """The Y of YCbCr (ITU-R BT.601, full range): the network sees the brightness only."""

    @property
    def channels(self) -> int:
        return 1 if self in (Color.GRAY, Color.LUMA) else 3


class Resize(StrEnum):
    """How a picture of any size becomes the network's size."""

    STRETCH = "stretch"
    """Both sides are scaled independently; the aspect ratio changes."""
    CROP = "crop"
    """The shorter side is scaled to fit, the middle is cut out."""
    PAD = "pad"
    """The longer side is scaled to fit, the rest is filled with black on both sides."""


class Resample(StrEnum):
    """Pillow's filters of the same names (antialiased when shrinking, except nearest)."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"


@record
class TensorSpec(Record):
    """One input or output. A dimension is a positive size or the name of a dynamic one (``"batch"``)."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str = "float32"
    value_range: tuple[float, float] | None = None


@record
class ImageSpec(Record):
    """How a picture becomes the input tensor.

    A sample ``p`` of 0..255 becomes ``(p / 255 * (high - low) + low - mean) / std`` with ``value_range = (low, high)``;
    ``mean`` and ``std`` hold one number a channel, in the order of ``color``, or are empty for none.
    ``size`` is (height, width); ``None`` keeps the picture's own.
    """

    color: Color = Color.RGB
    size: tuple[int, int] | None = None
    resize: Resize = Resize.CROP
    resample: Resample = Resample.BILINEAR
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values and len(values) != self.color.channels:
                raise ValueError(f"{name} needs {self.color.channels} numbers for {self.color}, not {values!r}")
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std must be positive, not {self.std!r}")
        if self.size and min(self.size) < 1:
            raise ValueError(f"size must be positive (height, width), not {self.size!r}")


@record
class LatentSpec(Record):
    """What a generator's latent is drawn from: ``size`` numbers of ``distribution`` (normal, or uniform in -1..1).

    Where ``pixels`` is not ``None`` the latent is a map of such vectors of any height and width, and that is the side
    of what each of them becomes.
    """

    size: int
    distribution: str = "normal"
    pixels: int | None = None

    def __post_init__(self) -> None:
        if self.size < 1 or (self.pixels is not None and self.pixels < 1):
            raise ValueError(f"size and pixels must be positive, not {self!r}")
        if self.distribution not in ("normal", "uniform"):
            raise ValueError(f"distribution must be normal or uniform, not {self.distribution!r}")


class Activation(StrEnum):
    """What a classifier ends in, and with that what its scores are."""

    NONE = "none"
    """Logits: their softmax are the probabilities."""
    SOFTMAX = "softmax"
    """Probabilities that add up to 1."""
    SIGMOID = "sigmoid"
    """A probability for each class by itself."""
    LOG_SOFTMAX = "log_softmax"
    """Logarithms of probabilities that add up to 1."""


@record
class ClassificationSpec(Record):
    """What a classifier's scores are. With ``multi_label`` logits are for classes of which any number may be true.

    A network of one score says whether a picture is of the second of two classes.
    """

    activation: Activation = Activation.NONE
    multi_label: bool = False


class Prediction(StrEnum):
    """What a restoration network's output is."""

    IMAGE = "image"
    """The restored picture."""
    NOISE = "noise"
    """What has to be subtracted from the input to restore it (Zhang et al. 2017)."""
    CURVES = "curves"
    """Parameters of curves x + a x (1 - x), estimated from a thumbnail of ``image.size`` (Guo et al. 2020)."""


@record
class RestorationSpec(Record):
    """How a restored picture follows from the network's output, which has ``scale`` times the input's sides.

    A second input is the mask: 1 where the picture is to be filled, 0 elsewhere. ``output_range`` is what black and
    white are in a predicted image; ``None`` says the same as in the input. ``sigma`` are the least and the most noise
    (of 255) that a denoiser was trained for.
    """

    predicts: Prediction = Prediction.IMAGE
    scale: int = 1
    output_range: tuple[float, float] | None = None
    sigma: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.sigma is not None and not 0 <= self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma must rise from the least to the most noise, not {self.sigma!r}")
        if self.scale < 1 or (self.scale > 1 and self.predicts is not Prediction.IMAGE):
            raise ValueError(f"scale is 1, or more where an image is predicted, not {self.scale} for {self.predicts}")
        if self.output_range is not None and self.predicts is not Prediction.IMAGE:
            raise ValueError(f"output_range is that of a predicted image, not of {self.predicts}")
        if self.output_range is not None and self.output_range[0] >= self.output_range[1]:
            raise ValueError(f"output_range must rise from black to white, not {self.output_range!r}")


@record
class TileSpec(Record):
    """How a picture may be cut up, in pixels of the input.

    ``size`` is the advised side of a tile. Sides are a ``multiple`` and at least ``minimum``, or the network does not
    take them. Tiles start at multiples of ``stride``: a network that strides, and pads what is left over by itself,
    takes any side, but places its samples from the upper left corner. Each tile reaches ``overlap`` pixels into its
    neighbours, which is how far a pixel can influence the output: ``None`` says everywhere, so that the picture cannot
    be cut. ``memory`` is what the network's activations take for each pixel, in bytes.
    """

    size: int = 512
    multiple: int = 1
    overlap: int | None = None
    memory: int | None = None
    stride: int = 1
    minimum: int = 1

    def __post_init__(self) -> None:
        if min(self.size, self.multiple, self.stride, self.minimum) < 1:
            raise ValueError(f"size, multiple, stride and minimum must be positive, not {self!r}")
        if self.overlap is not None and self.overlap < 0:
            raise ValueError(f"overlap must not be negative, not {self!r}")

    @property
    def step(self) -> int:
        """What the starts of tiles are multiples of, in pixels."""
        return math.lcm(self.multiple, self.stride)

    @property
    def advised_side(self) -> int:
        """``size`` as a side that the network takes."""
        return max(self.size // self.step * self.step, self.padded(1))

    def padded(self, side: int) -> int:
        """The least side that the network takes and ``side`` fits into."""
        return -(-max(side, self.minimum) // self.multiple) * self.multiple


@record
class Provenance(Record):
    """Where the weights come from: hashes, versions, and the recipe that anyone can run again."""

    checkpoint_sha256: str | None = None
    data: str | None = None
    command: str | None = None
    machine: str | None = None
    hours: float | None = None
    created: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@record
class ModelMetadata(Record):
    """Everything a pipeline needs to run the model, and everything a person needs to trust it.

    ``quality`` holds measured figures by name (``"top1"`` in percent, ``"psnr"`` in dB), each measured on
    ``provenance.data`` unless the name says otherwise.
    """

    task: Task
    name: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    image: ImageSpec | None = None
    labels: tuple[str, ...] = ()
    classification: ClassificationSpec | None = None
    latent: LatentSpec | None = None
    restoration: RestorationSpec | None = None
    tile: TileSpec | None = None
    precision: Precision = Precision.FP32
    target: str | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    licence: str | None = None
    provenance: Provenance = field(default_factory=Provenance)

    def to_json(self) -> str:
        """One line of JSON with ``schema_version`` first."""
        return exact_json({"schema_version": SCHEMA_VERSION} | self.to_dict())

    @classmethod
    def from_json(cls, text: str, source: str = "the metadata") -> Self:
        """Read what :meth:`to_json` wrote; ``source`` names the file in errors.

        Raises:
            ModelFileError: not JSON, a field of the wrong type, or a schema newer than this release knows.
        """
        try:
            document = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_number)
        # Not only JSONDecodeError: numbers of thousands of digits and endless nesting come from strangers too.
        except (ValueError, RecursionError) as error:
            raise ModelFileError(f"{source} holds metadata that is not JSON: {error}") from error
        version = document.pop("schema_version", None) if isinstance(document, dict) else None
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise ModelFileError(f"{source} holds metadata without a schema_version")
        if version > SCHEMA_VERSION:
            raise ModelFileError(
                f"{source} holds metadata of schema {version}, this release reads up to {SCHEMA_VERSION}:"
                f" {upgrade_command()}"
            )
        try:
            return cls.from_dict(document, "metadata")
        except (ValueError, OverflowError) as error:
            raise ModelFileError(f"{source}: {error}") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in document if names.count(name) > 1)!r} is there twice")
    return document


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
