"""The steps of a restoration network's training loop."""

from typing import Any

import torch
import torch.nn.functional as F
import torchmetrics
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure

from edgevision.models import apply_curves
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.crop_batches import Example
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.restoration_loss import RestorationLoss
from edgevision.training.settings import RestorationSettings
from edgevision.training.watched_mean import WatchedMean


class RestorationModule(LightningModule):
    """The loop's steps: restore a batch of damaged crops, compare; PSNR and SSIM at each validation.

    Inpainting is judged inside the holes: outside nothing is changed.
    """

    def __init__(self, network: nn.Module, settings: RestorationSettings) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.loss = RestorationLoss(settings.loss, settings.perceptual_model)
        self.train_loss = WatchedMean("loss")
        self.psnr = WatchedMean("PSNR")
        self.ssim = torchmetrics.MeanMetric()
        self.figures = {"psnr": self.psnr, "ssim": self.ssim}

    def forward(self, batch: Example) -> Tensor:
        """The restored pictures, float32 as ``target``, not clipped."""
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        if self.settings.kind == RestorationKind.BRIGHTEN:
            return apply_curves(image, self.network(image))
        if self.settings.kind == RestorationKind.INPAINT:
            return self._inpaint(batch)
        restored: Tensor = self.network(image)
        return restored

    def _inpaint(self, batch: Example) -> Tensor:
        """As the pipeline does it: deep holes are filled at half the size first, then everything at full size."""
        mask, coarse, coarse_mask = batch["mask"], batch["coarse"], batch["coarse_mask"]
        deep = batch["deep"]
        if deep.any():
            with torch.no_grad():
                fill = self.network(coarse[deep], coarse_mask[deep]).clamp(0, 1)
            coarse = coarse.clone()
            coarse[deep] = torch.where(coarse_mask[deep] > 0, fill, coarse[deep])
        guess = F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False)
        image = torch.where(mask > 0, guess, batch["image"]).contiguous(memory_format=torch.channels_last)
        return torch.where(mask > 0, self.network(image, mask), image)

    def training_step(self, batch: Example, index: int) -> Tensor:
        loss: Tensor = self.loss(self(batch), batch["target"])
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: Example, index: int) -> None:
        restored, target = self(batch).clamp(0, 1), batch["target"]
        share = batch["mask"].mean(dim=(1, 2, 3)) if "mask" in batch else 1.0
        error = (restored - target).square().mean(dim=(1, 2, 3)) / share
        self.psnr.update(-10 * torch.log10(error.clamp(min=1e-10)))
        similarity = structural_similarity_index_measure(restored, target, data_range=1.0)
        self.ssim.update(similarity if isinstance(similarity, Tensor) else similarity[0])

    def on_validation_epoch_end(self) -> None:
        for name, mean in self.figures.items():
            self.log(f"val_{name}", mean.compute(), prog_bar=True, sync_dist=True)
            mean.reset()

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)
