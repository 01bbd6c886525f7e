"""Transformer encoder layers, normalised before each part (Vaswani et al. 2017; Xiong et al. 2020)."""

from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Every token takes from every other: (N, tokens, width) to the same; ``heads`` of width / heads numbers each.

    Written out, so that an exported graph has the matrix products, the scale and the softmax, whatever the exporter
    makes of PyTorch's own attention.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of the {heads} heads, not {width}")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        count, width = tokens.shape[1:]
        # each (N, heads, tokens, width / heads)
        query, key, value = (
            part.reshape(-1, count, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(tokens).chunk(3, dim=-1)
        )
        scale = (width // self.heads) ** -0.5
        attention = ((scale * query) @ key.transpose(-2, -1)).softmax(dim=-1)
        mixed: Tensor = self.projection((attention @ value).transpose(1, 2).reshape(-1, count, width))
        return mixed


class TransformerLayer(nn.Module):
    """Self-attention, then two dense layers with GELU for each token, both added to the tokens (N, tokens, width)."""

    def __init__(self, width: int, *, heads: int, expansion: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.dense_norm = nn.LayerNorm(width)
        self.dense = nn.Sequential(nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(self.attention_norm(tokens))
        deeper: Tensor = tokens + self.dense(self.dense_norm(tokens))
        return deeper


def initialise_linear(network: nn.Module) -> None:
    """Give every dense layer of ``network`` Xavier weights (Glorot & Bengio 2010) and no bias, as the ViTs have it."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
