"""What the metadata of a restoration network say of its output."""

from enum import StrEnum

from edgevision.core.records import Record, record
from edgevision.data.noise_kinds import NoiseKind


class RestorationKind(StrEnum):
    """The tasks of this room."""

    INPAINT = "inpaint"
    DENOISE = "denoise"
    UPSCALE = "upscale"
    BRIGHTEN = "brighten"
    COLORIZE = "colorize"


class HoleFill(StrEnum):
    """What holes are filled with that are too large for the inpainting network to see across."""

    AUTO = "auto"
    """Texture where copies fit, smooth colours elsewhere."""
    TEXTURE = "texture"
    """Copies of what surrounds them, guided by the network's smooth fill."""
    SMOOTH = "smooth"
    """What the network makes of them: colours and edges go on."""


class Prediction(StrEnum):
    """What a restoration network's output is."""

    IMAGE = "image"
    """The restored picture."""
    NOISE = "noise"
    """What has to be subtracted from the input to restore it (Zhang et al. 2017)."""
    CURVES = "curves"
    """Parameters of curves x + a x (1 - x), estimated from a thumbnail of ``image.size`` (Guo et al. 2020)."""
    CHROMA = "chroma"
    """a and b of CIE Lab, at any size, estimated from a gray thumbnail of ``image.size`` (Zhang et al. 2016)."""

    @property
    def from_thumbnail(self) -> bool:
        """Whether the network sees a picture at one size, and what it says is stretched over all of it."""
        return self in (Prediction.CURVES, Prediction.CHROMA)


@record
class RestorationSpec(Record):
    """How a restored picture follows from the network's output, which has ``scale`` times the input's sides.

    A second input is the mask: 1 where the picture is to be filled, 0 elsewhere. ``output_range`` is what black and
    white are in a predicted image; ``None`` says the same as in the input. ``sigma`` are the least and the most noise
    (of 255) that a denoiser was trained for, ``noise`` its kind: ``None`` is white noise for a denoiser, and none for
    other tasks.
    """

    predicts: Prediction = Prediction.IMAGE
    scale: int = 1
    output_range: tuple[float, float] | None = None
    sigma: tuple[float, float] | None = None
    noise: NoiseKind | None = None

    def __post_init__(self) -> None:
        if self.sigma is not None and not 0 <= self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"sigma must rise from the least to the most noise, not {self.sigma!r}")
        if self.scale < 1 or (self.scale > 1 and self.predicts is not Prediction.IMAGE):
            raise ValueError(f"scale is 1, or more where an image is predicted, not {self.scale} for {self.predicts}")
        if self.output_range is not None and self.predicts is not Prediction.IMAGE:
            raise ValueError(f"output_range is that of a predicted image, not of {self.predicts}")
        if self.output_range is not None and self.output_range[0] >= self.output_range[1]:
            raise ValueError(f"output_range must rise from black to white, not {self.output_range!r}")
