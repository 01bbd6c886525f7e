"""The settings of a detector."""

from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.steps import SteppedSettings

STRIDE = 32
"""Sides of pictures are multiples of it."""


@record
class DetectionSettings(SteppedSettings):
    """All settings of a detector; one step is one batch of pictures.

    ``image_size`` is (height, width). ``multi_scale`` is by how much the sides of a batch may differ from it, as a
    share. ``mosaic`` and ``mixup`` are the shares of the examples that are put together from four pictures and laid
    over another, until the last fifth of the steps. ``zoom`` is the least and the greatest scale of a picture.
    ``rotate`` bounds the turn in degrees, either way; ``turn`` is for things without an upside: quarter turns.
    ``colour`` bounds the change of brightness, contrast and saturation, as a share.
    ``start_from`` names a checkpoint of the same network, for the same classes, whose weights to begin with.
    ``backbone`` names one of other classes, or of a classifier, of which the layers that both have are taken.

    Raises:
        InputError: a number out of its range.
    """

    data: str
    model: str = "pyramid_detector"
    image_size: tuple[int, int] = (320, 320)
    multi_scale: float = 0.2
    mosaic: float = 0.5
    mixup: float = 0.1
    zoom: tuple[float, float] = (0.6, 1.6)
    rotate: float = 0.0
    flip: bool = True
    turn: bool = False
    colour: float = 0.3
    start_from: str | None = None
    backbone: str | None = None

    @property
    def run_name(self) -> str:
        return f"{Path(self.data).stem}-{self.model}"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_not_both("start_from", "backbone")
        self._check_fraction("multi_scale", "colour")
        if any(side < STRIDE or side % STRIDE for side in self.image_size):
            raise InputError(f"image-size must be multiples of {STRIDE}, not {'x'.join(map(str, self.image_size))}")
        for name in ("mosaic", "mixup"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie in 0..1, not {getattr(self, name)!r}")
        if not 0 < self.zoom[0] <= self.zoom[1] <= 10:
            raise InputError(f"zoom is the least and the greatest scale, up to 10, not {self.zoom!r}")
        if not 0 <= self.rotate <= 180:
            raise InputError(f"rotate must lie in 0..180 degrees, not {self.rotate!r}")
