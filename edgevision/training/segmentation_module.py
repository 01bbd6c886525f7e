"""The steps of a segmentation network's training loop."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.segmentation_data import MappedBatch, MaskedBatch
from edgevision.training.segmentation_figures import JudgedMasks
from edgevision.training.segmentation_targets import SegmentationTarget
from edgevision.training.settings import SegmentationSettings
from edgevision.training.watched_mean import WatchedMean


class SegmentationModule(LightningModule):
    """The loop's steps: segment, compare; figures at each validation, through the device's own way to masks."""

    def __init__(
        self, network: nn.Module, settings: SegmentationSettings, target: SegmentationTarget, judged: JudgedMasks
    ) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.target = target
        self.judged = judged
        self.train_loss = WatchedMean("loss")

    def forward(self, images: Tensor) -> Tensor:
        """Of uint8 images (N, 3, H, W) maps (N, outputs, H, W), float32."""
        maps: Tensor = self.network((images / 255).contiguous(memory_format=torch.channels_last))
        return maps.float()

    def training_step(self, batch: MappedBatch, index: int) -> Tensor:
        logits = self(batch.images)
        with torch.autocast(logits.device.type, enabled=False):
            loss = self.target.loss(logits, batch.maps)
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: MaskedBatch, index: int) -> None:
        self.judged.update(self(batch.image)[0].cpu().numpy(), batch.mask.cpu().numpy(), batch.start)

    def on_validation_epoch_end(self) -> None:
        for name, value in self.judged.compute().items():
            # Every process has judged all pictures.
            self.log(f"val_{name}", value, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)
