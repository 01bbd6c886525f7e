"""An autoencoder of photographs with a hyperprior, for several qualities at once (Ballé et al. 2018)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from edgevision.imaging.symbol_scales import LEAST_SCALE, RESTORED_SHIFT, SCALE_COUNT, SCALE_STEP, SQUARE_BITS
from edgevision.models.residual_stack import residual_stack

_LEAST_PROBABILITY = 1e-9


class CodedBatch(NamedTuple):
    """What training needs: the restored ``image`` and the ``bits`` (N,) that each picture takes."""

    image: Tensor
    bits: Tensor


class HyperpriorCodec(nn.Module):
    """Analysis of a picture into latents, synthesis of a picture from latents, and how latents are distributed.

    It is used in halves: :meth:`compressing_half` and :meth:`decompressing_half`.

    A quality multiplies each channel of latents by its own gain before they are rounded (Cui et al. 2021): latents
    y become the integers round(g (y - m)). The hyperprior gives m and the logarithm of the scale of y; what a gain adds
    to that is known. Both hold for the hyper-latents, whose scale is a constant of each channel and their m is 0.

    Args:
        widths: channels at a quarter and at an eighth of the sides.
        blocks: residual blocks at each of them, in analysis and again in synthesis.
        latents: channels C at a sixteenth.
        hyper_width: channels inside the hyperprior.
        hyper_latents: channels D at a sixty-fourth.
        qualities: how many gains each channel has.
        slices: how many channels each slice has; one of all of them where there are none.
        context_width: channels inside what looks at the slices before.

    Raises:
        ValueError: the slices are not all of the latents.
    """

    multiple = 64

    def __init__(
        self,
        *,
        widths: Sequence[int] = (64, 96),
        blocks: Sequence[int] = (1, 2),
        latents: int = 128,
        hyper_width: int = 48,
        hyper_latents: int = 32,
        qualities: int = 3,
        slices: Sequence[int] = (),
        context_width: int = 64,
    ) -> None:
        super().__init__()
        fine, coarse = widths
        self.slices = list(slices) or [latents]
        if sum(self.slices) != latents or min(self.slices) < 1:
            raise ValueError(f"slices are numbers of channels that make {latents} together, not {self.slices}")
        self.latents, self.hyper_latents, self.qualities = latents, hyper_latents, qualities
        self.analysis = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, fine, 3, padding=1),
            residual_stack(fine, blocks[0]),
            nn.Conv2d(fine, coarse, 3, 2, 1),
            residual_stack(coarse, blocks[1]),
            nn.Conv2d(coarse, latents, 3, 2, 1),
        )
        self.hyper_analysis = nn.Sequential(
            nn.Conv2d(latents, hyper_width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hyper_width, hyper_width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(hyper_width, hyper_latents, 3, 2, 1),
        )
        # In integers at run time, see edgevision.runtime.tasks.compression.entropy_model.
        self.hyper_synthesis = nn.Sequential(
            nn.Conv2d(hyper_latents, 4 * hyper_width, 3, padding=1),
            nn.ReLU(),
            nn.PixelShuffle(2),
            nn.Conv2d(hyper_width, 4 * hyper_width, 3, padding=1),
            nn.ReLU(),
            nn.PixelShuffle(2),
            nn.Conv2d(hyper_width, 2 * self.slices[0], 1),
        )
        self.contexts = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(hyper_width + sum(self.slices[:number]), context_width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(context_width, 2 * self.slices[number], 1),
            )
            for number in range(1, len(self.slices))
        )
        # Before training one quality rounds twice as finely as the one below it.
        steps = torch.arange(qualities) - (qualities - 1) / 2
        log_gains = (math.log(2) * steps)[:, None]
        self.log_gains = nn.Parameter(log_gains.repeat(1, latents))
        self.hyper_log_gains = nn.Parameter(0.5 * log_gains.repeat(1, hyper_latents))
        self.hyper_scales = nn.Parameter(torch.full((hyper_latents,), _index_of(1.0)))
        self.synthesis = nn.Sequential(
            nn.Conv2d(latents, 4 * coarse, 1),
            nn.PixelShuffle(2),
            residual_stack(coarse, blocks[1]),
            nn.Conv2d(coarse, 4 * fine, 1),
            nn.PixelShuffle(2),
            residual_stack(fine, blocks[0]),
            nn.Conv2d(fine, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def compressing_half(self) -> "CompressingHalf":
        """What makes latents of a picture, with the same weights."""
        return CompressingHalf(self.analysis, self.hyper_analysis)

    def decompressing_half(self) -> "DecompressingHalf":
        """What makes a picture of latents, with the same weights."""
        return DecompressingHalf(self.synthesis)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """As the compressing half."""
        return self.compressing_half()(image)  # type: ignore[no-any-return]

    def freeze_encoder(self) -> None:
        """Let no weight learn that the symbols of a file depend on, so that what decodes can learn from these."""
        self.analysis.requires_grad_(False)
        self.hyper_analysis.requires_grad_(False)
        self.log_gains.requires_grad_(False)
        self.hyper_log_gains.requires_grad_(False)

    def code(self, image: Tensor, quality: Tensor, *, noisy: bool) -> CodedBatch:
        """Code pictures (N, 3, H, W) with ``quality``, int64 (N,), without writing the bits down.

        What is ``noisy`` counts bits of latents with uniform noise in place of rounding, whose gradient is 0 (Ballé
        et al. 2017), and restores the picture from rounded ones, with the gradient passed through. What is not has the
        symbols that a file would.
        """
        latents = self.analysis(image - 0.5)
        hyper_latents = self.hyper_analysis(latents)
        # Probabilities in bf16 would be other ones than those of the integers at run time.
        with torch.autocast(image.device.type, enabled=False):
            restored, bits = self._coded(latents.float(), hyper_latents.float(), quality, noisy=noisy)
        return CodedBatch(self.synthesis(restored) + 0.5, bits)

    def _coded(self, latents: Tensor, hyper_latents: Tensor, quality: Tensor, *, noisy: bool) -> tuple[Tensor, Tensor]:
        """The latents that are decoded, and the bits (N,)."""
        quantised = _noisy if noisy else _chosen
        hyper_log_gain = self.hyper_log_gains[quality][:, :, None, None]
        hyper_index = self.hyper_scales[:, None, None] + hyper_log_gain / SCALE_STEP
        counted, hyper_symbols = quantised(hyper_latents * hyper_log_gain.exp(), hyper_index)
        bits = _bits(counted, hyper_index).sum(dim=(1, 2, 3))
        features = self.hyper_synthesis[:-1](hyper_symbols * (-hyper_log_gain).exp())
        log_gains = torch.split(self.log_gains[quality][:, :, None, None], self.slices, dim=1)
        decoded: list[Tensor] = []
        for number, part in enumerate(torch.split(latents, self.slices, dim=1)):
            seen = torch.cat([features, *decoded], dim=1)
            index, mean = (self.contexts[number - 1] if number else self.hyper_synthesis[-1])(seen).chunk(2, dim=1)
            log_gain = log_gains[number]
            index = index + _index_of(1.0) + log_gain / SCALE_STEP
            counted, symbols = quantised((part - mean) * log_gain.exp(), index)
            bits = bits + _bits(counted, index).sum(dim=(1, 2, 3))
            restored = symbols if noisy else symbols + RESTORED_SHIFT * symbols.sign().detach()
            decoded.append(restored * (-log_gain).exp() + mean)
        return torch.cat(decoded, dim=1), bits


class CompressingHalf(nn.Module):
    """From ``image`` (N, 3, H, W) float32 in 0..1, H and W multiples of 64, to ``latents`` (N, C, H / 16, W / 16) and
    ``hyper_latents`` (N, D, H / 64, W / 64)."""

    def __init__(self, analysis: nn.Module, hyper_analysis: nn.Module) -> None:
        super().__init__()
        self.analysis, self.hyper_analysis = analysis, hyper_analysis

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.analysis(image - 0.5)
        return latents, self.hyper_analysis(latents)


class DecompressingHalf(nn.Module):
    """From ``latents`` (N, C, h, w) to ``restored_image`` (N, 3, 16 h, 16 w), not clipped to 0..1."""

    def __init__(self, synthesis: nn.Module) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(self, latents: Tensor) -> Tensor:
        restored: Tensor = self.synthesis(latents) + 0.5
        return restored


def _index_of(scale: float) -> float:
    return math.log(scale / LEAST_SCALE) / SCALE_STEP


def _noisy(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """What bits are counted of, and what the picture is restored from: ``values`` with noise, and rounded."""
    return values + torch.rand_like(values) - 0.5, values + (values.round() - values).detach()


def _chosen(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """The symbols of ``values``, twice: of the integers on both sides those whose bits and errors cost least."""
    with torch.no_grad():
        low = values.abs().floor()
        rest = values.abs() - low
        more = _bits(low + 1, index) - _bits(low, index)
        symbols = values.sign() * (low + (more < SQUARE_BITS * (2 * rest - 1)))
    symbols = values + (symbols - values).detach()
    return symbols, symbols


def _bits(symbols: Tensor, index: Tensor) -> Tensor:
    """Bits of each of the integers, or of these with noise, that are logistic with the scale of that index."""
    # Beyond the table's ends the gradient still has to lead back.
    index = index + (index.clamp(0, SCALE_COUNT - 1) - index).detach()
    inverse = torch.exp(-SCALE_STEP * index) / LEAST_SCALE
    # Both cumulated probabilities on the side of the small ones, where they do not cancel.
    distance = symbols.abs()
    probability = torch.sigmoid((0.5 - distance) * inverse) - torch.sigmoid((-0.5 - distance) * inverse)
    # Far out a float32 has no probability left to differ: there the tail falls by 1 / scale a step.
    tail = (distance - 0.5) * inverse
    return torch.where(
        probability > _LEAST_PROBABILITY,
        -torch.log2(probability.clamp(min=_LEAST_PROBABILITY)),
        tail / math.log(2),
    )
