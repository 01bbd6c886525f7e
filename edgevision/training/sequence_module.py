"""The steps of the training loop of a network over frames."""

import torch
from torch import Tensor

from edgevision.training.data import Batch
from edgevision.training.labelled_module import LabelledModule


class SequenceModule(LabelledModule):
    """Cross-entropy after every frame, in which later ones count more; the last one's answer is the clip's.

    The weights rise linearly, so that a network learns to know early, but is not blamed much for what no early frame
    tells.
    """

    def training_step(self, batch: Batch, index: int) -> Tensor:
        self.seed_step()
        clips, labels = batch
        loss = self._loss_over_time(self(clips), labels, self.settings.label_smoothing)
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: Batch, index: int) -> None:
        clips, labels = batch
        logits = self(clips)
        self.val_loss.update(self._loss_over_time(logits, labels, 0.0))
        self.figures.update(logits[:, -1], labels)

    def _loss_over_time(self, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Of logits (N, T, classes) and labels (N,)."""
        length = logits.shape[1]
        rising = 2 * torch.arange(1, length + 1, device=logits.device) / (length + 1)
        each = [self._loss(logits[:, frame], labels, smoothing) for frame in range(length)]
        return (torch.stack(each) * rising).mean()
