"""The settings of a network that compresses photographs."""

import math

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.photographs import PhotoSettings


@record
class CompressionSettings(PhotoSettings):
    """All settings of a network that compresses photographs.

    ``distortion_weights`` has a number for each quality, from the smallest files to the best pictures: what is learned
    is bits a pixel plus that weight times the mean squared error of samples in 0..255. ``gray`` is the part of the
    crops that lose their colour. With ``decoder_only`` what compresses stays as it was in ``start_from``, and what
    decompresses learns from the symbols of files: the last of several trainings.

    Raises:
        InputError: a number out of its range, or only the decoder of a network that was not trained.
    """

    model: str = "hyperprior"
    distortion_weights: tuple[float, ...] = (0.002, 0.006, 0.016)
    batch_size: int = 8
    learning_rate: float = 0.0012
    crop: int = 128
    gray: float = 0.1
    decoder_only: bool = False

    @property
    def run_name(self) -> str:
        return f"compress-{self.model}"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.gray <= 1:
            raise InputError(f"gray must lie in 0..1, not {self.gray!r}")
        if self.decoder_only and self.start_from is None:
            raise InputError("decoder-only is for a network that was trained already: name its checkpoint, start-from")
        weights = self.distortion_weights
        if not weights or not all(0 < weight < math.inf for weight in weights) or sorted(set(weights)) != [*weights]:
            raise InputError(
                f"distortion-weights are positive numbers that rise from quality to quality, not {weights!r}"
            )
