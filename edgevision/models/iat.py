"""The Illumination Adaptive Transformer of Cui et al. 2022 for dark pictures, its weights named as published."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _ChannelAffine(nn.Module):
    """In place of a normalisation: the channels mixed by a matrix, then scaled and shifted."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))
        self.color = nn.Parameter(torch.eye(channels))

    def forward(self, x: Tensor) -> Tensor:
        mixed = F.conv2d(x, self.color[:, :, None, None])
        return mixed * self.alpha.view(1, -1, 1, 1) + self.beta.view(1, -1, 1, 1)


class _Mlp(nn.Module):
    """Two layers, over the channels of a picture or over the features of tokens."""

    def __init__(self, width: int, *, tokens: bool) -> None:
        super().__init__()
        self.fc1: nn.Module = nn.Linear(width, 4 * width) if tokens else nn.Conv2d(width, 4 * width, 1)
        self.fc2: nn.Module = nn.Linear(4 * width, width) if tokens else nn.Conv2d(4 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return mixed


class _LocalBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1 = _ChannelAffine(width)
        self.conv1 = nn.Conv2d(width, width, 1)
        self.attn = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.conv2 = nn.Conv2d(width, width, 1)
        self.norm2 = _ChannelAffine(width)
        self.mlp = _Mlp(width, tokens=False)
        self.gamma_1 = nn.Parameter(torch.full((1, width, 1, 1), 1e-4))
        self.gamma_2 = nn.Parameter(torch.full((1, width, 1, 1), 1e-4))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos_embed(x)
        x = x + self.gamma_1 * self.conv2(self.attn(self.conv1(self.norm1(x))))
        mixed: Tensor = x + self.gamma_2 * self.mlp(self.norm2(x))
        return mixed


class _LocalNet(nn.Module):
    """For each pixel what to multiply it by and what to add."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.mul_blocks = nn.Sequential(*(_LocalBlock(width) for _ in range(3)))
        self.add_blocks = nn.Sequential(*(_LocalBlock(width) for _ in range(3)))
        self.mul_end = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1), nn.ReLU())
        self.add_end = nn.Sequential(nn.Conv2d(width, 3, 3, padding=1), nn.Tanh())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = F.leaky_relu(self.conv1(image), 0.2)
        return self.mul_end(self.mul_blocks(x) + x), self.add_end(self.add_blocks(x) + x)


class _Embedding(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.Conv2d(3, width // 2, 3, 2, 1),
            nn.BatchNorm2d(width // 2),
            nn.GELU(),
            nn.Conv2d(width // 2, width, 3, 2, 1),
            nn.BatchNorm2d(width),
        )

    def forward(self, image: Tensor) -> Tensor:
        embedded: Tensor = self.proj(image)
        return embedded


class _QueryAttention(nn.Module):
    """Ten learned queries look at all places: one for the gamma, nine for the colour matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Parameter(torch.ones(1, 10, width))
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch = tokens.shape[0]
        queries = self._split(self.q.expand(batch, -1, -1))
        attended = F.scaled_dot_product_attention(queries, self._split(self.k(tokens)), self._split(self.v(tokens)))
        answers: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return answers

    def _split(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        return tokens.reshape(batch, count, self.heads, width // self.heads).transpose(1, 2)


class _Generator(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1 = nn.LayerNorm(width)
        self.attn = _QueryAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = _Mlp(width, tokens=True)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.pos_embed(x)
        tokens = x.flatten(2).transpose(1, 2)
        answers = self.attn(self.norm1(tokens))
        generated: Tensor = answers + self.mlp(self.norm2(answers))
        return generated


class _GlobalNet(nn.Module):
    """A gamma and a colour matrix for the whole picture."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.gamma_base = nn.Parameter(torch.ones(1))
        self.color_base = nn.Parameter(torch.eye(3))
        self.conv_large = _Embedding(width)
        self.generator = _Generator(width, heads)
        self.gamma_linear = nn.Linear(width, 1)
        self.color_linear = nn.Linear(width, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.generator(self.conv_large(image))
        gamma = self.gamma_linear(answers[:, :1]) + self.gamma_base
        color = self.color_linear(answers[:, 1:]).view(-1, 3, 3) + self.color_base
        return gamma, color


class Iat(nn.Module):
    """Local and global adjustment of a dark picture.

    Input (N, 3, H, W) float32 in -1..1, output the same shape in 0..1. Every pixel depends on all others.
    """

    def __init__(self, *, width: int = 16, global_width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.local_net = _LocalNet(width)
        self.global_net = _GlobalNet(global_width, heads)

    def forward(self, image: Tensor) -> Tensor:
        multiply, add = self.local_net(image)
        gamma, color = self.global_net(image)
        adjusted = image * multiply + add
        colored = torch.einsum("nkc,nchw->nkhw", color, adjusted).clamp(1e-8, 1.0)
        brightened: Tensor = colored ** gamma.unsqueeze(-1)
        return brightened
