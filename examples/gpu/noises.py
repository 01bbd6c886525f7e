"""edgevision.data.noise for batches on the GPU: the same noise from another generator."""

import math
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor

# Annex K of the JPEG standard, as libjpeg takes them.
# fmt: off
_LUMA = [
     16,  11,  10,  16,  24,  40,  51,  61,  12,  12,  14,  19,  26,  58,  60,  55,
     14,  13,  16,  24,  40,  57,  69,  56,  14,  17,  22,  29,  51,  87,  80,  62,
     18,  22,  37,  56,  68, 109, 103,  77,  24,  35,  55,  64,  81, 104, 113,  92,
     49,  64,  78,  87, 103, 121, 120, 101,  72,  92,  95,  98, 112, 100, 103,  99,
]
_CHROMA = [
     17,  18,  24,  47,  99,  99,  99,  99,  18,  21,  26,  66,  99,  99,  99,  99,
     24,  26,  56,  99,  99,  99,  99,  99,  47,  66,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,
     99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,  99,
]
# fmt: on


def uniform(low: float, high: float, count: int, device: torch.device) -> Tensor:
    return (low + (high - low) * torch.rand(count, device=device))[:, None, None, None]


def rounded(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round() / 255


class Noises:
    """Noise on float32 (N, 3, S, S) in 0..1; where ``gray``, bool (N, 1, 1, 1), it is alike in all channels."""

    def __init__(self, side: int, device: torch.device, camera: float = 0.4) -> None:
        self.side, self.device = side, device
        # Of a camera's, white, JPEG's and impulse noise; the last three keep their proportions.
        self._until = tuple(accumulate((camera, *((1 - camera) / 0.6 * share for share in (0.22, 0.22, 0.10)))))
        self._tables = torch.tensor([_LUMA, _CHROMA, _CHROMA], dtype=torch.float32, device=device).view(1, 3, 8, 8)
        k, n = torch.arange(8.0)[:, None], torch.arange(8.0)[None]
        dct = torch.cos((2 * n + 1) * k * math.pi / 16) * math.sqrt(2 / 8)
        dct[0] /= math.sqrt(2)
        self._dct = dct.to(device)
        self._to_ycc = torch.tensor(
            [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], device=device
        )
        self._to_rgb = torch.tensor([[1.0, 0.0, 1.402], [1.0, -0.344136, -0.714136], [1.0, 1.772, 0.0]], device=device)
        along = torch.arange(side, device=device)
        self._demosaic = torch.tensor(
            [0.5, 1.0, 0.5], device=device
        )  # made here: nothing can be copied while a graph is captured
        self._row, self._column = along[None, None, :, None] % 2, along[None, None, None, :] % 2

    def white(self, x: Tensor, sigma: Tensor, gray: Tensor) -> Tensor:
        return x + self._alike(torch.randn_like(x), gray) * (sigma / 255)

    def mixed(self, x: Tensor, sigma: float, gray: Tensor) -> Tensor:
        count = len(x)
        strength = uniform(0, sigma, count, self.device)
        camera, white, jpeg, impulse = self._until
        drawn = torch.rand(count, 1, 1, 1, device=self.device)
        noisy_white = self.white(x, strength, gray)
        noisy_white = torch.where(uniform(0, 1, count, self.device) < 0.5, rounded(noisy_white), noisy_white)
        noisy = self.camera(x, strength, gray)
        stored = self.jpeg(
            torch.where(drawn < camera, noisy, x),
            torch.where(
                drawn < camera, uniform(30, 96, count, self.device), uniform(10, 96, count, self.device)
            ).floor(),
        )
        again = uniform(0, 1, count, self.device) < 0.4
        out = torch.where(drawn < camera, torch.where(again, stored, noisy), noisy_white)
        out = torch.where(drawn >= white, stored, out)
        out = torch.where(drawn >= jpeg, self.impulse(x, gray), out)
        return torch.where(drawn >= impulse, x, out)

    def impulse(self, x: Tensor, gray: Tensor) -> Tensor:
        share = uniform(0.01, 0.2, len(x), self.device)
        drawn = torch.rand_like(x)
        drawn = self._alike(drawn, gray | (uniform(0, 1, len(x), self.device) < 0.5))
        return torch.where(drawn > 1 - share / 2, 1.0, torch.where(drawn < share / 2, 0.0, x))

    def camera(self, x: Tensor, sigma: Tensor, gray: Tensor) -> Tensor:
        count, device = len(x), self.device
        noise = self._sites(x, gray)
        smooth = torch.where(
            uniform(0, 1, count, device) < 0.7, uniform(0.3, 1.5, count, device), torch.full_like(sigma, 1e-3)
        )
        noise = _unit(self._smoothed(noise, smooth))
        blotched = uniform(0, 1, count, device) < 0.35
        wide = uniform(0, 1, count, device) < 0.5
        blotches = torch.where(wide, self._blotches(x, 3, gray), self._blotches(x, 2, gray))
        noise = noise + blotched * uniform(0.3, 2.0, count, device) * blotches
        noise = _unit(noise) * (sigma / 255)
        gamma = uniform(1.0, 2.2, count, device)
        light = x**gamma
        middle = 0.5**gamma
        reading = uniform(0.02, 1.0, count, device)
        slope = 0.5 ** (gamma - 1) * gamma
        light = light + noise * (reading + (1 - reading) / middle * light).sqrt() * slope
        return rounded(light.clamp(min=0) ** (1 / gamma))

    def jpeg(self, x: Tensor, quality: Tensor) -> Tensor:
        """Through a JPEG file whose blocks begin anywhere for half of the pictures; 4:2:0 for seven of ten."""
        count, side, device = len(x), self.side, self.device
        moved = (torch.rand(count, 1, device=device) < 0.5).long()
        top, left = (moved * (torch.rand(count, 1, device=device) * 8).long() for _ in "yx")
        whole = -(-(side + 7) // 16) * 16
        along = torch.arange(whole, device=device)[None]

        def source(start: Tensor) -> Tensor:
            at = along - start
            return torch.where(at < 0, -1 - at, at).clamp(max=side - 1)

        each = torch.arange(count, device=device)[:, None, None]
        pixels = x.permute(0, 2, 3, 1)[each, source(top)[:, :, None], source(left)[:, None, :]]
        pixels = (pixels * 255).round()
        ycc = (pixels @ self._to_ycc.T).permute(0, 3, 1, 2).round()
        half = F.avg_pool2d(ycc[:, 1:] + 1e-3, 2).round()
        fine = self._through(ycc, self._tables, quality)
        coarse = F.interpolate(
            self._through(half, self._tables[:, 1:], quality), scale_factor=2, mode="bilinear", align_corners=False
        ).round()
        subsampled = uniform(0, 1, count, device) < 0.7
        ycc = torch.cat((fine[:, :1], torch.where(subsampled, coarse, fine[:, 1:])), dim=1)
        rgb = (ycc.permute(0, 2, 3, 1) @ self._to_rgb.T).round().clamp(0, 255) / 255
        here = torch.arange(side, device=device)[None]
        return rgb[each, (here + top)[:, :, None], (here + left)[:, None, :]].permute(0, 3, 1, 2)

    def _through(self, planes: Tensor, tables: Tensor, quality: Tensor) -> Tensor:
        """Planes (N, C, H, W), luma moved by 128 as chroma is, through the steps of their tables."""
        scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
        steps = ((tables * scale + 50) / 100).floor().clamp(1, 255)[:, :, None, :, None, :]
        count, channels, height, width = planes.shape
        shift = torch.zeros(1, channels, 1, 1, device=planes.device)
        if channels == 3:
            shift[:, 0] = 128
        blocks = (planes - shift).view(count, channels, height // 8, 8, width // 8, 8)
        frequencies = torch.einsum("ki,ncaibj,lj->ncakbl", self._dct, blocks, self._dct)
        frequencies = (frequencies / steps).round() * steps
        blocks = torch.einsum("ki,ncakbl,lj->ncaibj", self._dct, frequencies, self._dct)
        low = torch.where(shift > 0, 0.0, -128.0)
        return (blocks.reshape(planes.shape) + shift).round().clamp_min(-128).maximum(low).minimum(low + 255)

    def _sites(self, x: Tensor, gray: Tensor) -> Tensor:
        white = self._alike(torch.randn_like(x), gray)
        top, left = (uniform(0, 1, len(x), self.device).mul(2).floor().long() for _ in "yx")
        red = (self._row == top) & (self._column == left)
        blue = (self._row == 1 - top) & (self._column == 1 - left)
        known = torch.cat((red, ~(red | blue), blue), dim=1).float()
        seen = _filtered(white * known, self._demosaic) / _filtered(known, self._demosaic).clamp(min=0.25)
        return torch.where(gray | (uniform(0, 1, len(x), self.device) < 0.35), white, seen)

    def _blotches(self, x: Tensor, side: int, gray: Tensor) -> Tensor:
        size = -(-self.side // side)
        coarse = torch.randn(len(x), 3, size, size, device=self.device)
        spread = coarse.repeat_interleave(side, 2).repeat_interleave(side, 3)[..., : self.side, : self.side]
        return self._alike(self._smoothed(spread, torch.full((len(x), 1, 1, 1), 0.5 * side, device=self.device)), gray)

    def _smoothed(self, noise: Tensor, sigma: Tensor) -> Tensor:
        count, channels, height, width = noise.shape
        along = torch.arange(-3, 4, device=self.device)[None]
        sigma = sigma.view(count, 1)
        taps = torch.exp(-0.5 * (along / sigma) ** 2) * (along.abs() <= (2 * sigma + 0.5).floor().clamp(min=1))
        taps = (taps / taps.sum(1, keepdim=True)).repeat_interleave(channels, 0)
        x = noise.reshape(1, count * channels, height, width)
        x = F.conv2d(x, taps[:, None, :, None], padding=(3, 0), groups=count * channels)
        return F.conv2d(x, taps[:, None, None, :], padding=(0, 3), groups=count * channels).view_as(noise)

    def _alike(self, noise: Tensor, gray: Tensor) -> Tensor:
        return torch.where(gray, noise[:, :1], noise)


def _unit(noise: Tensor) -> Tensor:
    return noise / noise.std(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)


def _filtered(x: Tensor, taps: Tensor) -> Tensor:
    channels = x.shape[1]
    x = F.conv2d(x, taps.view(1, 1, -1, 1).expand(channels, 1, -1, 1), padding=(1, 0), groups=channels)
    return F.conv2d(x, taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1), padding=(0, 1), groups=channels)
