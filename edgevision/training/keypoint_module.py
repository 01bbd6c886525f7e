"""The steps of a training loop for points."""

from typing import Any

import torch
import torchmetrics
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.runtime.tasks.keypoints.decoding import decode_points
from edgevision.training.keypoint_data import KeypointBatch
from edgevision.training.keypoint_targets import KeypointTarget
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.settings import KeypointSettings
from edgevision.training.watched_mean import WatchedMean


class KeypointModule(LightningModule):
    """The loop's steps: find the points, compare; the normalised mean error through the device's own decoding."""

    def __init__(
        self, network: nn.Module, settings: KeypointSettings, image: ImageSpec, target: KeypointTarget
    ) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.target = target
        scale, offset = scale_and_offset(image)
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset.copy()), persistent=False)
        self.train_loss = WatchedMean("loss")
        self.error = torchmetrics.MeanMetric()

    def forward(self, images: Tensor) -> Tensor:
        """Of uint8 images (N, 3, H, W) what the target is told by, float32 (N, ...)."""
        scale: Tensor = self.scale  # type: ignore[assignment]
        offset: Tensor = self.offset  # type: ignore[assignment]
        answer: Tensor = self.network((images * scale + offset).contiguous(memory_format=torch.channels_last))
        return answer.float()

    def training_step(self, batch: KeypointBatch, index: int) -> Tensor:
        answer = self(batch.images)
        with torch.autocast(answer.device.type, enabled=False):
            loss = self.target.loss(answer, batch)
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: KeypointBatch, index: int) -> None:
        height, width = batch.images.shape[2:]
        answer = self(batch.images).cpu().numpy()
        head = self.target.head
        sides = torch.tensor([width / height, 1.0])
        for row, (points, visible, scale) in enumerate(
            zip(batch.points.cpu(), batch.visible.cpu(), batch.scales.cpu(), strict=True)
        ):
            found = decode_points(head, {self.target.output: answer[row : row + 1]}, height, width)
            distances = ((torch.from_numpy(found[:, :2]) - points) * sides).norm(dim=-1)
            self.error.update(100 * distances[visible].mean() / scale)

    def on_validation_epoch_end(self) -> None:
        self.log("val_nme", self.error.compute(), prog_bar=True, sync_dist=True)
        self.error.reset()

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)
