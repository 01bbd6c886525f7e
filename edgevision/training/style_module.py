"""The steps of the training loop of a network that paints."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from torch import Tensor

from edgevision.models.style_net import StyleNet
from edgevision.training.crop_batches import CropBatches, Example, planes
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.photo_crops import Pixels
from edgevision.training.settings import StyleSettings
from edgevision.training.style_loss import StyleLoss
from edgevision.training.watched_mean import WatchedMean

_IN_RANGE = 10.0
"""How much the mean square of what is beyond black and white counts."""

_SMOOTHNESS = 0.5
"""How much the mean squared difference of neighbouring pixels counts beside what the photograph shows."""


class StyleCrops(CropBatches):
    """``image`` float32 (N, 3, H, W) in 0..1, and the number of the ``style`` to paint it in, int64 (N,)."""

    def __init__(self, photos: KeptPictures[Pixels], settings: StyleSettings) -> None:
        super().__init__(photos, settings)
        self._styles = len(settings.styles)

    def example(self, crop: Pixels, epoch: int, generator: np.random.Generator) -> Mapping[str, NDArray[Any]]:
        return {"image": planes(crop), "style": np.asarray(generator.integers(self._styles))}


class StyleModule(LightningModule):
    """The loop's steps: paint crops, each in one of the styles; content and style loss at each validation."""

    def __init__(self, network: StyleNet, settings: StyleSettings, loss: StyleLoss) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        self.loss = loss
        self.train_loss = WatchedMean("loss")
        self.content, self.style = torchmetrics.MeanMetric(), torchmetrics.MeanMetric()

    def forward(self, batch: Example) -> Tensor:
        """The painted pictures, float32 (N, 3, H, W), not clipped."""
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        shares = F.one_hot(batch["style"], self.network.styles).float()
        statistics = image.new_zeros(len(image), 2, self.network.channels)
        painted: Tensor = self.network(image, shares, statistics)[0]
        return painted

    def training_step(self, batch: Example, index: int) -> Tensor:
        painted = self(batch)
        losses = self.loss(painted, batch["image"], batch["style"])
        # What is beyond black and white cannot be seen.
        beyond = (painted - painted.clamp(0, 1)).square().mean()
        loss: Tensor = losses.content + self.settings.style_weight * losses.style
        loss = loss + _IN_RANGE * beyond + _SMOOTHNESS * _roughness(painted)
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: Example, index: int) -> None:
        losses = self.loss(self(batch).clamp(0, 1), batch["image"], batch["style"])
        self.content.update(losses.content)
        self.style.update(losses.style)

    def on_validation_epoch_end(self) -> None:
        content, style = self.content.compute(), self.style.compute()
        figures = {"loss": content + self.settings.style_weight * style, "content": content, "style": style}
        for name, value in figures.items():
            self.log(f"val_{name}", value, prog_bar=True, sync_dist=True)
        self.content.reset()
        self.style.reset()

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)


def _roughness(images: Tensor) -> Tensor:
    """The mean squared difference of neighbouring pixels."""
    across, down = images[..., 1:] - images[..., :-1], images[..., 1:, :] - images[..., :-1, :]
    return across.square().mean() + down.square().mean()
