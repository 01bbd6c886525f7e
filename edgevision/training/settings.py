"""The settings of a training, validated; nothing here needs torch, so ``--help`` does not either."""

import math
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, NamedTuple

from edgevision.core.errors import InputError
from edgevision.core.records import Record, record
from edgevision.data.noise_kinds import NoiseKind
from edgevision.modelfiles.metadata import Color
from edgevision.runtime.tasks.restoration.spec import RestorationKind

DIGITS = "digits"
"""The value of ``data`` that stands for the built-in digits."""


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


class Optimizer(StrEnum):
    """The update rule."""

    ADAMW = "adamw"
    SGD = "sgd"
    """Momentum 0.9, Nesterov."""
    MUON = "muon"
    """Orthogonalised momentum for the inner layers, AdamW for the rest (Jordan 2024, scaled as Liu et al. 2025)."""


class MixedPrecision(StrEnum):
    """The number format of the forward and backward pass; weights stay fp32."""

    AUTO = "auto"
    """bf16 or fp16 where a GPU has it, fp32 elsewhere."""
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


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
    PERCEPTUAL = "perceptual"
    """Mean absolute error of the features of the project's own classifier (Johnson et al. 2016)."""


@record
class TrainingSettings(Record):
    """What every training is told."""

    model: str
    model_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 128
    learning_rate: float = 0.002
    weight_decay: float = 0.0005
    precision: MixedPrecision = MixedPrecision.AUTO
    seed: int = 0
    devices: int = 1
    nodes: int = 1
    workers: int = 2
    licence: str | None = None

    def __post_init__(self) -> None:
        self._check_positive("batch_size", "devices", "nodes", "learning_rate")
        self._check_not_negative("seed", "weight_decay", "workers")

    def _check_positive(self, *names: str) -> None:
        for name in names:
            if not 0 < getattr(self, name) < math.inf:
                raise InputError(f"{name.replace('_', '-')} must be positive, not {getattr(self, name)!r}")

    def _check_not_negative(self, *names: str) -> None:
        for name in names:
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name.replace('_', '-')} must not be negative, not {getattr(self, name)!r}")

    def _check_fraction(self, *names: str) -> None:
        for name in names:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name.replace('_', '-')} must lie in 0..1, not {getattr(self, name)!r}")


@record
class ClassifierSettings(TrainingSettings):
    """All settings of a classifier. ``image_size`` and ``color`` of ``None`` are taken from the data.

    Raises:
        InputError: a number out of its range.
    """

    data: str = DIGITS
    model: str = "cnn3"
    epochs: int = 10
    optimizer: Optimizer = Optimizer.ADAMW
    dropout: float = 0.0
    label_smoothing: float = 0.0
    augment: tuple[Augmentation, ...] = ()
    mix: tuple[Mix, ...] = ()
    balance: Balance = Balance.NONE
    image_size: int | None = None
    color: Color | None = None
    val_fraction: float = 0.1
    patience: int | None = None

    @property
    def classes_for(self) -> str | None:
        """What needs class folders; ``None`` where nothing does."""
        return "a classifier"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("epochs")
        self._check_fraction("dropout", "label_smoothing")
        if not 0 < self.val_fraction < 1:
            raise InputError(f"val-fraction must lie between 0 and 1, not {self.val_fraction!r}")


@record
class RestorationSettings(TrainingSettings):
    """All settings of a restoration network; one step is one batch of crops.

    ``zoom`` is the least scale that pictures are shrunk to before a crop is taken: shrinking shows the network finer
    detail than the files have, and removes their compression artefacts. ``noise`` is what pictures to denoise suffer
    from (``None``: white noise), and half of the small pictures to upscale (``None``: nothing); ``sigma`` bounds it, in
    steps of 1/255. ``gray`` is the part of the crops that lose their colour. ``start_from`` names a checkpoint of the
    same network whose weights to begin with.

    Raises:
        InputError: a number out of its range.
    """

    kind: RestorationKind
    data: tuple[str, ...]
    scale: int = 1
    steps: int = 10_000
    validate_every: int = 500
    batch_size: int = 16
    optimizer: Optimizer = Optimizer.MUON
    learning_rate: float = 0.003
    weight_decay: float = 0.0
    crop: int = 64
    zoom: float = 0.5
    flip: bool = True
    noise: NoiseKind | None = None
    sigma: tuple[float, float] = (0.0, 50.0)
    gray: float = 0.0
    loss: Mapping[str, float] = field(default_factory=lambda: {LossTerm.L1.value: 1.0})
    perceptual_model: str | None = None
    ema: float = 0.999
    warmup: int = 200
    start_from: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("steps", "validate_every", "crop")
        self._check_not_negative("warmup")
        self._check_fraction("ema")
        if self.steps % self.validate_every:
            raise InputError(f"steps must be a multiple of validate-every {self.validate_every}, not {self.steps}")
        if not 0 < self.zoom <= 1:
            raise InputError(f"zoom must lie in 0..1 and not be 0, not {self.zoom!r}")
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
}


def restoration_defaults(kind: RestorationKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """``given``, and where that has ``None`` or nothing, what suits the ``kind``."""
    steps = given.get("steps") or RestorationSettings.steps
    suited = {
        **RESTORATION_DEFAULTS[kind]._asdict(),
        "scale": 2 if kind == RestorationKind.UPSCALE else 1,
        "validate_every": max(every for every in range(1, 501) if steps % every == 0),
    }
    return suited | {name: value for name, value in given.items() if value is not None or name not in suited}


class GanLoss(StrEnum):
    """What the two networks of a GAN compete by."""

    BCE = "bce"
    """Binary cross-entropy, not saturating for the generator (Goodfellow et al. 2014)."""
    HINGE = "hinge"
    """Margins of one for the discriminator, its plain score for the generator (Lim & Ye 2017)."""
    WGAN_GP = "wgan-gp"
    """The Wasserstein distance, the discriminator's slope held near one (Gulrajani et al. 2017)."""


class DiffAugment(StrEnum):
    """How real and generated pictures are varied alike before the discriminator sees them (Zhao et al. 2020)."""

    COLOR = "color"
    """Brightness, saturation and contrast."""
    TRANSLATION = "translation"
    """Moved by up to an eighth of the side, the border black."""
    CUTOUT = "cutout"
    """A square of half the side blackened."""


@record
class GenerativeSettings(TrainingSettings):
    """The settings of every generative training; one step is one batch of pictures.

    ``sample_every`` steps there is a sheet of samples, the figures, and a place to resume. ``classifier`` names a
    checkpoint of the project's residual classifier, in whose features samples are compared with held-out pictures.
    ``image_size`` and ``color`` of ``None`` are taken from the data.

    Raises:
        InputError: a number out of its range.
    """

    data: str = DIGITS
    steps: int = 5000
    sample_every: int = 500
    batch_size: int = 64
    optimizer: Optimizer = Optimizer.MUON
    learning_rate: float = 0.0015
    weight_decay: float = 0.0
    image_size: int | None = None
    color: Color | None = None
    flip: bool = False
    ema: float = 0.999
    classifier: str | None = None

    @property
    def classes_for(self) -> str | None:
        """What needs class folders; ``None`` where nothing does."""
        return None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("steps", "sample_every")
        self._check_fraction("ema")
        if self.steps % self.sample_every:
            raise InputError(f"steps must be a multiple of sample-every {self.sample_every}, not {self.steps}")
        if self.batch_size < 2:
            raise InputError(f"batch-size must be at least 2, not {self.batch_size}")
        if self.color not in (None, Color.RGB, Color.GRAY):
            raise InputError(f"color must be rgb or gray, in which pictures are drawn, not {self.color}")


@record
class GanSettings(GenerativeSettings):
    """All settings of a GAN.

    ``conditional`` lets the class folders be asked for. The generator learns in every ``d_steps``-th step, the
    discriminator in each, at ``discriminator_rate`` times the learning rate; real pictures count as
    1 - ``label_smoothing`` (``bce``). With ``classifier``, ``class_weight`` times its cross-entropy for the class asked
    for is added to the generator's loss (after Odena et al. 2017, whose discriminator is the classifier).

    Raises:
        InputError: a number out of its range, or a setting without what it needs.
    """

    model: str = "dcgan"
    conditional: bool = False
    loss: GanLoss = GanLoss.HINGE
    d_steps: int = 1
    discriminator_rate: float = 1.0
    label_smoothing: float = 0.0
    augment: tuple[DiffAugment, ...] = ()
    spectral_norm: bool = True
    dropout: float = 0.0
    gradient_penalty: float = 10.0
    class_weight: float = 0.0

    @property
    def classes_for(self) -> str | None:
        """What needs class folders; ``None`` where nothing does."""
        return "--conditional" if self.conditional else None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("d_steps", "discriminator_rate")
        self._check_fraction("label_smoothing", "dropout")
        self._check_not_negative("gradient_penalty", "class_weight")
        if self.class_weight and (self.classifier is None or not self.conditional):
            raise InputError("class-weight needs --conditional and a classifier's checkpoint: --classifier NAME.pt")


@record
class VaeSettings(GenerativeSettings):
    """All settings of a variational autoencoder; ``beta`` weighs the code's divergence from a normal distribution."""

    model: str = "conv_vae"
    learning_rate: float = 0.003
    beta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("beta")
