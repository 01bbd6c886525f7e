"""The settings of a network that turns pictures of one kind into another."""

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.photographs import PhotoSettings
from edgevision.training.settings.training import Optimizer


@record
class TranslationSettings(PhotoSettings):
    """All settings of a translation network; ``data`` are pairs, of which the right picture is learned from the left.

    ``given`` and ``made`` say what the two are, ``swap`` exchanges them, and ``groups`` finds in a file's name what a
    pair shows, as a person, of which a tenth is held out. The gradient of the discriminator is ``adversarial`` times as
    long as that of the mean absolute error. ``flip`` mirrors, and ``turn`` also turns the crops.

    Raises:
        InputError: a number out of its range.
    """

    model: str = "translation_unet"
    given: str = "A"
    made: str = "B"
    swap: bool = False
    groups: str | None = None
    steps: int = 20_000
    validate_every: int = 1000
    batch_size: int = 16
    optimizer: Optimizer = Optimizer.ADAMW
    learning_rate: float = 0.0004
    crop: int = 128
    zoom: float = 1.0
    turn: bool = False
    adversarial: float = 1.0
    discriminator_width: int = 64

    @property
    def run_name(self) -> str:
        return f"translate-{self.model}"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("discriminator_width")
        self._check_not_negative("adversarial")
        if self.turn and not self.flip:
            raise InputError("--turn is for crops that are mirrored, too, which --no-flip does not want")
