"""Cutting subjects out of their background."""

from collections.abc import Sequence
from typing import Any

from edgevision.imaging.cutouts import cut_out
from edgevision.imaging.mask_tidying import tidied
from edgevision.imaging.picture_sources import ArrayColor, check_array_color, split_pictures
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.composite import Composite
from edgevision.runtime.compositions.finder import Finder
from edgevision.runtime.compositions.selection import Selection, union
from edgevision.runtime.load import ModelPath

DEFAULT_MATTING = 0.4
"""How far from a mask's rim hair is looked for, 0..1."""


class Cutter(Composite):
    """Cuts things out of pictures; call it on a picture or on a list of them.

    Attributes:
        finder: what finds the things; ``None`` where only masks are given.
        matting: as the ``strength`` of :func:`~edgevision.imaging.matting.refine_mask`.
    """

    def __init__(self, finder: Finder | None, *, matting: float = DEFAULT_MATTING, color: ArrayColor = "rgb") -> None:
        if not 0 <= matting <= 1:
            raise ValueError(f"matting is 0..1, not {matting!r}")
        super().__init__(segmenter=None if finder is None else finder.pipeline)
        self.finder, self.matting = finder, matting
        self._color = check_array_color(color)

    def __call__(self, images: Any, **what: Any) -> Any:
        """The :class:`Picture` of what is meant, transparent where that is not; of several pictures a list.

        Args:
            images: a picture, or several, as for any pipeline.
            what: of :class:`Selection`: ``classes``, ``points`` and a ``mask``; persons where there is nothing.

        Raises:
            ImageError: a picture cannot be decoded, or no such thing is in it.
            DeviceError: the device failed.
        """
        pictures, several = split_pictures(images, self._color)
        selection = Selection(**what)
        results = [self.cut(Picture.read(picture).with_array_color(self._color), selection) for picture in pictures]
        return results if several else results[0]

    def cut(self, picture: Picture, selection: Selection) -> Picture:
        """The same for one picture that is read already."""
        mask = union(selection.find(picture, self.finder))
        return cut_out(picture, mask if selection.mask is not None else tidied(mask), strength=self.matting)


def open_cutter(
    device: str = "cpu",
    *,
    segmenter: ModelPath | None = None,
    classes: Sequence[str] = (),
    matting: float = DEFAULT_MATTING,
    min_score: float | None = None,
    color: ArrayColor = "rgb",
    **options: Any,
) -> Cutter:
    """A :class:`Cutter` with a segmenter, by default one that ships and knows the classes.

    The other options are those of the cutter and of any model's ``load``.
    """
    finder = Finder.open(
        device, segmenter=segmenter, classes=classes, findings=("masks",), min_score=min_score, **options
    )
    return Cutter(finder, matting=matting, color=color)
