"""The steps of a compression network's training loop."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from edgevision.models.hyperprior_codec import HyperpriorCodec
from edgevision.training.crop_batches import CropBatches, Example, planes
from edgevision.training.kept_pictures import KeptPictures
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.photo_crops import Pixels
from edgevision.training.seeded_batches import VALIDATION
from edgevision.training.settings import CompressionSettings
from edgevision.training.watched_mean import WatchedMean

_LARGEST_GRADIENT = 1.0
# Errors are of samples in 0..1.
_SQUARE_RANGE = 255**2


class CompressionCrops(CropBatches):
    """``image`` float32 (N, 3, H, W) in 0..1; some of what is trained on has lost its colour."""

    def __init__(self, photos: KeptPictures[Pixels], settings: CompressionSettings) -> None:
        super().__init__(photos, settings)
        self._gray = settings.gray

    def example(self, crop: Pixels, epoch: int, generator: np.random.Generator) -> Mapping[str, NDArray[Any]]:
        if epoch != VALIDATION and generator.random() < self._gray:
            crop = np.asarray(Image.fromarray(crop).convert("L").convert("RGB"))
        return {"image": planes(crop)}


class CompressionModule(LightningModule):
    """The loop's steps: crops are coded, each in a quality of its own, and compared.

    Validation codes every crop in every quality: the figures are ``bpp_1`` and ``psnr_1`` of the first, and so on, and
    ``cost``, the mean of what is learned to be small.
    """

    def __init__(self, network: HyperpriorCodec, settings: CompressionSettings) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network: HyperpriorCodec = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        if settings.decoder_only:
            self.network.freeze_encoder()
        self.train_loss = WatchedMean("loss")
        qualities = range(1, len(settings.distortion_weights) + 1)
        self.figures = torch.nn.ModuleDict(
            {name: WatchedMean(name) for name in ("cost", *(f"{f}_{q}" for q in qualities for f in ("bpp", "psnr")))}
        )

    def training_step(self, batch: Example, index: int) -> Tensor:
        image = batch["image"]
        weights = torch.tensor(self.settings.distortion_weights, device=image.device)
        quality = (torch.arange(len(image), device=image.device) + index) % len(weights)
        image = image.contiguous(memory_format=torch.channels_last)
        loss = coding_loss(self.network, image, quality, weights, noisy=not self.settings.decoder_only)
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: Example, index: int) -> None:
        image = batch["image"]
        for level, weight in enumerate(self.settings.distortion_weights):
            quality = torch.full((len(image),), level, device=image.device)
            coded = self.network.code(image.contiguous(memory_format=torch.channels_last), quality, noisy=False)
            bits = coded.bits / image[0, 0].numel()
            error = (coded.image.clamp(0, 1).float() - image).square().mean(dim=(1, 2, 3))
            self._count("cost", bits + _SQUARE_RANGE * weight * error)
            self._count(f"bpp_{level + 1}", bits)
            self._count(f"psnr_{level + 1}", -10 * torch.log10(error.clamp(min=1e-10)))

    def on_validation_epoch_end(self) -> None:
        for name, mean in self.figures.items():
            self.log(f"val_{name}", mean.compute(), prog_bar=name == "cost", sync_dist=True)  # type: ignore[operator]
            mean.reset()  # type: ignore[operator]

    def configure_optimizers(self) -> Any:
        return cosine_optimizer(self.network, self.settings)

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _LARGEST_GRADIENT)

    def _count(self, name: str, values: Tensor) -> None:
        self.figures[name].update(values)  # type: ignore[operator]


def coding_loss(network: HyperpriorCodec, image: Tensor, quality: Tensor, weights: Tensor, *, noisy: bool) -> Tensor:
    """What is learned to be small: bits a pixel and squared error of pictures (N, 3, H, W), each in its ``quality``.

    ``weights`` (Q,) says what an error counts of samples in 0..255. Qualities of many bits would drown the others: each
    counts by the square root of its weight.
    """
    coded = network.code(image, quality, noisy=noisy)
    error = (coded.image.float() - image).square().mean(dim=(1, 2, 3))
    cost = coded.bits / image[0, 0].numel() + _SQUARE_RANGE * weights[quality] * error
    balance = (weights.log().mean().exp() / weights).sqrt()
    return (balance[quality] * cost).mean()
