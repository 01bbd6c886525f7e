"""A small vision transformer: Dosovitskiy et al. 2021, with the pooled head of Beyer et al. 2022.

The wide activations behind LayerNorm and GELU, the softmax and the products of two activations make it another hard
case for int8 than convolutions.
"""

import torch
from torch import Tensor, nn

from edgevision.models.transformer import TransformerLayer, initialise_linear


class _Positions(nn.Module):
    """Adds to each token what is learned for its place."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(1, tokens, width))
        nn.init.trunc_normal_(self.embedding, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + self.embedding


class VisionTransformer(nn.Module):
    """Square patches as tokens, ``layers`` of a transformer, and the mean of the tokens classified.

    Input (N, in_channels, image_size, image_size) float32, output logits (N, num_classes). ``patch_size`` divides
    ``image_size``; it is 4 for pictures below 64 pixels, 8 below 160 and 16 from there on unless given.
    """

    def __init__(
        self,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        image_size: int = 32,
        patch_size: int | None = None,
        width: int = 128,
        layers: int = 6,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if patch_size is None:
            patch_size = 4 if image_size < 64 else 8 if image_size < 160 else 16
        if image_size < patch_size or image_size % patch_size:
            raise ValueError(f"image_size must be a multiple of the patch_size {patch_size}, not {image_size}")
        self.patches = nn.Conv2d(in_channels, width, patch_size, patch_size)
        self.positions = _Positions((image_size // patch_size) ** 2, width)
        self.layers = nn.Sequential(*(TransformerLayer(width, heads=heads, expansion=4) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, num_classes)
        initialise_linear(self)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.positions(self.patches(images).flatten(2).transpose(1, 2))
        pooled = self.norm(self.layers(tokens)).mean(dim=1)
        logits: Tensor = self.linear(self.dropout(pooled))
        return logits
