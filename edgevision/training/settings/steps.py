"""The settings of every training that is so many batches long."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.training import Optimizer, TrainingSettings


@record
class SteppedSettings(TrainingSettings):
    """How long a network learns, one batch a step, and how often it is judged, which is where it can resume.

    ``ema`` is the decay of the average of the weights, which is what is kept; with 0 there is none.

    Raises:
        InputError: a number out of its range, or a last step that no validation follows.
    """

    steps: int = 4000
    validate_every: int = 250
    batch_size: int = 8
    optimizer: Optimizer = Optimizer.MUON
    learning_rate: float = 0.003
    weight_decay: float = 0.01
    ema: float = 0.998
    warmup: int = 100

    @classmethod
    def from_sources(cls, kind: str, sources: Sequence[str], given: Mapping[str, Any]) -> Self:
        return super().from_sources(kind, sources, cls.with_validation(given))

    @classmethod
    def with_validation(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """``given``, and where that does not say how often to validate, the most steps that are usual and fit."""
        usual, steps = cls.validate_every, given.get("steps", cls.steps)
        if given.get("validate_every") is not None or not isinstance(steps, int):
            return dict(given)
        # Much oftener than usual would take the time for learning: then what does not fit is refused.
        fitting = (every for every in range(usual, max(1, usual // 10) - 1, -1) if steps % every == 0)
        every = steps if 0 < steps < usual else next(fitting, usual)
        return {**given, "validate_every": every}

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("steps", "validate_every")
        self._check_not_negative("warmup")
        self._check_fraction("ema")
        steps, every = self.steps, self.validate_every
        if rest := steps % every:
            fitting = f"--validate-every {steps}" if steps < every else f"--steps {steps - rest}"
            raise InputError(f"steps must be a multiple of validate-every {every}, not {steps}; {fitting} would do")
