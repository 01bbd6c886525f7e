"""The settings of every network that learns from crops of photographs."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.training import Optimizer, TrainingSettings


@record
class PhotoSettings(TrainingSettings):
    """What is the same whatever is learned; one step is one batch of crops.

    ``zoom`` is the least scale that pictures are shrunk to before a crop is taken: shrinking shows the network finer
    detail than the files have, and removes their compression artefacts. ``start_from`` names a checkpoint of the same
    network whose weights to begin with.

    Raises:
        InputError: a number out of its range.
    """

    data: tuple[str, ...]
    steps: int = 10_000
    validate_every: int = 500
    batch_size: int = 16
    optimizer: Optimizer = Optimizer.MUON
    learning_rate: float = 0.003
    weight_decay: float = 0.0
    crop: int = 64
    zoom: float = 0.5
    flip: bool = True
    ema: float = 0.999
    warmup: int = 200
    start_from: str | None = None

    @classmethod
    def from_sources(cls, kind: str, sources: Sequence[str], given: Mapping[str, Any]) -> Self:
        return cls.from_dict({"data": list(sources), **cls.with_validation(given)}, kind)

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
        self._check_positive("steps", "validate_every", "crop")
        self._check_not_negative("warmup")
        self._check_fraction("ema")
        self._check_validated_last(self.steps, self.validate_every)
        if not 0 < self.zoom <= 1:
            raise InputError(f"zoom must lie in 0..1 and not be 0, not {self.zoom!r}")
