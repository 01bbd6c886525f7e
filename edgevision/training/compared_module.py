"""What the training loops share whose networks make pictures that are compared with what they should be."""

import torch
import torchmetrics
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure

from edgevision.training.crop_batches import Example
from edgevision.training.watched_mean import WatchedMean


class ComparedModule(LightningModule):
    """Makes pictures of a batch by :meth:`forward`, float32 as its ``target``; PSNR and SSIM at each validation."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.train_loss = WatchedMean("loss")
        self.psnr = WatchedMean("PSNR")
        self.ssim = torchmetrics.MeanMetric()
        self.figures = {"psnr": self.psnr, "ssim": self.ssim}

    def forward(self, batch: Example) -> Tensor:
        """The pictures, float32 as ``target``, not clipped."""
        made: Tensor = self.network(batch["image"].contiguous(memory_format=torch.channels_last))
        return made

    def validation_step(self, batch: Example, index: int) -> None:
        made, target = self(batch).clamp(0, 1), batch["target"]
        share = batch["mask"].mean(dim=(1, 2, 3)) if "mask" in batch else 1.0
        error = (made - target).square().mean(dim=(1, 2, 3)) / share
        self.psnr.update(-10 * torch.log10(error.clamp(min=1e-10)))
        similarity = structural_similarity_index_measure(made, target, data_range=1.0)
        self.ssim.update(similarity if isinstance(similarity, Tensor) else similarity[0])

    def on_validation_epoch_end(self) -> None:
        for name, mean in self.figures.items():
            self.log(f"val_{name}", mean.compute(), prog_bar=True, sync_dist=True)
            mean.reset()
