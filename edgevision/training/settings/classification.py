"""The settings of a classifier."""

from enum import StrEnum
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.modelfiles.metadata import Color
from edgevision.training.settings.training import DIGITS, MixedPrecision, Optimizer, TrainingSettings


class Augmentation(StrEnum):
    """What may be varied in a training picture; each is drawn anew for every picture."""

    FLIP = "flip"
    """Mirrored left to right, half of the time."""
    SHIFT = "shift"
    """Moved by up to an eighth of the side, the border reflected."""
    ROTATE = "rotate"
    """Turned by up to 15 degrees."""
    SCALE = "scale"
    """Enlarged or shrunk by up to 15 %."""
    COLOUR = "colour"
    """Brightness, contrast and saturation by up to 20 %, hue by up to 0.05 of the circle; gray has the first two."""
    ERASE = "erase"
    """A box of 2 to 33 % of the picture made black, in a quarter of them (Zhong et al. 2020)."""


class Mix(StrEnum):
    """How training pictures are mixed with others, and their labels with them."""

    MIXUP = "mixup"
    """The weighted mean of two pictures (Zhang et al. 2018)."""
    CUTMIX = "cutmix"
    """A box of one picture in the place of another's (Yun et al. 2019)."""


class Balance(StrEnum):
    """What is done about classes of unequal size."""

    NONE = "none"
    WEIGHTS = "weights"
    """The loss of a class counts in inverse proportion to its size."""
    RESAMPLE = "resample"
    """Pictures are drawn with replacement so that every class is seen equally often."""


@record
class LabelledSettings(TrainingSettings):
    """What trainings have in common that learn the class of something. ``image_size`` and ``color`` of ``None`` are
    taken from the data.

    Raises:
        InputError: a number out of its range.
    """

    data: str
    epochs: int = 10
    optimizer: Optimizer = Optimizer.ADAMW
    dropout: float = 0.0
    label_smoothing: float = 0.0
    balance: Balance = Balance.NONE
    image_size: int | None = None
    color: Color | None = None
    val_fraction: float = 0.1
    patience: int | None = None

    @property
    def run_name(self) -> str:
        return f"{Path(self.data).stem}-{self.model}"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("epochs")
        self._check_fraction("dropout", "label_smoothing")
        if not 0 < self.val_fraction < 1:
            raise InputError(f"val-fraction must lie between 0 and 1, not {self.val_fraction!r}")


@record
class ClassifierSettings(LabelledSettings):
    """All settings of a classifier."""

    data: str = DIGITS
    model: str = "cnn3"
    augment: tuple[Augmentation, ...] = ()
    mix: tuple[Mix, ...] = ()
    private: bool = False
    epsilon: float = 8.0
    delta: float = 1e-5
    clip: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("epsilon", "clip")
        if not 0 < self.delta < 1:
            raise InputError(f"delta must lie between 0 and 1, not {self.delta!r}")
        if not self.private:
            return
        if self.mix or self.balance is not Balance.NONE:
            raise InputError(
                "--private goes without --mix and --balance, by which a picture counts in others' gradients"
            )
        if self.precision not in (MixedPrecision.FP32, MixedPrecision.AUTO) or self.devices * self.nodes > 1:
            raise InputError("--private trains in fp32, in one process")
        # Scaled gradients would be clipped at another length.
        object.__setattr__(self, "precision", MixedPrecision.FP32)

    @property
    def classes_for(self) -> str | None:
        """What needs class folders; ``None`` where nothing does."""
        return "a classifier"
