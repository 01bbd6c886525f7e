"""How much worse a form of a segmenter is than the float model, through the pipeline that people run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgevision.core.errors import DatasetError
from edgevision.data.datasets import ImageDataset, ImageFolder
from edgevision.data.mask_annotations import MaskedFolder, MaskKind
from edgevision.imaging.pictures import Picture
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.loss_bound import LossBound, jackknife_bound, paired_bound
from edgevision.runtime.tasks.quality import Example, Quality, drawn_examples
from edgevision.runtime.tasks.segmentation.result import Segmentation
from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
from edgevision.runtime.tasks.segmentation.tallies import ClassOrder, ClassTally, ThingTally, things_in

# Of a segmenter that marks nothing any more, or so many times as much: it is broken, whatever a figure says.
_EXPLODED = 3
_BROKEN = 100.0


class _Score(Protocol):
    """How good the answers for all pictures are."""

    @property
    def figure(self) -> float:
        """In percent."""
        ...

    def bound_of(self, better: Any) -> LossBound | None:
        """Of the loss against a ``better`` score of the same pictures."""
        ...


class _Judge(Protocol):
    """Scores the answers for all pictures by one figure."""

    metric: str

    def __call__(self, found: Sequence[Segmentation]) -> _Score: ...


class SegmentationQuality:
    """mIoU, or TP / (TP + FP + FN) of things, where there are masks to compare with, in points; else agreement.

    Without masks the loss is what is missing to an agreement of 100 %: the mIoU of both models' classes, or the F1 of
    their things at an intersection over union of 0.75, as :meth:`.Segmentation.compare` has them.
    """

    unit = "points"
    budget = 0.5

    def __init__(self, metadata: ModelMetadata, reference: Engine, data: ImageDataset) -> None:
        self._metadata, self._data = metadata, data
        self._reference = self._found(reference)
        self._judge = _judge(Segmenter(reference, metadata), data)
        self.metric = "agreement" if self._judge is None else self._judge.metric

    def __call__(self, engine: Engine) -> Quality:
        found = self._found(engine)
        each = np.array([_agreement(*pair) for pair in zip(found, self._reference, strict=True)])
        figures = {"agreement": float(each.mean())}
        if self._judge is None:
            loss, bound = 100.0 - figures["agreement"], paired_bound(100 - each)
        else:
            score, before = self._judge(found), self._judge(self._reference)
            figures[self.metric] = score.figure
            loss, bound = before.figure - score.figure, score.bound_of(before)
        for size in (_marked, _counted):
            own, other = size(self._reference), size(found)
            if own and (other == 0 or other > _EXPLODED * own):
                loss, bound = max(loss, _BROKEN), None
        return Quality(figures=figures, loss=loss, bound=bound)

    def examples(self, engine: Engine) -> Sequence[Example]:
        """The first pictures with what is found in them tinted."""
        segmenter = Segmenter(engine, self._metadata)

        def drawn(index: int) -> Picture:
            picture = self._data.image(index)
            return segmenter(picture).draw(picture, legend=False)

        return drawn_examples(self._data, drawn)

    def _found(self, engine: Engine) -> list[Segmentation]:
        segmenter = Segmenter(engine, self._metadata)
        return [segmenter(self._data.image(index)) for index in range(len(self._data))]


class _ClassJudge:
    metric = "miou"

    def __init__(self, segmenter: Segmenter, masked: MaskedFolder, names: Sequence[str]) -> None:
        self._order = ClassOrder(segmenter.labels, segmenter.background, masked)
        self._masked, self._names = masked, names

    def __call__(self, found: Sequence[Segmentation]) -> "_ClassScore":
        confusions = []
        for name, one in zip(self._names, found, strict=True):
            tally = ClassTally(len(self._order.labels), self._order.background)
            tally.add(self._order.expected(self._masked.class_map(name, one.size)), self._order.predicted(one))
            confusions.append(tally.confusion)
        return _ClassScore(self._order.background, np.array(confusions))


class _ThingJudge:
    metric = "matched50"

    def __init__(self, masked: MaskedFolder, names: Sequence[str]) -> None:
        self._masked, self._names = masked, names

    def __call__(self, found: Sequence[Segmentation]) -> "_ThingScore":
        tally = ThingTally()
        for name, one in zip(self._names, found, strict=True):
            tally.add(one.masks, one.scores, things_in(self._masked, name, one.size))
        return _ThingScore(tally)


@dataclass(frozen=True, eq=False)
class _ClassScore:
    """By the counts of pixels of each picture (pictures, classes, classes + 1)."""

    background: int | None
    confusions: NDArray[np.int64]

    @property
    def figure(self) -> float:
        return self._over(np.ones(len(self.confusions), bool))

    def bound_of(self, better: "_ClassScore") -> LossBound | None:
        return jackknife_bound(len(self.confusions), lambda out: better._over(~out) - self._over(~out))

    def _over(self, chosen: NDArray[np.bool_]) -> float:
        tally = ClassTally(self.confusions.shape[1], self.background)
        tally.confusion = self.confusions[chosen].sum(axis=0)
        return 100 * tally.mean_overlap


@dataclass(frozen=True, eq=False)
class _ThingScore:
    tally: ThingTally

    @property
    def figure(self) -> float:
        return 100 * self.tally.share_at_half

    def bound_of(self, better: "_ThingScore") -> LossBound | None:
        things = sum(len(pair.true_areas) for pair in self.tally.pairs)
        differences = 100 * (np.array(better.tally.pictures) - np.array(self.tally.pictures))
        return paired_bound(differences, unseen=100 / max(1, things))


def _judge(segmenter: Segmenter, data: ImageDataset) -> _Judge | None:
    """What judges by masks; ``None`` where not every picture has one that the model can be compared with."""
    folder: ImageFolder | None = getattr(data, "folder", None)
    names: Sequence[str] = getattr(data, "names", ())
    if folder is None or not names or any(name not in folder.masks for name in names):
        return None
    try:
        masked = MaskedFolder(folder)
        if masked.kind is MaskKind.THINGS and segmenter.tells_apart:
            return _ThingJudge(masked, names)
        return _ClassJudge(segmenter, masked, names)
    except DatasetError:
        return None


def _agreement(found: Segmentation, reference: Segmentation) -> float:
    (figure,) = found.compare(reference).values()
    return figure


def _marked(found: Sequence[Segmentation]) -> int:
    """The pixels of all segments."""
    return sum(int(one.areas.sum()) for one in found)


def _counted(found: Sequence[Segmentation]) -> int:
    return sum(map(len, found))
