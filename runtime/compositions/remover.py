"""Removing things from pictures: they are found, the mask is grown, and the hole is filled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevision.core.errors import ImageError, ModelFileError
from edgevision.imaging.mask_growing import grow
from edgevision.imaging.mask_tidying import without_holes
from edgevision.imaging.picture_sources import ArrayColor, check_array_color, split_pictures
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.task_registry import find_task, task_names
from edgevision.runtime.compositions.composite import Composite
from edgevision.runtime.compositions.finder import Finder, Mask, mask_at_size
from edgevision.runtime.compositions.selection import Selection
from edgevision.runtime.load import ModelPath, load
from edgevision.runtime.shipped_models import resolve_model, shipped_model

DEFAULT_GROWTH = 0.06
"""By what share of a thing's size its mask is grown: masks miss the rim, and things have shadows."""

# In pixels: JPEG's ringing and what resampling mixed reach so far, however small a thing is.
_LEAST_GROWTH = 2

_LARGEST_ISLAND = 0.1
"""Of a mask's area: what it encloses and is smaller belongs to the thing, and would be left standing."""


class Remover(Composite):
    """Takes things out of pictures and fills their place; call it on a picture or on a list of them.

    Attributes:
        finder: what finds the things; ``None`` where only masks and boxes are given.
        inpainter: the pipeline that fills holes.
        growth: by what share of its size, the root of its box's area, a thing's mask is grown.
    """

    def __init__(
        self, finder: Finder | None, inpainter: Any, *, growth: float = DEFAULT_GROWTH, color: ArrayColor = "rgb"
    ) -> None:
        if not 0 <= growth <= 1:
            raise ValueError(f"growth is 0..1, not {growth!r}")
        super().__init__(finder=None if finder is None else finder.pipeline, inpainter=inpainter)
        self.finder, self.inpainter, self.growth = finder, inpainter, growth
        self._color = check_array_color(color)

    def __call__(self, images: Any, *, how: dict[str, Any] | None = None, **what: Any) -> Any:
        """The :class:`Picture` without what is meant, every other pixel as it was; of several pictures a list.

        Args:
            images: a picture, or several, as for any pipeline.
            how: options of the call of the inpainter.
            what: of :class:`Selection`: ``classes``, ``points``, ``boxes`` and a ``mask``.

        Raises:
            ImageError: a picture cannot be decoded, no such thing is in it, or nothing is left beside it.
            DeviceError: the device failed.
        """
        pictures, several = split_pictures(images, self._color)
        selection = Selection(**what)
        results = [
            self.remove(Picture.read(picture).with_array_color(self._color), selection, **(how or {}))
            for picture in pictures
        ]
        return results if several else results[0]

    def remove(self, picture: Picture, selection: Selection, **how: Any) -> Picture:
        """The same for one picture that is read already, and that stays as it is."""
        return self.fill(picture, self.holes(picture, selection), **how)

    def holes(self, picture: Picture, selection: Selection) -> Mask:
        """What is to be filled, bool (H, W)."""
        return grown_holes(selection.find(picture, self.finder), (picture.height, picture.width), self.growth)

    def fill(self, picture: Picture, holes: Mask, **how: Any) -> Picture:
        """The picture with the holes filled, which were there to be seen."""
        if holes.all():
            raise ImageError("with its mask grown it is all of the picture, so nothing is left to fill it from")
        filled: Picture = self.inpainter(picture, holes, **how)
        return filled


def grown_holes(masks: Sequence[Mask], size: tuple[int, int], growth: float) -> Mask:
    """All masks in one at ``size`` (height, width), each grown by a share of its own size and without small holes."""
    holes = np.zeros(size, np.bool_)
    for mask in masks:
        whole = mask_at_size(mask, size)
        if growth:
            rows, columns = (int(np.count_nonzero(whole.any(axis=axis))) for axis in (1, 0))
            grown = grow(whole, max(_LEAST_GROWTH, round(growth * (rows * columns) ** 0.5)))
            whole = without_holes(grown, _LARGEST_ISLAND)
        holes |= whole
    return holes


def open_remover(
    device: str = "cpu",
    *,
    segmenter: ModelPath | None = None,
    detector: ModelPath | None = None,
    inpainter: ModelPath | None = None,
    classes: Sequence[str] = (),
    finds: bool = True,
    growth: float = DEFAULT_GROWTH,
    min_score: float | None = None,
    color: ArrayColor = "rgb",
    **options: Any,
) -> Remover:
    """A :class:`Remover` with the models that are named, or that ship.

    Args:
        device, options: as for any model's ``load``.
        segmenter, detector, classes, min_score: of what finds things, as in :meth:`.Finder.open`.
        inpainter: a model that fills holes.
        finds: without it no model for that is opened, and only masks and boxes can be given.
        growth, color: of the remover.
    """
    finder = None
    if finds:
        finder = Finder.open(
            device, segmenter=segmenter, detector=detector, classes=classes, min_score=min_score, **options
        )
    try:
        filling = load(filling_model(inpainter), device, **options)
    except Exception:
        if finder is not None:
            finder.close()
        raise
    return Remover(finder, filling, growth=growth, color=color)


def filling_model(model: ModelPath | None) -> Path:
    """The model that fills holes: ``model``, or the one that ships.

    Raises:
        ModelFileError: it is for something else.
    """
    tasks = [name for name in task_names() if find_task(name).fills_holes]
    if model is None:
        return shipped_model(tasks[0])
    path = resolve_model(model)
    task = require_metadata(path).task
    if task not in tasks:
        raise ModelFileError(f"{str(path)!r} is for {task}; holes are filled by a model for {' or '.join(tasks)}")
    return path
