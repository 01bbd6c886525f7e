"""The knobs of a training, validated; nothing here needs torch, so ``--help`` does not either."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from edgevision.errors import InputError
from edgevision.metadata import Color
from edgevision.records import Record, record

DIGITS = "digits"
"""The value of ``data`` that stands for the built-in digits."""


class Augmentation(StrEnum):
    """What may be varied in a training picture; each is drawn anew for every picture."""

    FLIP = "flip"
    """Mirrored left to right, half of the time."""
    SHIFT = "shift"
    """Moved by up to an eighth of the side, the border reflected."""
    ROTATE = "rotate"
    """Turned by up to 15 degrees."""
    SCALE = "scale"
    """Enlarged or shrunk by up to 15 %."""
    COLOUR = "colour"
    """Brightness, contrast and saturation by up to 20 %, hue by up to 0.05 of the circle; gray has the first two."""


class Balance(StrEnum):
    """What is done about classes of unequal size."""

    NONE = "none"
    WEIGHTS = "weights"
    """The loss of a class counts in inverse proportion to its size."""
    RESAMPLE = "resample"
    """Pictures are drawn with replacement so that every class is seen equally often."""


class Optimizer(StrEnum):
    """The update rule."""

    ADAMW = "adamw"
    SGD = "sgd"
    """Momentum 0.9, Nesterov."""


class MixedPrecision(StrEnum):
    """The number format of the forward and backward pass; weights stay fp32."""

    AUTO = "auto"
    """bf16 or fp16 where a GPU has it, fp32 elsewhere."""
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


@record
class ClassifierSettings(Record):
    """All knobs. ``image_size`` and ``color`` of ``None`` are taken from the data.

    Raises:
        InputError: a number out of its range.
    """

    data: str = DIGITS
    model: str = "cnn3"
    model_options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = 10
    batch_size: int = 128
    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = 0.002
    weight_decay: float = 0.0005
    dropout: float = 0.0
    label_smoothing: float = 0.0
    augment: tuple[Augmentation, ...] = ()
    balance: Balance = Balance.NONE
    image_size: int | None = None
    color: Color | None = None
    val_fraction: float = 0.1
    patience: int | None = None
    precision: MixedPrecision = MixedPrecision.AUTO
    seed: int = 0
    devices: int = 1
    nodes: int = 1
    workers: int = 2
    licence: str | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "devices", "nodes", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name.replace('_', '-')} must be positive, not {getattr(self, name)!r}")
        for name in ("dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} must lie in 0..1, not {getattr(self, name)!r}")
        if not 0 < self.val_fraction < 1:
            raise InputError(f"val-fraction must lie between 0 and 1, not {self.val_fraction!r}")
