"""The steps of a training loop for points."""

from typing import Any

import torch
import torch.nn.functional as F
import torchmetrics
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.runtime.tasks.keypoints.decoding import decode_points
from edgevision.runtime.tasks.keypoints.spec import KeypointHead
from edgevision.training.keypoint_data import KeypointBatch
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.settings import KeypointSettings
from edgevision.training.watched_mean import WatchedMean

_DISTANCE = 0.3
"""How much the distance counts beside the cross-entropy."""


class KeypointModule(LightningModule):
    """The loop's steps: find the points, compare; the normalised mean error through the device's own decoding."""

    def __init__(self, network: nn.Module, settings: KeypointSettings, image: ImageSpec, head: KeypointHead) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.head = head
        scale, offset = scale_and_offset(image)
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset.copy()), persistent=False)
        self.train_loss = WatchedMean("loss")
        self.error = torchmetrics.MeanMetric()

    def forward(self, images: Tensor) -> Tensor:
        """Of uint8 images (N, 3, H, W) the logits of the heat maps (N, K, rows, columns), float32."""
        scale: Tensor = self.scale  # type: ignore[assignment]
        offset: Tensor = self.offset  # type: ignore[assignment]
        maps: Tensor = self.network((images * scale + offset).contiguous(memory_format=torch.channels_last))
        return maps.float()

    def training_step(self, batch: KeypointBatch, index: int) -> Tensor:
        loss = self._loss(self(batch.images), batch)
        self.train_loss.update(loss)
        return loss

    def _loss(self, maps: Tensor, batch: KeypointBatch) -> Tensor:
        """Cross-entropy with a Gaussian round each known point, and how far the mean place is from it, in cells."""
        rows, columns = maps.shape[2:]
        places = self._cells(batch.points, rows, columns)
        along = [self._target(places[:, :, axis], count) for axis, count in enumerate((columns, rows))]
        total = maps.flatten(2).logsumexp(dim=2)
        # The Gaussian is the product of one along x and one along y, so that no map of it is needed.
        said = (torch.matmul(maps, along[0][:, :, :, None])[:, :, :, 0] * along[1]).sum(dim=2)
        likely = (maps - total[:, :, None, None]).exp()
        means = [
            likely.sum(dim=2 + axis) @ torch.arange(count, dtype=maps.dtype, device=maps.device)
            for axis, count in enumerate((columns, rows))
        ]
        distance = (torch.stack(means, dim=2) - places).abs().sum(dim=2)
        known = batch.visible
        return ((total - said + _DISTANCE * distance) * known).sum() / known.sum().clamp(min=1)

    def _cells(self, points: Tensor, rows: int, columns: int) -> Tensor:
        """Places in cells of the maps, in which the middle of the first is 0; what is beyond them is at their ends."""
        counts = torch.tensor([columns, rows], dtype=points.dtype, device=points.device)
        cells = points * (counts - 2 * self.head.beyond) + self.head.beyond - self.head.cell_offset
        return torch.minimum(cells.clamp(min=0), counts - 1)

    def _target(self, places: Tensor, count: int) -> Tensor:
        """(N, K, count) of sum 1: a Gaussian round each place (N, K)."""
        distance = torch.arange(count, device=places.device) - places[:, :, None]
        return F.softmax(-0.5 * (distance / self.settings.sigma).square(), dim=-1)

    def validation_step(self, batch: KeypointBatch, index: int) -> None:
        height, width = batch.images.shape[2:]
        maps = self(batch.images).cpu().numpy()
        sides = torch.tensor([width / height, 1.0])
        for row, (points, visible, scale) in enumerate(
            zip(batch.points.cpu(), batch.visible.cpu(), batch.scales.cpu(), strict=True)
        ):
            found = decode_points(self.head, {self.head.outputs[0]: maps[row : row + 1]}, height, width)
            distances = ((torch.from_numpy(found[:, :2]) - points) * sides).norm(dim=-1)
            self.error.update(100 * distances[visible].mean() / scale)

    def on_validation_epoch_end(self) -> None:
        self.log("val_nme", self.error.compute(), prog_bar=True, sync_dist=True)
        self.error.reset()

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)
