"""What the metadata of generators and autoencoders say of what pictures are drawn from."""

from edgevision.core.records import Record, record


@record
class LatentSpec(Record):
    """What a generator's latent is drawn from: ``size`` numbers of ``distribution`` (normal, or uniform in -1..1).

    Where ``pixels`` is not ``None`` the latent is a map of such vectors of any height and width, and that is the side
    of what each of them becomes.
    """

    size: int
    distribution: str = "normal"
    pixels: int | None = None

    def __post_init__(self) -> None:
        if self.size < 1 or (self.pixels is not None and self.pixels < 1):
            raise ValueError(f"size and pixels must be positive, not {self!r}")
        if self.distribution not in ("normal", "uniform"):
            raise ValueError(f"distribution must be normal or uniform, not {self.distribution!r}")


@record
class GenerationSpec(Record):
    """What a picture is drawn from: the latent and, where there are ``labels``, one of the classes they name."""

    latent: LatentSpec | None = None
    labels: tuple[str, ...] = ()
