"""The settings of every network that learns from crops of photographs."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.steps import SteppedSettings


@record
class PhotoSettings(SteppedSettings):
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

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("crop")
        if not 0 < self.zoom <= 1:
            raise InputError(f"zoom must lie in 0..1 and not be 0, not {self.zoom!r}")
