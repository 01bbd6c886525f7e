"""The steps of a detector's training loop."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.metrics.average_precision import AveragePrecision, Found, Truth, average_precision
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.runtime.tasks.detection.decoding import candidates
from edgevision.runtime.tasks.detection.rows import gather_rows
from edgevision.runtime.tasks.detection.spec import DetectionSpec
from edgevision.runtime.tasks.detection.suppression import merge_overlapping
from edgevision.training.detection_data import BoxBatch
from edgevision.training.detection_loss import cell_grid, detection_loss
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.settings import DetectionSettings
from edgevision.training.watched_mean import WatchedMean

_LEAST_SCORE = 0.01
"""Curves of precision over recall need what is found with next to no score."""


class DetectionModule(LightningModule):
    """The loop's steps: find, compare; average precision at each validation, through the device's own decoding."""

    def __init__(self, network: nn.Module, settings: DetectionSettings, image: ImageSpec, spec: DetectionSpec) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.spec = spec
        scale, offset = scale_and_offset(image)
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset.copy()), persistent=False)
        self.train_loss = WatchedMean("loss")
        self.judged = JudgedDetections(spec)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Of uint8 images (N, 3, H, W) boxes (N, 4 x bins, cells) and scores (N, classes, cells), both float32."""
        scale: Tensor = self.scale  # type: ignore[assignment]
        offset: Tensor = self.offset  # type: ignore[assignment]
        boxes, scores = self.network((images * scale + offset).contiguous(memory_format=torch.channels_last))
        return boxes.float(), scores.float()

    def training_step(self, batch: BoxBatch, index: int) -> Tensor:
        boxes, scores = self(batch.images)
        height, width = batch.images.shape[2:]
        grid = cell_grid(height, width, self.network.strides, boxes.device)
        count, _, cells = boxes.shape
        distributions = boxes.view(count, 4, -1, cells).permute(0, 3, 1, 2)
        with torch.autocast(boxes.device.type, enabled=False):
            loss = detection_loss(distributions, scores.permute(0, 2, 1), grid, batch.things())
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: BoxBatch, index: int) -> None:
        self.judged.update(self(batch.images), batch)

    def on_validation_epoch_end(self) -> None:
        scores = self.judged.compute()
        # Every process has judged all pictures.
        self.log("val_map50", 100 * _known(scores.at(0.5)), prog_bar=True)
        self.log("val_map", 100 * _known(scores.mean), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)


class JudgedDetections:
    """What was found in pictures beside what there is, until it is asked how good that is."""

    def __init__(self, spec: DetectionSpec) -> None:
        assert spec.head is not None
        self._spec, self._head = spec, spec.head
        self._found: list[Found] = []
        self._truth: list[Truth] = []

    def update(self, answer: tuple[Tensor, Tensor], batch: BoxBatch) -> None:
        """Take in what the network says of a batch."""
        height, width = batch.images.shape[2:]
        for boxes, scores, (things, labels), place in zip(
            *(each.cpu().numpy() for each in answer), batch.things(), batch.places.cpu().numpy(), strict=True
        ):
            rows = gather_rows(self._head, {"boxes": boxes[None], "scores": scores[None]}, height, width)
            found = candidates(self._head, rows, height, width, min_score=_LEAST_SCORE, multi_label=False)
            assert self._spec.iou is not None
            kept, *_ = merge_overlapping(
                found.boxes, found.scores, found.classes, None, iou=self._spec.iou, most=self._spec.most
            )
            # As the device does: a box ends with the picture, and there is nothing in the frame.
            clipped = np.clip(found.boxes, np.tile(place[:2], 2), np.tile(place[2:], 2))
            kept = kept[(clipped[kept, 2:] > clipped[kept, :2]).all(axis=1)]
            self._found.append(
                Found(clipped[kept].astype(float), found.scores[kept].astype(float), found.classes[kept])
            )
            ignored = labels.cpu().numpy() < 0
            self._truth.append(Truth(things.cpu().numpy().astype(float), np.maximum(labels.cpu().numpy(), 0), ignored))

    def compute(self) -> AveragePrecision:
        """Average precision of all since the last time."""
        scores = average_precision(self._found, self._truth, len(self._spec.labels))
        self._found, self._truth = [], []
        return scores


def _known(value: float) -> float:
    """A split without one thing to be found has no figure; none is better than another."""
    return 0.0 if np.isnan(value) else value
