"""What a segmentation network learns: maps made of masks, the loss of maps, and the head that leads back to masks."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgevision.runtime.tasks.detection.spec import Scores
from edgevision.runtime.tasks.segmentation.spec import MapField, MapPart, SegmentationHead, WatershedSpec
from edgevision.training.instance_maps import narrow_gaps, normalised_distances
from edgevision.training.mask_augmentation import IGNORED
from edgevision.training.segmentation_figures import OUTPUT
from edgevision.training.segmentation_loss import class_loss, distance_loss, foreground_loss, gap_weights

Mask = NDArray[np.integer]
Pixels = NDArray[np.uint8]


def _part(field: MapField, activation: Scores) -> MapPart:
    return MapPart(output=OUTPUT, fields=(field,), activation=activation)


class SegmentationTarget(ABC):
    """What is learned of the pixels of a picture.

    Attributes:
        outputs: how many maps the network gives.
        head: how they become masks.
        min_score: how sure the network has to be of a thing on average over its pixels.
    """

    outputs: int
    head: SegmentationHead
    min_score = 0.0

    @abstractmethod
    def maps(self, mask: Mask) -> Pixels:
        """What is kept and moved with a picture: uint8 (H, W, C) of a mask (H, W) whose negative pixels are unknown."""

    @abstractmethod
    def loss(self, logits: Tensor, maps: Tensor) -> Tensor:
        """Of what the network gives, float32 (N, outputs, H, W), beside ``maps``, uint8 (N, C, H, W)."""


class ClassTarget(SegmentationTarget):
    """The class of each pixel; ``weights`` say how much the pixels of each count."""

    def __init__(self, count: int, background: int | None, weights: Sequence[float] | None = None) -> None:
        self.outputs = count
        self.head = SegmentationHead(maps=(_part(MapField.SCORES, Scores.SOFTMAX),), background=background)
        self._weights = None if weights is None else torch.tensor(weights, dtype=torch.float32)

    def maps(self, mask: Mask) -> Pixels:
        return np.where(mask < 0, IGNORED, mask).astype(np.uint8)[:, :, None]

    def loss(self, logits: Tensor, maps: Tensor) -> Tensor:
        weights = None if self._weights is None else self._weights.to(logits.device)
        return class_loss(logits, maps[:, 0].long(), IGNORED, weights)


class ForegroundTarget(SegmentationTarget):
    """Whether a pixel belongs to the foreground."""

    outputs = 1
    head = SegmentationHead(maps=(_part(MapField.FOREGROUND, Scores.SIGMOID),))

    def maps(self, mask: Mask) -> Pixels:
        return np.where(mask < 0, IGNORED, mask > 0).astype(np.uint8)[:, :, None]

    def loss(self, logits: Tensor, maps: Tensor) -> Tensor:
        return foreground_loss(logits, *_foreground(maps))


class InstanceTarget(SegmentationTarget):
    """The foreground, and how far inside of its instance a pixel lies; the mask has a number for each instance."""

    outputs = 2
    head = SegmentationHead(
        maps=(MapPart(output=OUTPUT, fields=(MapField.FOREGROUND, MapField.DISTANCE), activation=Scores.SIGMOID),),
        watershed=WatershedSpec(prominence=0.9, min_area=8),
    )
    """The distance is a logit: what parts two hills is 0.9 of it."""
    min_score = 0.8

    def maps(self, mask: Mask) -> Pixels:
        ids = np.maximum(mask, 0).astype(np.int32)
        foreground = np.where(mask < 0, IGNORED, ids > 0)
        shares = [np.round(255 * each) for each in (normalised_distances(ids), narrow_gaps(ids))]
        return np.stack([foreground, *shares], axis=2).astype(np.uint8)

    def loss(self, logits: Tensor, maps: Tensor) -> Tensor:
        foreground, counted = _foreground(maps)
        distance, gaps = (maps[:, index : index + 1].float() / 255 for index in (1, 2))
        weights = gap_weights(gaps, counted)
        return foreground_loss(logits[:, :1], foreground, weights) + 2 * distance_loss(logits[:, 1:], distance, weights)


def _foreground(maps: Tensor) -> tuple[Tensor, Tensor]:
    """What is foreground and what counts, both float32 (N, 1, H, W)."""
    first = maps[:, :1]
    return (first == 1).float(), (first != IGNORED).float()
