"""How one model is quantised, and what a preset of the search stands for."""

from dataclasses import dataclass, field
from pathlib import Path

from edgevision.exporters.quantization.calibration import Amount
from edgevision.exporters.quantization.options import Preset, QuantizationOptions
from edgevision.runtime.tasks.evaluation import EvaluationOptions


@dataclass(frozen=True)
class Effort:
    """What a preset stands for: ``seconds`` of search, of which ``timing`` for each candidate, and how much data."""

    seconds: float
    timing: float
    amount: Amount


EFFORTS = {
    Preset.QUICK: Effort(45, 0.7, Amount(pictures=(256, 1000), crops=(32, 8), latents=(128, 64))),
    Preset.DEFAULT: Effort(150, 1.5, Amount(pictures=(1024, 5000), crops=(64, 16), latents=(256, 128))),
    Preset.THOROUGH: Effort(1500, 4.0, Amount(pictures=(4096, 10000), crops=(256, 48), latents=(1024, 512))),
}


@dataclass(frozen=True, kw_only=True)
class QuantizationSettings(QuantizationOptions):
    """How to quantise one model, and what to judge it on.

    Attributes:
        data: pictures to judge on instead of those of ``calibration`` that are held back.
        evaluation: how the task judges, as what is done to pictures for restoration.
    """

    data: Path | None = None
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    seed: int = 0
