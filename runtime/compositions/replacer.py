"""Putting cut-outs into pictures, also in the place of what is there."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np

from edgevision.imaging.cutouts import cut_out
from edgevision.imaging.mask_tidying import tidied
from edgevision.imaging.pasting import PastedThing, paste
from edgevision.imaging.picture_sources import ArrayColor, ImageSource, check_array_color, split_pictures
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.composite import Composite
from edgevision.runtime.compositions.cutter import DEFAULT_MATTING
from edgevision.runtime.compositions.finder import Finder, mask_at_size
from edgevision.runtime.compositions.remover import DEFAULT_GROWTH, filling_model, grown_holes
from edgevision.runtime.compositions.selection import Selection, union
from edgevision.runtime.load import ModelPath, load

# Of a picture's sides: what is put into it at no place in particular is not larger.
_ROOM = 0.9


class Blend(StrEnum):
    """How a cut-out and its new background meet."""

    GRADIENT = "gradient"
    """With its light and colours matched at the seam."""
    ALPHA = "alpha"
    """As it is."""


class Replacer(Composite):
    """Puts a cut-out into pictures; call it on a picture, or several, and what is put into them.

    Attributes:
        finder: what finds things in either; ``None`` where only masks and cut-outs are given.
        inpainter: the pipeline that fills the place of what is replaced; ``None`` where nothing is.
        matting: how far from a mask's rim hair is looked for, 0..1.
        growth: by what share of its size the mask of what is replaced is grown.
    """

    def __init__(
        self,
        finder: Finder | None,
        inpainter: Any,
        *,
        matting: float = DEFAULT_MATTING,
        growth: float = DEFAULT_GROWTH,
        color: ArrayColor = "rgb",
    ) -> None:
        super().__init__(segmenter=None if finder is None else finder.pipeline, inpainter=inpainter)
        self.finder, self.inpainter = finder, inpainter
        self.matting, self.growth = matting, growth
        self._color = check_array_color(color)

    def __call__(
        self,
        images: Any,
        other: ImageSource,
        *,
        other_mask: Any = None,
        center: tuple[float, float] | None = None,
        scale: float | None = None,
        blend: Blend | str = Blend.GRADIENT,
        **what: Any,
    ) -> Any:
        """The :class:`Picture` with the cut-out in it; of several pictures a list.

        Args:
            images: a picture, or several, as for any pipeline.
            other: the cut-out; or a picture without transparency, whose subject is cut out.
            other_mask: what of it is meant, white in this picture.
            center: where its middle comes, (x, y) in pixels; by default in the middle of the lower edge, or on
                the ground of what it replaces.
            scale: how many times its own size it is; by default as high as what it replaces, else as it is, or as much
                smaller as it takes to have room.
            blend: how it meets its new background.
            what: what it replaces, of :class:`Selection`: ``classes``, ``points``, ``boxes`` and a ``mask``; nothing by
                default.

        Raises:
            ImageError: a picture cannot be decoded, or no such thing is in it, or the cut-out would be outside it.
            DeviceError: the device failed.
        """
        pictures, several = split_pictures(images, self._color)
        thing = self.thing(Picture.read(other), other_mask)
        replaced = Selection(**what) if what else None
        results = [
            self.replace(
                Picture.read(picture).with_array_color(self._color),
                thing,
                replaced,
                center=center,
                scale=scale,
                blend=Blend(blend),
            )
            for picture in pictures
        ]
        return results if several else results[0]

    def thing(self, other: Picture, mask: Any = None) -> PastedThing:
        """What is put into pictures, of a cut-out or of a picture whose subject is cut out."""
        if mask is None and is_cutout(other):
            return PastedThing.of(other)
        found = union(Selection(mask=mask).find(other, self.finder))
        meant = found if mask is not None else tidied(found)
        return PastedThing.of(cut_out(other, meant, strength=self.matting), other)

    def replace(
        self,
        picture: Picture,
        thing: PastedThing,
        replaced: Selection | None = None,
        *,
        center: tuple[float, float] | None = None,
        scale: float | None = None,
        blend: Blend = Blend.GRADIENT,
        **how: Any,
    ) -> Picture:
        """The same for one picture that is read already; ``how`` are options of the inpainter's call."""
        size = picture.height, picture.width
        height, width = thing.size
        if replaced is None:
            scale = scale or min(1.0, _ROOM * size[0] / height, _ROOM * size[1] / width)
            center = center or (size[1] / 2, size[0] - scale * height / 2)
        else:
            masks = replaced.find(picture, self.finder)
            whole = np.logical_or.reduce([mask_at_size(mask, size) for mask in masks])
            rows, columns = (np.flatnonzero(whole.any(axis=axis)) for axis in (1, 0))
            scale = scale or (int(rows[-1]) + 1 - int(rows[0])) / height
            ground = float(rows[-1]) + 1
            center = center or ((float(columns[0]) + float(columns[-1]) + 1) / 2, ground - scale * height / 2)
            holes = grown_holes(masks, size, self.growth)
            if not holes.all():  # else the cut-out has to cover what it can
                picture = self.inpainter(picture, holes, **how)
        matched = 1.0 if blend is Blend.GRADIENT else 0.0
        return paste(picture, thing, center=center, scale=scale, matched=matched)


def is_cutout(picture: Picture) -> bool:
    """Whether some of a picture is transparent."""
    return picture.alpha is not None and bool(picture.alpha.min() < picture.maximum)


def open_replacer(
    device: str = "cpu",
    *,
    segmenter: ModelPath | None = None,
    inpainter: ModelPath | None = None,
    classes: Sequence[str] = (),
    finds: bool = True,
    fills: bool = True,
    matting: float = DEFAULT_MATTING,
    growth: float = DEFAULT_GROWTH,
    min_score: float | None = None,
    color: ArrayColor = "rgb",
    **options: Any,
) -> Replacer:
    """A :class:`Replacer` with the models that are named, or that ship.

    Args:
        device, options: as for any model's ``load``.
        segmenter, classes, min_score: of what finds things, as in :meth:`.Finder.open`.
        inpainter: a model that fills holes.
        finds: without it no segmenter is opened, and only cut-outs and masks can be given.
        fills: without it no inpainter is opened, and nothing can be replaced.
        matting, growth, color: of the replacer.
    """
    finder = None
    if finds:
        finder = Finder.open(
            device, segmenter=segmenter, classes=classes, findings=("masks",), min_score=min_score, **options
        )
    try:
        filling = load(filling_model(inpainter), device, **options) if fills else None
    except Exception:
        if finder is not None:
            finder.close()
        raise
    return Replacer(finder, filling, matting=matting, growth=growth, color=color)
