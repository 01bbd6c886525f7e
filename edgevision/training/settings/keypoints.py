"""The settings of a network that finds points on things."""

from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.runtime.tasks.keypoints.schemes import SCHEMES
from edgevision.training.settings.steps import SteppedSettings


@record
class KeypointSettings(SteppedSettings):
    """All settings of such a network; one step is one batch of crops, each round one thing.

    ``image_size`` is (height, width). ``scheme`` names the points, where people number them alike, and says which swap
    in a mirror; without it names in the data with left and right do. ``groups`` is a regular expression that finds in a
    picture's name what it shows: a tenth of these is held out. A thing's box is made as wide for its height as the
    input is and grown by ``margin``; while training its centre moves by up to ``jitter`` of its sides, and it grows and
    shrinks by as much, is turned by up to ``rotate`` degrees, mirrored with ``flip``, and changes in brightness,
    contrast and saturation by up to ``colour``, a share. ``sigma`` is the standard deviation of what the network is to
    answer, in cells of its heat maps.

    Raises:
        InputError: a number out of its range, or a scheme that nobody knows.
    """

    data: str
    model: str = "keypoint_net"
    batch_size: int = 64
    image_size: tuple[int, int] = (96, 96)
    scheme: str | None = None
    groups: str | None = None
    margin: float = 0.4
    jitter: float = 0.2
    rotate: float = 30.0
    flip: bool = True
    colour: float = 0.3
    sigma: float = 1.0

    @property
    def run_name(self) -> str:
        return f"{Path(self.data).stem}-{self.model}"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("sigma")
        self._check_not_negative("margin")
        self._check_fraction("jitter", "colour")
        if not 0 <= self.rotate <= 180:
            raise InputError(f"rotate must lie in 0..180 degrees, not {self.rotate!r}")
        if min(self.image_size) < 16:
            raise InputError(f"image-size is at least 16, not {'x'.join(map(str, self.image_size))}")
        if self.scheme is not None and self.scheme not in SCHEMES:
            raise InputError(f"scheme is one of {', '.join(SCHEMES)}, not {self.scheme!r}")
