"""What every training is told, validated."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Any, Self

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record

DIGITS = "digits"
"""The value of ``data`` that stands for the built-in digits."""

MOVING_DIGITS = "moving-digits"
"""The value of ``data`` that stands for the built-in clips."""


class Optimizer(StrEnum):
    """The update rule."""

    ADAMW = "adamw"
    SGD = "sgd"
    """Momentum 0.9, Nesterov."""
    MUON = "muon"
    """Orthogonalised momentum for the inner layers, AdamW for the rest (Jordan 2024, scaled as Liu et al. 2025)."""


class MixedPrecision(StrEnum):
    """The number format of the forward and backward pass; weights stay fp32."""

    AUTO = "auto"
    """What trains fastest: bf16 or fp16 on a GPU, bf16 on a CPU that multiplies it, fp32 elsewhere."""
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


@record
class TrainingSettings(Record):
    """What every training is told."""

    model: str
    model_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    learning_rate: float = 0.002
    weight_decay: float = 0.0005
    precision: MixedPrecision = MixedPrecision.AUTO
    seed: int = 0
    devices: int = 1
    nodes: int = 1
    workers: int = 2
    licence: str | None = None
    data_licence: str | None = None

    @property
    def run_name(self) -> str:
        """The folder under runs/ that such a training has where no other is asked for."""
        raise NotImplementedError

    @classmethod
    def from_sources(cls, kind: str, sources: Sequence[str], given: Mapping[str, Any]) -> Self:
        """Settings of a training of ``kind`` on ``sources``, of which most trainings take one, with plain values.

        Raises:
            ValueError: more than one source, or a value of another type.
            InputError: a number out of its range.
        """
        if len(sources) != 1:
            raise ValueError(f"a training of {kind} takes one folder or zip of pictures, not {len(sources)}")
        return cls.from_dict({"data": sources[0], **given}, kind)

    def __post_init__(self) -> None:
        self._check_positive("batch_size", "devices", "nodes", "learning_rate")
        self._check_not_negative("seed", "weight_decay", "workers")

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name.replace('_', '-')} must be positive, not {getattr(self, name)!r}")

    def _check_not_negative(self, *names: str) -> None:
        for name in names:
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name.replace('_', '-')} must not be negative, not {getattr(self, name)!r}")

    def _check_fraction(self, *names: str) -> None:
        for name in names:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(
                    f"{name.replace('_', '-')} must be at least 0 and less than 1, not {getattr(self, name)!r};"
                    f" usual is {getattr(type(self), name)}"
                )

    def _check_not_both(self, one: str, other: str) -> None:
        if getattr(self, one) is not None and getattr(self, other) is not None:
            raise InputError(f"{one.replace('_', '-')} and {other.replace('_', '-')} exclude each other")
