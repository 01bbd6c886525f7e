"""The settings of a segmentation network."""

from enum import StrEnum
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.steps import SteppedSettings


class ClassWeights(StrEnum):
    """How much the pixels of rare classes count in the loss."""

    NONE = "none"
    LOG = "log"
    """1 / log(1.1 + share of the pixels) (Paszke et al. 2016, section 5.1)."""


@record
class SegmentationSettings(SteppedSettings):
    """All settings of a segmentation network; one step is one batch of views of pictures.

    ``labels`` name the classes where the data do not, or otherwise. ``image_size`` (height, width) is what pictures are
    always brought to, of any size; ``None`` leaves them as they are, and the network runs at any size and in tiles.
    Views are ``crop`` pixels a side, or ``image_size``. ``zoom`` is the least and the greatest scale. ``rotate`` bounds
    the turn in degrees, either way; ``turn`` is for pictures without an upside: quarter turns. ``colour`` bounds the
    change of brightness, contrast and saturation, as a share. ``paste`` is the share of the views that the foreground
    of another picture is pasted into. ``start_from`` names a checkpoint of the same network whose weights to begin
    with; ``backbone`` one of other classes, of which the layers that both have are taken.

    Raises:
        InputError: a number out of its range.
    """

    data: str
    labels: tuple[str, ...] = ()
    model: str = "segmentation_unet"
    image_size: tuple[int, int] | None = None
    crop: int = 256
    zoom: tuple[float, float] = (0.6, 1.6)
    rotate: float = 15.0
    flip: bool = True
    turn: bool = False
    colour: float = 0.3
    paste: float = 0.0
    class_weights: ClassWeights = ClassWeights.NONE
    start_from: str | None = None
    backbone: str | None = None

    @property
    def run_name(self) -> str:
        return f"{Path(self.data).stem}-{self.model}"

    @property
    def view_size(self) -> tuple[int, int]:
        """(height, width) of what the network is trained on."""
        return self.image_size or (self.crop, self.crop)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("crop")
        self._check_not_both("start_from", "backbone")
        self._check_fraction("colour")
        if not 0 < self.zoom[0] <= self.zoom[1] <= 10:
            raise InputError(f"zoom is the least and the greatest scale, up to 10, not {self.zoom!r}")
        if not 0 <= self.rotate <= 180:
            raise InputError(f"rotate must lie in 0..180 degrees, not {self.rotate!r}")
        if not 0 <= self.paste <= 1:
            raise InputError(f"paste must lie in 0..1, not {self.paste!r}")
