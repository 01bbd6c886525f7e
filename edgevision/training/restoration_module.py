"""The steps of a restoration network's training loop."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models import apply_curves
from edgevision.runtime.tasks.restoration.spec import RestorationKind
from edgevision.training.compared_module import ComparedModule
from edgevision.training.crop_batches import Example
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.restoration_loss import RestorationLoss
from edgevision.training.settings import RestorationSettings


class RestorationModule(ComparedModule):
    """The loop's steps: restore a batch of damaged crops, compare; PSNR and SSIM at each validation.

    Inpainting is judged inside the holes: outside nothing is changed.
    """

    def __init__(self, network: nn.Module, settings: RestorationSettings) -> None:
        super().__init__(network)
        self.settings = settings
        self.loss = RestorationLoss(settings.loss, settings.perceptual_model)

    def forward(self, batch: Example) -> Tensor:
        """The restored pictures, float32 as ``target``, not clipped."""
        if self.settings.kind == RestorationKind.BRIGHTEN:
            image = batch["image"].contiguous(memory_format=torch.channels_last)
            return apply_curves(image, self.network(image))
        if self.settings.kind == RestorationKind.INPAINT:
            return self._inpaint(batch)
        return super().forward(batch)

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

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)
