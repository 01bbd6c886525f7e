"""Segmentation: pictures in, masks in their pixels out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgevision.core.errors import InputError, ModelFileError
from edgevision.core.progress import track_parts
from edgevision.imaging.cropped_masks import split_ids
from edgevision.imaging.images import read_image
from edgevision.imaging.picture_sources import ArrayColor, ImageSource
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.tasks.detection.spec import DetectionSpec
from edgevision.runtime.tasks.picture_network import PictureNetwork
from edgevision.runtime.tasks.picture_pipeline import PicturePipeline
from edgevision.runtime.tasks.pipeline import require_finite
from edgevision.runtime.tasks.segmentation.boxed_masks import boxed_masks
from edgevision.runtime.tasks.segmentation.class_maps import class_map
from edgevision.runtime.tasks.segmentation.instances import find_things
from edgevision.runtime.tasks.segmentation.maps import MapPlacement, Maps, gather_maps
from edgevision.runtime.tasks.segmentation.result import Segmentation
from edgevision.runtime.tasks.segmentation.spec import MapField, SegmentationHead, SegmentationSpec
from edgevision.runtime.tasks.segmentation.stitching import SeenClasses, stitch_classes, stitch_things
from edgevision.runtime.tasks.windows import Tile, windows


class Segmenter(PicturePipeline[Segmentation]):
    """A segmentation network on an engine; call it on a picture or on a list of them.

    Attributes:
        engine: what runs the model.
        metadata: what the model file says about itself.
        labels: the classes, by their index.
        background: the class that is nothing; ``None`` without.
        tells_apart: whether its answers are things, not the class of each pixel.
        threshold, min_score, most: as in :class:`.SegmentationSpec`; they may be changed at any time.
        tile: the windows that a picture is looked at through, see :mod:`.windows`, whose answers are put together as
            :mod:`.stitching` says; ``None`` for the whole picture at once. ``auto`` takes those of the network's size,
            or of the size that its metadata advise.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ModelMetadata,
        *,
        color: ArrayColor = "rgb",
        threshold: float | None = None,
        min_score: float | None = None,
        most: int | None = None,
        tile: Tile | None = None,
    ) -> None:
        """Use ``engine``, which the segmenter closes in turn; ``color`` is the order of channels in arrays.

        Raises:
            ModelFileError: the metadata does not say how a picture becomes an input, or outputs masks.
            InputError: no map of this model can be held against ``threshold``.
        """
        spec = metadata.spec_as(SegmentationSpec)
        if metadata.image is None or spec.head is None:
            raise ModelFileError(f"the metadata of {metadata.name!r} does not say how its outputs become masks")
        super().__init__(engine, metadata, color)
        self._head = spec.head
        self.labels, self.background = spec.labels, spec.background
        self.tells_apart = spec.head.tells_apart
        if threshold is not None:
            _check_threshold(spec.head, threshold)
        self.threshold = spec.threshold if threshold is None else threshold
        boxes = spec.head.boxes
        # What is found with a box is an answer by the score of its box.
        self.min_score = (boxes or spec).min_score if min_score is None else min_score
        self.most = (boxes or spec).most if most is None else most
        self.tile = tile
        self._side = metadata.image.size
        if self._side is None and metadata.tile is not None:
            self._side = (metadata.tile.advised_side,) * 2
        self._network = PictureNetwork(metadata, metadata.image)

    def _answers_of(self, pictures: Sequence[ImageSource]) -> list[Segmentation]:
        return [self._segment(read_image(picture)) for picture in pictures]

    def _segment(self, image: Image.Image) -> Segmentation:
        size = (image.height, image.width)
        looks = windows(size, self.tile, self._side)
        parts = looks[1:] or looks
        if not self.tells_apart:
            classes, sure = stitch_classes(
                parts,
                lambda window: self._seen_classes(window.cut(image)),
                size,
                nothing=-1 if self.background is None else self.background,
            )
            found = Segmentation.of_class_map(classes, sure, labels=self.labels, background=self.background)
            best = np.argsort(-found.scores, kind="stable")[: self.most]
            return found.chosen(np.sort(best[found.scores[best] >= self.min_score]))
        if len(looks) == 1:
            return self._things(image)
        # Networks that tell things apart know those of the size that windows show: in the whole they run together.
        parts = looks if self._head.boxes is not None else parts
        seen = track_parts(parts, "windows of the picture")
        found = stitch_things([(window, self._things(window.cut(image))) for window in seen], size)
        return found.chosen(np.arange(len(found))[: self.most])

    def _seen_classes(self, image: Image.Image) -> SeenClasses:
        maps, place, _ = self._maps(image)
        return SeenClasses(*class_map(maps, place, self.threshold), place.seen)

    def _things(self, image: Image.Image) -> Segmentation:
        maps, place, outputs = self._maps(image)
        if self._head.boxes is not None:
            return self._boxed(self._head.boxes, outputs, maps, place)
        return self._told_apart(maps, place)

    def _maps(self, image: Image.Image) -> tuple[Maps, MapPlacement, dict[str, NDArray[Any]]]:
        tensor, place = self._network.tensor(image)
        (outputs,) = self._network.run(self.engine, [tensor])
        maps = gather_maps(self._head, outputs)
        for values in maps.values():
            require_finite(values, self.engine)
        return maps, MapPlacement(place, (image.height, image.width), (tensor.shape[2], tensor.shape[3])), outputs

    def _boxed(
        self, spec: DetectionSpec, outputs: dict[str, NDArray[Any]], maps: Maps, place: MapPlacement
    ) -> Segmentation:
        found = boxed_masks(
            spec,
            outputs,
            maps[MapField.PROTOTYPES],
            place,
            threshold=self.threshold,
            min_score=self.min_score,
            most=self.most,
        )
        return Segmentation(found.masks, found.scores, found.classes, size=place.size, labels=self.labels)

    def _told_apart(self, maps: Maps, place: MapPlacement) -> Segmentation:
        ids, classes, scores = find_things(self._head, maps, place, self.threshold)
        found = split_ids(ids)
        rows = np.array(list(found), np.int64) - 1
        order = rows[np.argsort(-scores[rows], kind="stable")]
        order = order[scores[order] >= self.min_score][: self.most]
        seen_rows, seen_columns = place.seen
        return Segmentation(
            [found[int(row) + 1].moved(seen_columns.start, seen_rows.start) for row in order],
            scores[order],
            classes[order],
            size=place.size,
            labels=self.labels,
            background=self.background,
        )


def _check_threshold(head: SegmentationHead, threshold: float) -> None:
    if not head.tells_apart and MapField.FOREGROUND not in head.fields:
        raise InputError("this model gives a class to each pixel without a threshold, so there is none to set")
    shares = [part for part in head.maps if MapField.FOREGROUND in part.fields and part.activation != "none"]
    if (shares or head.boxes is not None) and not 0 <= threshold <= 1:
        raise InputError(f"a mask of this model is a share of 0..1, and the threshold {threshold:g} is not")
