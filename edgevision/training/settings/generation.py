"""The settings of generative networks."""

from enum import StrEnum
from pathlib import Path

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.modelfiles.metadata import Color
from edgevision.training.settings.training import DIGITS, Optimizer, TrainingSettings


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

    @property
    def run_name(self) -> str:
        return f"{Path(self.data).stem}-{self.model}"

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
