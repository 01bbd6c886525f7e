"""What a model file says about itself, so that no side file and no option has to repeat it.

:class:`ModelMetadata` is written into the checkpoint by training, into ONNX ``metadata_props`` and into OpenVINO
``rt_info`` under the one key :data:`METADATA_KEY`, always as the same JSON document.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, Self, TypeVar

from edgevision.core.errors import ModelFileError
from edgevision.core.installation import upgrade_command
from edgevision.core.printable import exact_json
from edgevision.core.records import Record, record
from edgevision.modelfiles.judged_loss import JudgedLoss
from edgevision.modelfiles.measured_engine import MeasuredEngine
from edgevision.modelfiles.task_registry import find_task

METADATA_KEY = "edgevision"
SCHEMA_VERSION = 2


class Precision(StrEnum):
    """The number format most of the weights and activations are in."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    """Arithmetic in int8, at least in part. Older files say so of weight-only int8, too."""
    INT8_WEIGHTS = "int8-weights"
    """Weight-only int8: weights are stored in int8, the arithmetic is float32."""


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
    """The longer side is scaled to fit, the rest is filled, on both sides unless ``pad_corner`` is set."""


class Resample(StrEnum):
    """Pillow's filters of the same names (antialiased when shrinking, except nearest), and one of others."""

    LINEAR = "linear"
    """Between the four nearest pixels, however much is shrunk: OpenCV's INTER_LINEAR, PyTorch's without antialias."""
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
    ``size`` is (height, width); ``None`` keeps the picture's own. What :attr:`Resize.PAD` fills is ``pad_value``, of
    255; with ``pad_corner`` the picture lies in the upper left corner instead of the middle, and without ``scale_up``
    one that is smaller keeps its size. Of what :attr:`Resize.CROP` could take, it takes ``crop_share`` of either side.
    """

    color: Color = Color.RGB
    size: tuple[int, int] | None = None
    resize: Resize = Resize.CROP
    resample: Resample = Resample.BILINEAR
    value_range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    pad_value: int = 0
    pad_corner: bool = False
    scale_up: bool = True
    crop_share: float = 1.0

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values and len(values) != self.color.channels:
                raise ValueError(f"{name} needs {self.color.channels} numbers for {self.color}, not {values!r}")
        if any(value <= 0 for value in self.std):
            raise ValueError(f"std must be positive, not {self.std!r}")
        if self.size and min(self.size) < 1:
            raise ValueError(f"size must be positive (height, width), not {self.size!r}")
        if not 0 <= self.pad_value <= 255:
            raise ValueError(f"pad_value is a sample of 0..255, not {self.pad_value}")
        if not 0 < self.crop_share <= 1:
            raise ValueError(f"crop_share is a share of 0..1, not {self.crop_share}")


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
class PrivacyBudget(Record):
    """How little the weights tell of any one picture: (``epsilon``, ``delta``)-differential privacy, by DP-SGD.

    ``noise`` is in multiples of ``clip``, the most that the gradient of a picture may be long.
    """

    epsilon: float
    delta: float
    noise: float
    clip: float


@record
class Provenance(Record):
    """Where the weights come from: hashes, versions, and the recipe that anyone can run again."""

    checkpoint_sha256: str | None = None
    data: str | None = None
    data_licence: str | None = None
    command: str | None = None
    machine: str | None = None
    hours: float | None = None
    created: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    privacy: PrivacyBudget | None = None


S = TypeVar("S", bound=Record)


@record
class ModelMetadata(Record):
    """Everything a pipeline needs to run the model, and everything a person needs to trust it.

    ``task`` is what the model is for, a name of :mod:`.task_registry`; ``spec`` is what only that task has to say, a
    record of the class that its room gives. ``target`` is what int8 was made for, ``measured_in`` the engine it was
    found to be fastest in, ``judged_loss`` what it lost there. ``quality`` holds measured figures by name (``"top1"``
    in percent, ``"psnr"`` in dB), each measured on ``provenance.data`` unless the name says otherwise.
    """

    task: str
    name: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    image: ImageSpec | None = None
    spec: Record | None = None
    tile: TileSpec | None = None
    precision: Precision = Precision.FP32
    target: str | None = None
    measured_in: MeasuredEngine | None = None
    judged_loss: JudgedLoss | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    licence: str | None = None
    provenance: Provenance = field(default_factory=Provenance)

    def spec_as(self, kind: type[S]) -> S:
        """The task's own part; an empty one where the model says nothing.

        Raises:
            TypeError: it is another task's.
        """
        if self.spec is None:
            return kind()
        if not isinstance(self.spec, kind):
            raise TypeError(f"{self.name!r} is for {self.task}, whose part is no {kind.__name__}")
        return self.spec

    @classmethod
    def from_dict(cls, document: object, path: str = "") -> Self:
        """As :meth:`Record.from_dict`; the task's own part becomes the record that its room gives."""
        where = path or cls.__name__
        metadata = super().from_dict(current(document, where), where)
        try:
            task = find_task(metadata.task)
        except ValueError as error:
            raise ValueError(f"{where}.task: {error}") from None
        if metadata.spec is None or task.spec is None:
            return metadata
        return metadata.updated(spec=task.spec.from_dict(metadata.spec.to_dict(), f"{where}.spec"))

    def to_json(self) -> str:
        """One line of JSON with ``schema_version`` first."""
        version = {"schema_version": SCHEMA_VERSION}
        return exact_json(version | self.to_dict() | version)  # also where a user's metadata brought another one along

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


_OF_TASKS = ("classification", "restoration")
"""Parts of single tasks that stood side by side in documents of schema 1, as did ``labels`` and ``latent``."""


def current(document: object, path: str = "metadata") -> Any:
    """A document of any schema in the form of today's: what is one task's own lies under ``spec``.

    Raises:
        ValueError: such a part is no object.
    """
    if not isinstance(document, Mapping) or not {*_OF_TASKS, "labels", "latent"} & set(document):
        return document
    today = dict(document)
    own: dict[str, Any] = {}
    for key in (*_OF_TASKS, "spec"):
        part = today.pop(key, None)
        if part is not None and not isinstance(part, Mapping):
            raise ValueError(f"{path}.{key} must be an object, not {part!r:.60}")
        own |= dict(part or {})
    own |= {key: value for key in ("labels", "latent") if (value := today.pop(key, None)) is not None}
    return today | {"spec": own}


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in document if names.count(name) > 1)!r} is there twice")
    return document


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")
