"""How one model is quantised, and what a preset of the search stands for."""

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgevision.exporters.quantization.calibration import Amount
from edgevision.exporters.quantization.options import Preset, QuantizationOptions
from edgevision.exporters.quantization.time_budget import Show, Stage, TimeBudget, cpu_clock, parse_duration
from edgevision.runtime.cluster.ray_workers import RayRequest
from edgevision.runtime.tasks.evaluation import EvaluationOptions


@dataclass(frozen=True)
class Effort:
    """How much is done at most: in how many ``seconds`` all of it, the ``timing`` of a candidate, how much data, and in
    how many steps of ``training``."""

    seconds: float
    timing: float
    amount: Amount
    training: int


# A little less than they are said to take, for what is done before the time runs.
EFFORTS = {
    Preset.QUICK: Effort(110, 0.7, Amount(pictures=(256, 1000), crops=(32, 24), latents=(128, 64)), 150),
    Preset.DEFAULT: Effort(240, 1.5, Amount(pictures=(1024, 5000), crops=(64, 32), latents=(256, 128)), 400),
    Preset.THOROUGH: Effort(1700, 4.0, Amount(pictures=(4096, 10000), crops=(256, 48), latents=(1024, 512)), 2000),
}


@dataclass(frozen=True, kw_only=True)
class QuantizationSettings(QuantizationOptions):
    """How to quantise one model, and what to judge it on.

    Attributes:
        data: pictures to judge on instead of those of ``calibration`` that are held back.
        evaluation: how the task judges, as what is done to pictures for restoration.
        ray: where candidates are judged, if not in this process.
    """

    data: Path | None = None
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    seed: int = 0
    ray: RayRequest | None = None

    @property
    def effort(self) -> Effort:
        """That of the preset, or the largest that the time on the clock allows.

        Raises:
            InputError: that is no time.
        """
        if self.time_budget is None:
            return EFFORTS[self.preset]
        seconds = parse_duration(self.time_budget)
        least, *larger = EFFORTS.values()
        effort = next((one for one in reversed(larger) if one.seconds <= seconds), least)
        return replace(effort, seconds=seconds, timing=min(effort.timing, seconds / 60))

    def begin(self, show: Show, *, inspected: bool, spent: float = 0.0) -> TimeBudget:
        """Let the time run: of a preset that of the processor, of a promise that on the clock.

        Args:
            inspected: whether every layer is looked at in the end.
            spent: seconds on the clock that are gone already.
        """
        stages = set(Stage)
        if not self.finetune:
            stages.remove(Stage.FINETUNING)
        if not inspected:
            stages.remove(Stage.INSPECTING)
        if self.time_budget is not None:
            return TimeBudget(self.effort.seconds, time.monotonic, show, stages=stages, spent=spent)
        clock = cpu_clock(self.threads or os.cpu_count() or 1)
        return TimeBudget(self.effort.seconds, clock, show, stages=stages)
