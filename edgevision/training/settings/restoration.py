"""The settings of a restoration network, and what suits each kind."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Any, NamedTuple, Self

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.data.noise_kinds import NoiseKind
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.settings.photographs import PhotoSettings


class LossTerm(StrEnum):
    """What a restored picture is compared with the good one by; terms are weighed and added."""

    L1 = "l1"
    """Mean absolute error."""
    L2 = "l2"
    """Mean squared error."""
    PSNR = "psnr"
    """Mean logarithm of each picture's mean squared error, in bel (Chen et al. 2022): easy pictures count as much as
    hard ones, down to 40 dB."""
    SSIM = "ssim"
    """One minus the structural similarity, halved (Wang et al. 2004)."""
    EDGE = "edge"
    """Mean absolute error of the Sobel gradients."""
    COLORS = "colors"
    """Of colorize, and its only one: cross-entropy of the colours to choose from, rare ones counting for more (Zhang et
    al. 2016)."""
    PERCEPTUAL = "perceptual"
    """Mean absolute error of the features of the project's own classifier (Johnson et al. 2016)."""


@record
class RestorationSettings(PhotoSettings):
    """All settings of a restoration network.

    ``noise`` is what pictures to denoise suffer
    from (``None``: white noise), and half of the small pictures to upscale (``None``: nothing); ``sigma`` bounds it, in
    steps of 1/255. ``gray`` is the part of the crops that lose their colour.

    Raises:
        InputError: a number out of its range.
    """

    kind: RestorationKind
    scale: int = 1
    noise: NoiseKind | None = None
    sigma: tuple[float, float] = (0.0, 50.0)
    gray: float = 0.0
    loss: Mapping[str, float] = field(default_factory=lambda: {LossTerm.L1.value: 1.0})
    perceptual_model: str | None = None

    @property
    def run_name(self) -> str:
        return f"{self.kind}-{self.model}"

    @classmethod
    def from_sources(cls, kind: str, sources: Sequence[str], given: Mapping[str, Any]) -> Self:
        return super().from_sources(kind, sources, {"kind": kind, **restoration_defaults(RestorationKind(kind), given)})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.gray <= 1:
            raise InputError(f"gray must lie in 0..1, not {self.gray!r}")
        if not 0 <= self.sigma[0] <= self.sigma[1] < math.inf:
            raise InputError(f"sigma is the least and the greatest noise, not {self.sigma!r}")
        if self.noise is not None and self.kind not in (RestorationKind.DENOISE, RestorationKind.UPSCALE):
            raise InputError(f"--noise is for denoise and upscale, not for {self.kind}")
        unknown = set(self.loss) - set(LossTerm)
        if unknown or not self.loss or not all(0 < weight < math.inf for weight in self.loss.values()):
            raise InputError(f"a loss is a positive weight for some of {', '.join(LossTerm)}, not {dict(self.loss)!r}")
        if LossTerm.PERCEPTUAL in self.loss and self.perceptual_model is None:
            raise InputError("the perceptual loss needs the checkpoint of a classifier: --perceptual-model NAME.pt")
        if (LossTerm.COLORS in self.loss) != (self.kind == RestorationKind.COLORIZE) or (
            LossTerm.COLORS in self.loss and len(self.loss) > 1
        ):
            raise InputError(
                f"the loss of colorize is colors=1, which no other kind has; {self.kind} has {dict(self.loss)!r}"
            )
        if self.crop % self.scale:
            raise InputError(f"crop must be a multiple of the scale {self.scale}, not {self.crop}")
        if self.scale > 1 and self.kind != RestorationKind.UPSCALE:
            raise InputError(f"--scale is for upscaling; {self.kind} keeps the size")


class RestorationDefaults(NamedTuple):
    """What a kind of restoration is trained with where the user does not say otherwise."""

    model: str
    crop: int
    batch_size: int
    loss: Mapping[str, float]
    gray: float = 0.0


RESTORATION_DEFAULTS: Mapping[RestorationKind, RestorationDefaults] = {
    RestorationKind.INPAINT: RestorationDefaults("inpaint_unet", 96, 8, {"psnr": 1.0}),
    RestorationKind.DENOISE: RestorationDefaults("denoise_unet", 64, 16, {"l1": 1.0}, gray=0.3),
    RestorationKind.UPSCALE: RestorationDefaults("subpixel", 64, 16, {"l1": 1.0}),
    RestorationKind.BRIGHTEN: RestorationDefaults("curves", 256, 16, {"l1": 1.0}),
    RestorationKind.COLORIZE: RestorationDefaults("color_net", 96, 16, {"colors": 1.0}),
}


def restoration_defaults(kind: RestorationKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """``given``, and where that has ``None`` or nothing, what suits the ``kind``."""
    suited = {**RESTORATION_DEFAULTS[kind]._asdict(), "scale": 2 if kind == RestorationKind.UPSCALE else 1}
    return suited | {name: value for name, value in given.items() if value is not None or name not in suited}
