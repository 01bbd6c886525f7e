"""Learning from pictures whose presence nobody can tell from the weights: DP-SGD, Abadi et al. 2016, by Opacus.

"Deep Learning with Differential Privacy", https://arxiv.org/abs/1607.00133. Each picture's gradient is clipped, noise
is added to their sum, and each batch is drawn by Poisson sampling, from which an accountant (Rényi, Mironov 2017) knows
what was spent. Noise and batches come from the system's entropy, not from the seed: who knew them could subtract them.
"""

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Sampler

from edgevision.core.errors import InputError
from edgevision.core.extras import requires_extra
from edgevision.core.remarks import remarks
from edgevision.modelfiles.metadata import PrivacyBudget
from edgevision.models import build_model
from edgevision.training.settings import ClassifierSettings

_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def private_options(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The ``options`` with which that network learns privately: batch normalisation, which mixes what pictures do to
    the weights, gives way to group normalisation.

    Raises:
        InputError: a layer of the network does not tell the gradients of pictures apart.
    """
    layers = list(build_model(model, **options).modules())
    if any(isinstance(layer, nn.RNNBase) for layer in layers):
        raise InputError(
            f"{model} has a recurrent layer, which does not tell the gradients of pictures apart: --private takes the"
            " other networks"
        )
    if not any(isinstance(layer, _BATCH_NORM) for layer in layers):
        return dict(options)
    remarks.info(
        "%s is trained with group normalisation in place of batch normalisation, which mixes what pictures do to the"
        " weights",
        model,
    )
    return {**options, "group_norm": True}


class PrivateLearning:
    """What a private training does otherwise, for ``samples`` pictures."""

    def __init__(self, settings: ClassifierSettings, samples: int) -> None:
        """Find the noise for which the budget lasts to the end.

        Raises:
            MissingExtraError: Opacus is not installed.
            InputError: no noise makes so small a budget last.
        """
        with requires_extra("private"):
            from opacus.accountants.utils import get_noise_multiplier
        self._settings = settings
        self._samples = samples
        self.steps_an_epoch = max(1, samples // settings.batch_size)
        self._rate = min(1.0, settings.batch_size / samples)
        try:
            with _without_advice():
                self._noise = float(
                    get_noise_multiplier(
                        target_epsilon=settings.epsilon,
                        target_delta=settings.delta,
                        sample_rate=self._rate,
                        steps=self.steps_an_epoch * settings.epochs,
                        accountant="rdp",
                    )
                )
        except ValueError as error:
            raise InputError(
                f"no noise keeps {settings.epochs} epochs within epsilon {settings.epsilon:g}: {error}; train on more"
                " pictures or for fewer epochs, or allow more"
            ) from error

    def batches(self) -> "PoissonBatches":
        """The batches of each epoch."""
        return PoissonBatches(self._samples, self._rate, self.steps_an_epoch)

    def optimizer(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """``optimizer``, but for the gradients of ``network``: clipped for each picture, with noise on their sum."""
        from opacus import GradSampleModule
        from opacus.optimizers import DPOptimizer

        for layer in network.modules():
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # which the hooks do not bear
        # It hangs its hooks into the layers; the network is called, stored and exported as it is.
        GradSampleModule(network)
        device = next(network.parameters()).device
        generator = torch.Generator(device).manual_seed(int.from_bytes(os.urandom(8), "big") >> 1)
        private: torch.optim.Optimizer = DPOptimizer(
            optimizer,
            noise_multiplier=self._noise,
            max_grad_norm=self._settings.clip,
            expected_batch_size=self._settings.batch_size,
            generator=generator,
        )
        return private

    def spent(self, steps: int) -> PrivacyBudget:
        """What ``steps`` have cost."""
        from opacus.accountants import RDPAccountant

        accountant = RDPAccountant()
        accountant.history = [(self._noise, self._rate, steps)]
        with _without_advice():
            epsilon = float(accountant.get_epsilon(self._settings.delta))
        return PrivacyBudget(
            # Never less than it is.
            epsilon=math.ceil(1e4 * epsilon) / 1e4,
            delta=self._settings.delta,
            noise=round(self._noise, 4),
            clip=self._settings.clip,
        )


class PoissonBatches(Sampler[list[int]]):
    """Batches in each of which every picture is with the same probability, whatever else is in it."""

    def __init__(self, samples: int, rate: float, batches: int) -> None:
        self._samples, self._rate, self._batches = samples, rate, batches

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        generator = np.random.default_rng()
        for _ in range(self._batches):
            chosen: list[int] = []
            # One without a picture, of which there is none in a lifetime at these sizes, is no batch for a network.
            while not chosen:
                chosen = np.flatnonzero(generator.random(self._samples) < self._rate).tolist()
            yield chosen


@contextmanager
def _without_advice() -> Iterator[None]:
    """Opacus advises to look at more orders; the bound holds as it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Optimal order")
        yield
