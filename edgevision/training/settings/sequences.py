"""The settings of a network over frames."""

from edgevision.core.records import record
from edgevision.training.settings.classification import LabelledSettings
from edgevision.training.settings.training import MOVING_DIGITS


@record
class SequenceSettings(LabelledSettings):
    """All settings of a network over frames.

    It learns from windows of ``frames`` frames, of every ``every``-th one of a clip. What is longer becomes several,
    each half over the one before; before what is shorter stands its first frame.

    Raises:
        InputError: a number out of its range.
    """

    data: str = MOVING_DIGITS
    model: str = "cnn_gru"
    epochs: int = 14
    batch_size: int = 32
    frames: int = 16
    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("frames", "every")
