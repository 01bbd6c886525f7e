"""What the training loops have in common that learn the class of something."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from torch import Tensor, nn

from edgevision.imaging.preprocessing import scale_and_offset
from edgevision.modelfiles.metadata import ImageSpec
from edgevision.training.optimizers import build_optimizer
from edgevision.training.private_learning import PrivateLearning
from edgevision.training.settings import Balance, LabelledSettings
from edgevision.training.watched_mean import WatchedMean


class LabelledModule(LightningModule):
    """Normalised pixels, cross-entropy, and of each validation accuracy, macro recall and macro F1."""

    def __init__(
        self,
        network: nn.Module,
        settings: LabelledSettings,
        image: ImageSpec,
        labels: NDArray[np.int64],
        classes: int,
    ) -> None:
        super().__init__()
        # NHWC in memory is a fifth to a third faster for convolutions on CPUs and on tensor cores.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings = settings
        scale, offset = scale_and_offset(image)
        self.register_buffer("scale", torch.from_numpy(scale * 255), persistent=False)
        self.register_buffer("offset", torch.from_numpy(offset.copy()), persistent=False)
        weights = class_weights(labels, classes) if settings.balance is Balance.WEIGHTS else np.ones(classes)
        self.register_buffer("class_weights", torch.tensor(weights, dtype=torch.float32), persistent=False)
        averages = {"accuracy": "micro", "recall": "macro", "f1": "macro"}
        figures: dict[str, Any] = {
            "accuracy": torchmetrics.Accuracy,
            "recall": torchmetrics.Recall,
            "f1": torchmetrics.F1Score,
        }
        self.figures = torchmetrics.MetricCollection(
            {name: kind("multiclass", num_classes=classes, average=averages[name]) for name, kind in figures.items()}
        )
        self.train_loss = WatchedMean("loss")
        self.val_loss = WatchedMean("validation loss")
        self.private: PrivateLearning | None = None

    def sample_weights(self, labels: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """How often to draw each sample of ``labels`` to see every class equally; ``None`` for each once."""
        if self.settings.balance is not Balance.RESAMPLE:
            return None
        return class_weights(labels, len(self.class_weights))[labels]  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of uint8 pixels, whatever the network takes."""
        return self._logits(pixels.float() / 255)

    def _logits(self, pixels: Tensor) -> Tensor:
        """Those of pixels in 0..1."""
        scale: Tensor = self.scale  # type: ignore[assignment]
        offset: Tensor = self.offset  # type: ignore[assignment]
        logits: Tensor = self.network(pixels * scale + offset)
        return logits

    def _loss(self, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Of logits (N, classes), or (N, classes, T) and labels (N, T)."""
        weights: Tensor = self.class_weights  # type: ignore[assignment]
        return F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)

    def seed_step(self) -> None:
        """Augmentation and dropout draw from torch's generators: seeded by the step, a resumed training continues as
        the uninterrupted one would have. An epoch's seed would not do: what is drawn before its first step differs."""
        torch.manual_seed(self.settings.seed * 100_003 + self.global_step * 1_009 + self.global_rank)

    def on_validation_epoch_end(self) -> None:
        for name, value in self.figures.compute().items():
            self.log(f"val_{name}", 100 * value, prog_bar=name != "recall", sync_dist=True)
        self.log("val_loss", self.val_loss.compute(), sync_dist=True)
        self.figures.reset()
        self.val_loss.reset()

    def configure_optimizers(self) -> Any:
        settings = self.settings
        optimizer = build_optimizer(
            self.network,
            settings.optimizer,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )
        if self.private is not None:
            optimizer = self.private.optimizer(self.network, optimizer)
        steps = int(self.trainer.estimated_stepping_batches)
        # Rising for a fifth of the steps, then falling to nothing (Smith & Topin 2018).
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=settings.learning_rate,
            total_steps=steps,
            pct_start=0.2 if steps != 5 else 0.4,  # PyTorch divides by one step less, which of five would be none
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def class_weights(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Inverse class frequencies (classes,), 1 on average over the samples."""
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (classes * np.maximum(counts, 1))
