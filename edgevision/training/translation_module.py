"""The alternating updates of a translation network and what tells its pictures from real ones (Isola et al. 2017)."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.models.texture_gan import TextureDiscriminator
from edgevision.training.compared_module import ComparedModule
from edgevision.training.crop_batches import Example
from edgevision.training.diff_augment import augment
from edgevision.training.gan_losses import balanced_loss, discriminator_loss, generator_loss
from edgevision.training.optimizers import cosine_optimizer
from edgevision.training.seeded_batches import seed_step
from edgevision.training.settings import DiffAugment, GanLoss, TranslationSettings

# As for two networks that compete (gan_module.py).
_MOMENTUM = 0.5

# Part of the training in which the discriminator comes to count in full.
_RISE = 0.1

# Of a few hundred pairs the discriminator would learn each by heart.
_AUGMENT = (DiffAugment.TRANSLATION, DiffAugment.CUTOUT)


class TranslationModule(ComparedModule):
    """The loop's steps: the patches of the discriminator, which sees both pictures of a pair, against the network."""

    automatic_optimization = False

    def __init__(self, network: nn.Module, settings: TranslationSettings) -> None:
        super().__init__(network)
        self.settings = settings
        discriminator = TextureDiscriminator(channels=6, width=settings.discriminator_width)
        self.discriminator = discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def on_train_batch_start(self, batch: Example, index: int) -> None:
        seed_step(self.settings.seed, self.global_step, self.global_rank)

    def training_step(self, batch: Example, index: int) -> None:
        made, target = self(batch), batch["target"]
        for_network, for_discriminator = self.optimizers()  # type: ignore[attr-defined]

        def verdict() -> Tensor:
            return discriminator_loss(GanLoss.HINGE, self._scores(batch, target), self._scores(batch, made.detach()))

        def shortfall() -> Tensor:
            error = F.l1_loss(made, target)
            self.train_loss.update(error)
            contest = generator_loss(GanLoss.HINGE, self._scores(batch, made))
            # Of noise the discriminator says nothing; against it, at full strength, the network would lose its colours.
            done = self.global_step / (len(self.optimizers()) * self.settings.steps)
            return balanced_loss(made, error, contest, self.settings.adversarial * min(1.0, done / _RISE))

        self._update(for_discriminator, verdict)
        self.discriminator.requires_grad_(False)
        self._update(for_network, shortfall)
        self.discriminator.requires_grad_(True)
        for schedule in self.lr_schedulers():  # type: ignore[union-attr]
            schedule.step()

    def configure_optimizers(self) -> Any:
        return tuple(
            cosine_optimizer(network, self.settings, momentum=_MOMENTUM)
            for network in (self.network, self.discriminator)
        )

    def _update(self, optimizer: Any, compute: Callable[[], Tensor]) -> None:
        optimizer.zero_grad()
        self.manual_backward(compute())
        optimizer.step()

    def _scores(self, batch: Example, picture: Tensor) -> Tensor:
        """The scores (N, patches) of pictures as what ``batch`` shows."""
        scores: Tensor = self.discriminator(augment(2 * torch.cat((batch["image"], picture), dim=1) - 1, _AUGMENT))
        return scores
