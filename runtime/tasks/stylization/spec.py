"""What the metadata of a stylization network say."""

from edgevision.core.records import record
from edgevision.runtime.tasks.restoration.spec import RestorationSpec


@record
class StylizationSpec(RestorationSpec):
    """How a painted picture follows from the network's output, as of a restored one, and which ``styles`` there are.

    With styles there is a second input, their shares (batch, styles). A third are ``statistics``, means and variances
    (batch, 2, channels) that its normalisations use in place of those of what they see, where the variance is not 0;
    then a second output gives those.

    ``paintings`` are the :func:`~edgevision.imaging.patch_style.patch_quantiles` of the paintings that a training had,
    float16 (styles, scales, filters, quantiles) as ``quantiles`` in :mod:`edgevision.modelfiles.packed_arrays`, by
    which what the network paints is judged.
    """

    styles: tuple[str, ...] = ()
    paintings: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.styles)) < len(self.styles):
            raise ValueError(f"styles must have each a name of its own, not {self.styles!r}")
