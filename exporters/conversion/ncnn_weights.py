"""Where in an NCNN model's ``.bin`` the numbers of each layer lie: the file itself does not say."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from edgevision.modelfiles.ncnn_file import Layer

FLOAT32 = 0
INT8 = 0x000D4B38
"""The words before numbers whose type may differ (src/modelbin.cpp of github.com/Tencent/ncnn); int8 ends at a
multiple of four bytes."""

# With numbers in an order that is not told here.
_UNKNOWN = frozenset({"Convolution3D", "GRU", "LSTM", "MultiHeadAttention", "RNN", "SDPA"})


class LayerWeights(NamedTuple):
    """The bytes from ``start`` to ``end`` of the layer of that ``number``; up to ``weights_end`` lie its weights with
    the word before them, and then its bias."""

    number: int
    start: int
    weights_end: int
    end: int


def layer_weights(layers: Sequence[Layer], content: bytes) -> Iterator[LayerWeights]:
    """Those of every layer that has any, up to the first of which nothing is known or whose weights are no float32."""
    place = 0
    for number, layer in enumerate(layers):
        if layer.type in _UNKNOWN:
            return
        start, ends = place, []
        for typed, size in _blocks(layer):
            if typed and int.from_bytes(content[place : place + 4], "little") != FLOAT32:
                return
            place += 4 * (typed + size)
            ends.append(place)
        if ends:
            yield LayerWeights(number, start, ends[0], place)


def _blocks(layer: Layer) -> list[tuple[bool, int]]:
    """What a layer reads in turn: whether a word before it says its type, and how many numbers (load_model in
    src/layer/ of github.com/Tencent/ncnn)."""

    def get(key: int, default: int = 0) -> int:
        return int(layer.parameters.get(key, default))

    match layer.type:
        case "Convolution" | "Convolution1D" | "ConvolutionDepthWise" | "Deconvolution" | "DeconvolutionDepthWise":
            found = [(True, get(6)), (False, get(0) * get(5))]
        case "InnerProduct":
            found = [(True, get(2)), (False, get(0) * get(1))]
        case "Embed":
            found = [(True, get(3)), (False, get(0) * get(2))]
        case "Gemm":
            m, n, k = get(7), get(8), get(9)
            added = (1, m, m, m * n, n)[get(10)] if get(6) and 0 <= get(10) < 5 else 0
            found = [(True, get(4) * m * k), (True, get(5) * n * k), (True, added)]
        case "BatchNorm":
            found = [(False, 4 * get(0))]
        case "Bias" | "PReLU":
            found = [(False, get(0))]
        case "Scale":
            found = [(False, max(0, get(0)) * (1 + get(1)))]
        case "InstanceNorm" | "LayerNorm":
            found = [(False, 2 * get(0) * get(2, 1))]
        case "GroupNorm":
            found = [(False, 2 * get(1) * get(3, 1))]
        case "RMSNorm":
            found = [(False, get(0) * get(2, 1))]
        case "MemoryData":
            sides = [side for side in map(get, (0, 1, 11, 2)) if side]
            found = [(get(21, 1) == 0, math.prod(sides) if sides else 0)]
        case _:
            found = []
    return [(typed, size) for typed, size in found if size]
