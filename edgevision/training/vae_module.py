"""The loss of a variational autoencoder."""

from typing import Any

import torch
from torch import Tensor

from edgevision.models.conv_vae import ConvVae
from edgevision.training.data import Batch
from edgevision.training.generative_module import GenerativeModule
from edgevision.training.optimizers import build_optimizer
from edgevision.training.settings import VaeSettings


class VaeModule(GenerativeModule):
    """Trains a :class:`ConvVae`: squared error of the reconstruction and divergence of the code, summed a picture."""

    settings: VaeSettings
    network: ConvVae

    def training_step(self, batch: Batch, index: int) -> Tensor:
        real = self.pictures(batch[0])
        output = self.network.sample(real)
        error = (output.image - real).square().sum(dim=(1, 2, 3)).mean() / 2
        divergence = output.mean.square() + output.log_variance.exp() - 1 - output.log_variance
        loss = error + self.settings.beta * divergence.sum(dim=1).mean() / 2
        self.train_loss.update(loss)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        self.average()

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        latent = torch.randn(count, *self.network.latent_shape, generator=generator).to(self.device)
        self.averaged.eval()
        return self.averaged.module.decoder(latent), None  # type: ignore[operator]

    def configure_optimizers(self) -> Any:
        settings = self.settings
        optimizer = build_optimizer(
            self.network, settings.optimizer, learning_rate=settings.learning_rate, weight_decay=settings.weight_decay
        )
        schedule = self.falling_rate(optimizer, settings.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
