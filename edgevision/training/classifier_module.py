"""The steps of a classifier's training loop."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevision.modelfiles.metadata import ImageSpec
from edgevision.training.augmentation import build_augmentation
from edgevision.training.data import Batch
from edgevision.training.labelled_module import LabelledModule
from edgevision.training.mixing import mix
from edgevision.training.settings import ClassifierSettings


class ClassifierModule(LabelledModule):
    """Augment, mix, normalise, cross-entropy."""

    settings: ClassifierSettings

    def __init__(
        self,
        network: nn.Module,
        settings: ClassifierSettings,
        image: ImageSpec,
        labels: NDArray[np.int64],
        classes: int,
    ) -> None:
        super().__init__(network, settings, image, labels, classes)
        assert image.size is not None
        self.augmentation = build_augmentation(settings.augment, image.size, image.color.channels)

    def _logits(self, pixels: Tensor) -> Tensor:
        return super()._logits(pixels.contiguous(memory_format=torch.channels_last))

    def training_step(self, batch: Batch, index: int) -> Tensor:
        self.seed_step()
        images, labels = batch
        images = self.augmentation(images.float() / 255)
        if self.settings.mix:
            images, labels = mix(images, labels, self.settings.mix, len(self.class_weights))  # type: ignore[arg-type]
        loss = self._loss(self._logits(images), labels, self.settings.label_smoothing)
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        images, labels = batch
        logits = self(images)
        self.val_loss.update(self._loss(logits, labels, 0.0))
        self.figures.update(logits, labels)
