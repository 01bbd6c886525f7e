"""The settings of a network that paints pictures in other styles."""

from pathlib import PurePath

from edgevision.core.errors import InputError
from edgevision.core.records import record
from edgevision.training.settings.photographs import PhotoSettings


@record
class StyleSettings(PhotoSettings):
    """All settings of a stylization network.

    ``styles`` are the paintings, whose file names name the styles, ``style_size`` what their longer side is brought to:
    the larger, the larger the strokes. ``style_weight`` is how much the style counts beside what the picture shows.

    Raises:
        InputError: a number out of its range, or two styles of one name.
    """

    styles: tuple[str, ...]
    model: str = "style_net"
    style_size: int = 384
    style_weight: float = 10.0
    steps: int = 2000
    validate_every: int = 250
    batch_size: int = 4
    crop: int = 256

    @property
    def run_name(self) -> str:
        return f"stylize-{self.model}"

    @property
    def style_names(self) -> tuple[str, ...]:
        """What the styles are called."""
        return tuple(PurePath(style).stem for style in self.styles)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_positive("style_size", "style_weight")
        if not self.styles:
            raise InputError("there is no style: name a painting with --style")
        names = self.style_names
        for name in names:
            if names.count(name) > 1:
                raise InputError(f"two styles are called {name!r}, as their files are; rename one")
