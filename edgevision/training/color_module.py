"""The steps of the training loop of a network that guesses colours."""

import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, nn

from edgevision.models.color_net import ColorNet
from edgevision.training.crop_batches import Example
from edgevision.training.restoration_data import AB_CENTRE, AB_RANGE
from edgevision.training.restoration_module import RestorationModule
from edgevision.training.settings import RestorationSettings

_SOFTNESS = 8.0
"""Standard deviation, in a and b, of the shares that the colours around a pixel's own have in what is to be learned."""

_EVEN = 0.3
"""Share of even odds that the frequencies of colours are mixed with before rare ones are weighed up by them."""

_PRIOR_DECAY = 0.99


class ColorModule(RestorationModule):
    """The loop's steps: which colour does each pixel have; PSNR of a and b at each validation.

    Most of every photograph is nearly gray, so colours count for the more the rarer they are (Zhang et al. 2016,
    equation 4); how frequent they are is learned on the way. ``chroma`` is how colourful the guesses are, 1 being as
    colourful as the photographs.
    """

    def __init__(self, network: nn.Module, settings: RestorationSettings) -> None:
        super().__init__(network, settings)
        assert isinstance(network, ColorNet)
        self.prior: Tensor
        self.register_buffer("prior", torch.full((len(network.colors),), 1 / len(network.colors)))
        self.chroma = torchmetrics.MeanMetric()
        self.figures = {"psnr": self.psnr, "chroma": self.chroma}

    def rarity(self) -> Tensor:
        """How much each colour counts, (colours,)."""
        return 1 / ((1 - _EVEN) * self.prior + _EVEN / len(self.prior))

    def forward(self, batch: Example) -> Tensor:
        """a and b as in ``target``."""
        guess: Tensor = (self.network(batch["image"]).float() + AB_CENTRE) / AB_RANGE
        return guess

    def training_step(self, batch: Example, index: int) -> Tensor:
        network: ColorNet = self.network
        colors = batch["target"] * AB_RANGE - AB_CENTRE
        # Of numbers this large bfloat16 would leave little.
        with torch.no_grad(), torch.autocast(colors.device.type, enabled=False):
            # Minus half the squared distance, but for what is the same for all colours of a pixel.
            nearness = F.conv2d(colors, network.colors[:, :, None, None], -network.colors.square().sum(dim=1) / 2)
            shares = (nearness / _SOFTNESS**2).softmax(dim=1)
            self.prior.lerp_(shares.mean(dim=(0, 2, 3)), 1 - _PRIOR_DECAY)
            weights = (shares * self.rarity()[:, None, None]).sum(dim=1)
        losses = -(shares * F.log_softmax(network.logits(batch["image"]).float(), dim=1)).sum(dim=1)
        loss = (losses * weights).sum() / weights.sum()
        self.train_loss.update(loss)
        return loss

    def validation_step(self, batch: Example, index: int) -> None:
        guess, target = self(batch), batch["target"]
        self.psnr.update(-10 * torch.log10((guess - target).square().mean(dim=(1, 2, 3)).clamp(min=1e-10)))
        centre = AB_CENTRE / AB_RANGE
        self.chroma.update((guess - centre).norm(dim=1).mean() / (target - centre).norm(dim=1).mean().clamp(min=1e-6))
