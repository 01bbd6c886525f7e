"""What a user may ask of int8."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from edgevision.exporters.quantization.calibration import Amount
from edgevision.runtime.tasks.evaluation import EvaluationOptions


class Preset(StrEnum):
    """How long the search may take."""

    QUICK = "quick"
    """About a minute: the ranges, everything in int8, and a few likely sets."""
    DEFAULT = "default"
    """A few minutes: the search within the quality budget."""
    THOROUGH = "thorough"
    """Up to half an hour: on more data, and every part by itself."""


class Preference(StrEnum):
    """What is written where int8 does not pay in time."""

    SPEED = "speed"
    """The fastest float model."""
    SIZE = "size"
    """The smallest file that holds the quality budget."""
    INT8 = "int8"
    """As much int8 arithmetic as the quality budget bears."""


@dataclass(frozen=True)
class Effort:
    """What a preset stands for: ``seconds`` of search, of which ``timing`` for each candidate, and how much data."""

    seconds: float
    timing: float
    amount: Amount


EFFORTS = {
    Preset.QUICK: Effort(45, 0.7, Amount(pictures=(128, 1000), crops=(8, 8), latents=64)),
    Preset.DEFAULT: Effort(150, 1.5, Amount(pictures=(256, 5000), crops=(16, 16), latents=128)),
    Preset.THOROUGH: Effort(1500, 4.0, Amount(pictures=(1024, 10000), crops=(48, 48), latents=512)),
}


@dataclass(frozen=True)
class QuantizationSettings:
    """How to quantise one model.

    Attributes:
        calibration: a folder, zip or ``.npz`` of real data; generators need none.
        data: pictures to judge on instead of those of ``calibration`` that are held back.
        target: a name of ``targets.py``.
        max_drop: the largest loss of the task's metric, or the least SQNR in dB where that is judged.
        evaluation: how the task judges, as what is done to pictures for restoration.
        threads: CPU threads to time with; by default as many as there are cores.
    """

    calibration: Path | None = None
    data: Path | None = None
    target: str = "auto"
    preset: Preset = Preset.DEFAULT
    prefer: Preference = Preference.SPEED
    max_drop: float | None = None
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    threads: int | None = None
    seed: int = 0
