"""What the training loops of all generative networks share: averaged weights, sheets of samples, figures, alarm."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from edgevision.core.errors import CollapseError
from edgevision.imaging.contact_sheet import contact_sheet
from edgevision.imaging.pictures import Picture
from edgevision.training.data import Batch
from edgevision.training.sample_quality import SampleQuality
from edgevision.training.seeded_batches import seed_step
from edgevision.training.settings import GenerativeSettings
from edgevision.training.watched_mean import WatchedMean

_log = logging.getLogger(__name__)

Samples = NDArray[np.uint8]

_SHEET = 64
# Of the range of 2; below it real pictures are all the same.
_LEAST_SPREAD = 1e-3
# Samples that differ from one another by less than this share of what real pictures do are one picture.
_LEAST_VARIETY = 0.05
# Before that nothing has been learned that could be lost.
_STEPS_OF_GRACE = 500


class GenerativeModule(LightningModule):
    """Trains ``network``, of which :attr:`averaged` is what is kept; subclasses say how, and how to sample.

    After each validation ``samples/NUMBER.png`` in ``folder`` shows 64 samples of fixed latents, and to their right up
    to 64 real pictures. ``quality``, where there is one, gives the figures. Neither can end a training.
    """

    def __init__(
        self, network: nn.Module, settings: GenerativeSettings, folder: Path, quality: SampleQuality | None
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # It has no gradients, for which other processes would be waited.
        self.averaged = AveragedModel(self.network, avg_fn=partial(_averaged, settings.ema)).requires_grad_(False)
        self.settings = settings
        self.train_loss = WatchedMean("loss")
        self._folder = folder / "samples"
        # Not a submodule: its weights do not belong into the checkpoints.
        self._quality = [quality] if quality is not None else []
        self._generator = torch.Generator()
        self._shown: tuple[int, Tensor, Tensor] | None = None
        self._lost: set[str] = set()

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """``count`` pictures in -1..1 of the averaged network, and the classes (count,) they were asked for."""
        raise NotImplementedError

    def pictures(self, images: Tensor) -> Tensor:
        """A batch uint8 (N, C, H, W) as float32 in -1..1, perhaps mirrored."""
        real = images.float() / 127.5 - 1
        if self.settings.flip:
            mirrored = torch.rand(len(real), 1, 1, 1, device=real.device) < 0.5
            real = torch.where(mirrored, real.flip(3), real)
        return real.contiguous(memory_format=torch.channels_last)

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        seed_step(self.settings.seed, self.global_step, self.global_rank)

    @property
    def _steps_done(self) -> int:
        return (self.trainer.current_epoch + 1) * self.settings.sample_every

    def on_validation_epoch_start(self) -> None:
        self._generator.manual_seed(self.settings.seed)

    def validation_step(self, batch: Batch, index: int) -> None:
        images, _ = batch
        real = images.float() / 127.5 - 1
        for quality in self._quality:
            with self._spared("figures"):
                if index * len(images) >= quality.real_count:
                    quality.add_real((real + 1) / 2)
                fake, classes = self.sample(len(images), self._generator)
                quality.add_fake((fake + 1) / 2, classes)

    def on_validation_epoch_end(self) -> None:
        samples, _ = self.sample(_SHEET, self._generator.manual_seed(self.settings.seed))
        held_out = self.trainer.val_dataloaders.dataset  # type: ignore[union-attr]
        # Evenly over all, which are sorted by class.
        images, _ = held_out[np.linspace(0, len(held_out) - 1, min(_SHEET, len(held_out))).astype(int)]
        real = images.float() / 127.5 - 1
        self._shown = self.trainer.current_epoch + 1, samples, real
        spread = float(real.std(dim=0).mean()) if len(real) > 1 else 0.0
        # Pictures that are all alike, or a single one, are to be drawn all alike.
        if spread > _LEAST_SPREAD:
            variety = float(samples.std(dim=0).mean()) / spread
            self.log("val_variety", variety)
            self._check(variety)
        for quality in self._quality:
            figures = {"classifier_frechet": math.nan}
            with self._spared("figures"):
                figures = quality.compute()
            for name, value in figures.items():
                self.log(f"val_{name}", value, prog_bar=True, sync_dist=True)

    def _check(self, variety: float) -> None:
        if self._steps_done >= _STEPS_OF_GRACE and not variety >= _LEAST_VARIETY:
            self.show()
            raise CollapseError(
                f"the training collapsed: after {self._steps_done} steps the samples vary {100 * variety:.1f} % as"
                f" much as real pictures, see {self._folder}; try another --loss, --augment, or a lower --learning-rate"
            )

    def show(self) -> None:
        """Write the sheet of the last validation, if that can be done."""
        if self._shown is None or not self.trainer.is_global_zero:
            return
        number, samples, real = self._shown
        with self._spared("sheets of samples"):
            self._folder.mkdir(exist_ok=True)
            Picture(sheet_of(_pixels(samples), _pixels(real))).save(self._folder / f"{number:04d}.png")

    @contextmanager
    def _spared(self, what: str) -> Iterator[None]:
        """Spare the training what goes wrong with something to look at: it is said once, and the training goes on."""
        try:
            yield
        except Exception as error:
            if what not in self._lost and self.trainer.is_global_zero:
                _log.warning("there are no %s (%s); the training goes on without", what, error)
            self._lost.add(what)

    def average(self) -> None:
        """Take the network's present weights into the average; to be called after every update."""
        self.averaged.update_parameters(self.network)

    def falling_rate(self, optimizer: torch.optim.Optimizer, updates: int) -> Any:
        """The learning rate: even for half of the ``updates``, then falling to nothing."""
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, 2.0 - 2.0 * step / (updates + 1)))


class Sheets(Checkpoint):
    """Shows what was sampled only when what was learned is stored: of all callbacks such ones come last."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, GenerativeModule)
        pl_module.show()


def sheet_of(samples: Samples, real: Samples) -> Samples:
    """uint8 (H, W, C): the samples (N, h, w, C) in rows of eight on the left, real pictures on the right, on white."""
    halves = [contact_sheet(pictures, 8) for pictures in (samples, real)]
    height = max(len(half) for half in halves)
    left, right = (np.pad(half, ((0, height - len(half)), (0, 0), (0, 0)), constant_values=255) for half in halves)
    gap = np.full((height, 16, left.shape[2]), 255, np.uint8)
    return np.concatenate([left, gap, right], axis=1)


def _averaged(decay: float, average: Tensor, value: Tensor, count: Tensor) -> Tensor:
    """The next average: of all ``count`` values so far while they are few, so that the untrained ones are forgotten."""
    share = torch.clamp((1 + count) / (10 + count), max=decay).to(average.device)
    return average + (1 - share) * (value - average)


def _pixels(images: Tensor) -> Samples:
    scaled = ((images.float().clamp(-1, 1) + 1) * 127.5).round().byte()
    return scaled.permute(0, 2, 3, 1).cpu().numpy()
