"""How much worse a form of a finder of points is than the float model, through the pipeline that people run."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError, NotFiniteError
from edgevision.data.datasets import ImageDataset, ImageFolder
from edgevision.data.point_annotations import PointAnnotations
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.evaluation import EvaluationOptions
from edgevision.runtime.tasks.keypoints.evaluation import errors_of, looked_at, pointed_for
from edgevision.runtime.tasks.keypoints.finder import KeypointFinder
from edgevision.runtime.tasks.keypoints.result import Keypoints
from edgevision.runtime.tasks.keypoints.spec import KeypointsSpec
from edgevision.runtime.tasks.loss_bound import paired_bound
from edgevision.runtime.tasks.quality import Example, Quality, drawn_examples

# Points that lie in so small a part of their crop, where the float model's do not, say nothing of the picture.
_COLLAPSED = 0.1
_BROKEN = 100.0


class KeypointQuality:
    """NME in percent where there are points to compare with, else how far the points are from the float model's.

    Boxes are jittered, as none that a detector finds is exact.
    """

    unit = "points"
    budget = 0.05

    def __init__(
        self, metadata: ModelMetadata, reference: Engine, data: ImageDataset, options: EvaluationOptions
    ) -> None:
        self._metadata, self._data, self._options = metadata, data, options
        self._spec = metadata.spec_as(KeypointsSpec)
        self._truth = _truth(self._spec, data)
        self.metric = "difference" if self._truth is None else "nme"
        self._reference = self._found(reference)

    def __call__(self, engine: Engine) -> Quality:
        try:
            found = self._found(engine)
        except NotFiniteError:
            return Quality(figures={self.metric: math.nan}, loss=math.inf)
        losses = np.array([one.compare(other)["nme"] for one, other in zip(found, self._reference, strict=True)])
        figures = {"difference": float(losses.mean())}
        if self._truth is not None:
            errors = self._errors(found)
            figures["nme"] = float(errors.mean())
            losses = errors - self._errors(self._reference)
        if _spread(found) < _COLLAPSED * _spread(self._reference):
            return Quality(figures=figures, loss=max(float(losses.mean()), _BROKEN))
        return Quality(figures=figures, loss=float(losses.mean()), bound=paired_bound(losses))

    def examples(self, engine: Engine) -> Sequence[Example]:
        """The first pictures with the points that are found in them."""
        finder = KeypointFinder(engine, self._metadata)

        def drawn(index: int) -> Picture:
            picture = self._data.image(index)
            return finder(picture, boxes=self._boxes(index)).draw(picture)

        return drawn_examples(self._data, drawn)

    def _found(self, engine: Engine) -> list[Keypoints]:
        # The pipeline is not closed: that would close the engine, which is the caller's.
        finder = KeypointFinder(engine, self._metadata)
        return [finder(self._data.image(index), boxes=self._boxes(index)) for index in range(len(self._data))]

    def _boxes(self, index: int) -> NDArray[np.float32] | None:
        """Where to look in a picture, as far as that is known."""
        return None if self._truth is None else looked_at(str(index), self._truth[index], self._options)

    def _errors(self, found: Sequence[Keypoints]) -> NDArray[np.float64]:
        """The NME of each thing, in percent."""
        assert self._truth is not None
        return 100 * np.array([own.mean() for own in errors_of(self._spec, found, self._truth)])


def _truth(spec: KeypointsSpec, data: ImageDataset) -> list[PointAnnotations] | None:
    folder: ImageFolder | None = getattr(data, "folder", None)
    names: Sequence[str] = getattr(data, "names", ())
    if folder is None:
        return None
    try:
        pointed = pointed_for(spec, folder)
        things = [pointed.things(name) for name in names]
    except (DatasetError, KeyError):
        return None
    return things if any(len(one.counted) for one in things) else None


def _spread(found: Sequence[Keypoints]) -> float:
    """How far points of one thing are from one another, of the side of its box, on average."""
    spreads = [
        points[:, :2].std(axis=0).mean() / max(float(np.sqrt(np.prod(box[2:] - box[:2]))), 1e-6)
        for one in found
        for points, box in zip(one.points, one.boxes, strict=True)
    ]
    return float(np.mean(spreads)) if spreads else 0.0
