"""The alternating updates of a generative adversarial network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevision.training.classifier_features import ClassifierFeatures
from edgevision.training.data import Batch
from edgevision.training.diff_augment import augment
from edgevision.training.gan_losses import discriminator_loss, generator_loss, gradient_penalty
from edgevision.training.generative_module import GenerativeModule
from edgevision.training.optimizers import build_optimizer
from edgevision.training.sample_quality import SampleQuality
from edgevision.training.settings import GanLoss, GanSettings

# More, and the two networks chase one another around (Radford et al. 2016).
_MOMENTUM = 0.5


class GanModule(GenerativeModule):
    """Trains a generator, which is the ``network``, against a ``discriminator``.

    ``num_classes`` is 0 for an unconditional generator. ``classifier`` is what the class loss looks through.
    """

    automatic_optimization = False

    def __init__(
        self,
        network: nn.Module,
        discriminator: nn.Module,
        settings: GanSettings,
        folder: Path,
        *,
        latent_shape: tuple[int, ...],
        num_classes: int = 0,
        classifier: ClassifierFeatures | None = None,
        quality: SampleQuality | None = None,
    ) -> None:
        super().__init__(network, settings, folder, quality)
        self.gan = settings
        self.discriminator = discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._latent_shape = latent_shape
        self._num_classes = num_classes
        self._classifier = [classifier] if classifier is not None else []

    def training_step(self, batch: Batch, index: int) -> None:
        images, labels = batch
        real = self.pictures(images)
        classes = F.one_hot(labels, self._num_classes).float() if self._num_classes else None
        for_generator, for_discriminator = self.optimizers()  # type: ignore[attr-defined]
        # Which pictures are generated does not matter to the discriminator's gradient, how does: detached.
        with torch.no_grad():
            fake = self.network(*self._inputs(len(real), classes))
        self._update(for_discriminator, lambda: self._discriminator_loss(real, fake, classes))
        if index % self.gan.d_steps == 0:
            self._update(for_generator, lambda: self._generator_loss(labels, classes))
            self.average()
        for schedule in self.lr_schedulers():  # type: ignore[union-attr]
            schedule.step()

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        latent = torch.randn(count, *self._latent_shape, generator=generator).to(self.device)
        self.averaged.eval()
        if not self._num_classes:
            return self.averaged(latent), None
        labels = torch.arange(count, device=self.device) % self._num_classes
        return self.averaged(latent, F.one_hot(labels, self._num_classes).float()), labels

    def configure_optimizers(self) -> Any:
        rate = self.settings.learning_rate
        pairs = ((self.network, rate), (self.discriminator, rate * self.gan.discriminator_rate))
        optimizers = [
            build_optimizer(
                net, self.gan.optimizer, learning_rate=lr, weight_decay=self.settings.weight_decay, momentum=_MOMENTUM
            )
            for net, lr in pairs
        ]
        return optimizers, [self.falling_rate(optimizer, self.settings.steps) for optimizer in optimizers]

    def _update(self, optimizer: Any, compute: Callable[[], Tensor]) -> None:
        # The other network's weights are only passed through.
        self.toggle_optimizer(optimizer)
        loss = compute()
        self.train_loss.update(loss)
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.untoggle_optimizer(optimizer)

    def _inputs(self, count: int, classes: Tensor | None) -> tuple[Tensor, ...]:
        latent = torch.randn(count, *self._latent_shape, device=self.device)
        return (latent,) if classes is None else (latent, classes)

    def _scores(self, images: Tensor, classes: Tensor | None) -> Tensor:
        seen = augment(images, self.gan.augment)
        scores: Tensor = self.discriminator(seen) if classes is None else self.discriminator(seen, classes)
        return scores

    def _discriminator_loss(self, real: Tensor, fake: Tensor, classes: Tensor | None) -> Tensor:
        scores = self._scores(real, classes), self._scores(fake, classes)
        loss = discriminator_loss(self.gan.loss, *scores, label_smoothing=self.gan.label_smoothing)
        if self.gan.loss is GanLoss.WGAN_GP:
            penalty = gradient_penalty(lambda images: self._scores(images, classes), real, fake)
            loss = loss + self.gan.gradient_penalty * penalty
        return loss

    def _generator_loss(self, labels: Tensor, classes: Tensor | None) -> Tensor:
        fake = self.network(*self._inputs(len(labels), classes))
        loss = generator_loss(self.gan.loss, self._scores(fake, classes))
        for classifier in self._classifier:
            # It costs more than both networks together, and half of a batch tells as much.
            half = len(labels) // 2
            verdict = classifier((fake[:half] + 1) / 2).logits
            loss = loss + self.gan.class_weight * F.cross_entropy(verdict, labels[:half])
        return loss
