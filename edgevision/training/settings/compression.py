"""The settings of a network that compresses photographs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.training import Optimizer, TrainingSettings


@record
class CompressionSettings(TrainingSettings):
    """All settings of a network that compresses photographs; one step is one batch of crops.

    ``distortion_weights`` has a number for each quality, from the smallest files to the best pictures: what is learned
    is bits a pixel plus that weight times the mean squared error of samples in 0..255. ``zoom`` is the least scale that
    pictures are shrunk to before a crop is taken, ``gray`` the part of the crops that lose their colour. ``start_from``
    names a checkpoint of the same network whose weights to begin with.

    Raises:
        InputError: a number out of its range.
    """

    data: tuple[str, ...]
    model: str = "hyperprior"
    distortion_weights: tuple[float, ...] = (0.002, 0.006, 0.016)
    steps: int = 10_000
    validate_every: int = 500
    batch_size: int = 8
    optimizer: Optimizer = Optimizer.MUON
    learning_rate: float = 0.0012
    weight_decay: float = 0.0
    crop: int = 128
    zoom: float = 0.5
    flip: bool = True
    gray: float = 0.1
    ema: float = 0.999
    warmup: int = 200
    start_from: str | None = None

    @property
    def run_name(self) -> str:
        return f"compress-{self.model}"

    @classmethod
    def from_sources(cls, kind: str, sources: Sequence[str], given: Mapping[str, Any]) -> Self:
        return cls.from_dict({"data": list(sources), **given}, kind)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("steps", "validate_every", "crop")
        self._check_not_negative("warmup")
        self._check_fraction("ema")
        self._check_validated_last(self.steps, self.validate_every)
        if not 0 < self.zoom <= 1:
            raise InputError(f"zoom must lie in 0..1 and not be 0, not {self.zoom!r}")
        if not 0 <= self.gray <= 1:
            raise InputError(f"gray must lie in 0..1, not {self.gray!r}")
        weights = self.distortion_weights
        if not weights or not all(0 < weight < math.inf for weight in weights) or sorted(set(weights)) != [*weights]:
            raise InputError(
                f"distortion-weights are positive numbers that rise from quality to quality, not {weights!r}"
            )
