"""The probabilities of a compressed picture's symbols, in integers: whoever decodes has to find exactly the same.

A network on an engine gives other last bits on other processors, and one bit is enough to lose all that follows. So
what gives the probabilities is computed here, in fixed point: weights of 8 bits, activations in steps of
1/:data:`UNIT`. The sums are made by float64 products of matrices, which are fast on any processor and exact: no sum of
these integers comes near 2**53, whatever the order.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.symbol_scales import SCALE_COUNT, TOTAL_FREQUENCY
from edgevision.runtime.tasks.compression.packed_arrays import packed, unpacked
from edgevision.runtime.tasks.compression.spec import HYPER_STRIDE

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]

UNIT = 1 << 10
"""What 1 is in fixed point."""

LARGEST_SYMBOL = 2**15 - 1
"""The greatest absolute value of a symbol."""

_LARGEST_ACTIVATION = 1 << 20
_LAYERS = 3

# Rows of hyper-latents that are worked on at once, and how far the layers look beyond them.
_ROWS = 4
_REACH = 2


class IntegerLayer(NamedTuple):
    """A convolution with zeros around: ``weight`` int8 (O, I, K, K), ``bias`` int64 (O,), and by how many bits each
    channel is shifted to the right, ``shift`` (O,)."""

    weight: NDArray[np.int8]
    bias: Integers
    shift: Integers

    def __call__(self, x: Integers) -> Integers:
        """Of (I, H, W) in fixed point, (O, H, W)."""
        side = self.weight.shape[2]
        height, width = x.shape[1:]
        padded = np.pad(x.astype(np.float64), ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
        weight = self.weight.astype(np.float64)
        total = np.zeros((len(weight), height * width))
        for row in range(side):
            for column in range(side):
                seen = padded[:, row : row + height, column : column + width].reshape(len(x), -1)
                total += weight[:, :, row, column] @ seen
        summed = total.astype(np.int64) + self.bias[:, None]
        shifted: Integers = (summed >> self.shift[:, None]).reshape(-1, height, width)
        return shifted


class SymbolStrip(NamedTuple):
    """How the symbols of some rows of latents are distributed.

    ``tables`` uint8 (C, h, W) names the frequency table of each, ``means`` float32 (C, h, W) is what belongs to 0.
    """

    rows: slice
    tables: NDArray[np.uint8]
    means: Floats


@dataclass(frozen=True, eq=False)
class EntropyModel:
    """Of Q qualities, C channels of latents and D of hyper-latents.

    Attributes:
        gains: float32 (Q, C), what latents less their mean are multiplied by before they are rounded.
        hyper_gains: float32 (Q, D), the same of hyper-latents, whose means are 0.
        hyper_steps: int64 (Q, D), what one step of a hyper-latent is in fixed point.
        hyper_tables: uint8 (Q, D), the frequency table of each channel of hyper-latents.
        offsets: int64 (Q, C), what a quality adds to the indices of tables, in fixed point.
        layers: from hyper-latents to indices of tables and means, both at the latents' size; after each but the last
            come a rectifier and a shuffle that turns four channels into squares of 2x2.
        frequencies: of the symbols of each table, see :func:`.symbol_scales.frequency_table`.
    """

    gains: Floats
    hyper_gains: Floats
    hyper_steps: Integers
    hyper_tables: NDArray[np.uint8]
    offsets: Integers
    layers: tuple[IntegerLayer, ...]
    frequencies: tuple[NDArray[np.uint16], ...]

    @property
    def qualities(self) -> int:
        return len(self.gains)

    @property
    def latents(self) -> int:
        return int(self.gains.shape[1])

    @property
    def hyper_latents(self) -> int:
        return int(self.hyper_gains.shape[1])

    def strips(self, hyper_symbols: NDArray[np.int32], quality: int) -> Iterator[SymbolStrip]:
        """The distributions of all latents, a few rows after the other, of (D, H, W) symbols of hyper-latents."""
        height = hyper_symbols.shape[1]
        steps = self.hyper_steps[quality][:, None, None]
        for top in range(0, height, _ROWS):
            bottom = min(top + _ROWS, height)
            first, last = max(top - _REACH, 0), min(bottom + _REACH, height)
            x = hyper_symbols[:, first:last].astype(np.int64) * steps
            for number, layer in enumerate(self.layers):
                x = layer(np.clip(x, 0 if number else -_LARGEST_ACTIVATION, _LARGEST_ACTIVATION))
                if number + 1 < len(self.layers):
                    x = _shuffled(x)
            inside = slice((top - first) * HYPER_STRIDE, (bottom - first) * HYPER_STRIDE)
            index, mean = x[: self.latents, inside], x[self.latents :, inside]
            index = (index + self.offsets[quality][:, None, None]) // UNIT
            yield SymbolStrip(
                slice(top * HYPER_STRIDE, bottom * HYPER_STRIDE),
                np.clip(index, 0, SCALE_COUNT - 1).astype(np.uint8),
                (np.clip(mean, -_LARGEST_ACTIVATION, _LARGEST_ACTIVATION) / UNIT).astype(np.float32),
            )

    def pack(self) -> str:
        """All of it as text, for :class:`.CompressionSpec`."""
        layers = {
            f"{name}_{number}": value
            for number, layer in enumerate(self.layers)
            for name, value in layer._asdict().items()
        }
        arrays: dict[str, NDArray[Any]] = {
            "gains": self.gains,
            "hyper_gains": self.hyper_gains,
            "hyper_steps": self.hyper_steps,
            "hyper_tables": self.hyper_tables,
            "offsets": self.offsets,
            "table_sizes": np.asarray([len(table) for table in self.frequencies]),
            "frequencies": np.concatenate(self.frequencies),
        }
        return packed(arrays | layers)

    @classmethod
    def unpack(cls, text: str) -> Self:
        """What :meth:`pack` made; :class:`ValueError` where it is none, or does not fit together."""
        arrays = unpacked(text)
        try:
            layers = tuple(
                IntegerLayer(arrays[f"weight_{n}"], arrays[f"bias_{n}"], arrays[f"shift_{n}"]) for n in range(_LAYERS)
            )
            sizes = arrays["table_sizes"]
            tables = np.split(arrays["frequencies"], np.cumsum(sizes)[:-1])
            model = cls(
                gains=arrays["gains"],
                hyper_gains=arrays["hyper_gains"],
                hyper_steps=arrays["hyper_steps"],
                hyper_tables=arrays["hyper_tables"],
                offsets=arrays["offsets"],
                layers=layers,
                frequencies=tuple(tables),
            )
            model._check(arrays)
        except KeyError as error:
            raise ValueError(f"the entropy model lacks {error}") from error
        except (IndexError, TypeError) as error:
            raise ValueError(f"the entropy model does not fit together: {error}") from error
        return model

    def _check(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        qualities, latents, hyper = self.qualities, self.latents, self.hyper_latents
        expected: dict[str, tuple[type, tuple[int, ...]]] = {
            "gains": (np.float32, (qualities, latents)),
            "hyper_gains": (np.float32, (qualities, hyper)),
            "hyper_steps": (np.int64, (qualities, hyper)),
            "hyper_tables": (np.uint8, (qualities, hyper)),
            "offsets": (np.int64, (qualities, latents)),
        }
        channels = hyper
        for number, layer in enumerate(self.layers):
            made, side = len(layer.weight), layer.weight.shape[-1]
            expected[f"weight_{number}"] = (np.int8, (made, channels, side, side))
            expected[f"bias_{number}"] = expected[f"shift_{number}"] = (np.int64, (made,))
            channels = made // 4
        for name, (dtype, shape) in expected.items():
            if arrays[name].dtype != dtype or arrays[name].shape != shape:
                raise ValueError(f"its {name} is {arrays[name].dtype} {arrays[name].shape}, not {shape}")
        sums = [int(table.sum(dtype=np.int64)) for table in self.frequencies]
        lengths = [len(table) for table in self.frequencies]
        if len(sums) != SCALE_COUNT or any(total != TOTAL_FREQUENCY for total in sums):
            raise ValueError(f"its tables are not {SCALE_COUNT} of {TOTAL_FREQUENCY} symbols each")
        if any(length < 4 or length % 2 for length in lengths) or min(map(np.min, self.frequencies)) < 1:
            raise ValueError("each of its tables has an odd number of symbols and one for any other")
        if len(self.layers[-1].weight) != 2 * latents or int(self.hyper_tables.max()) >= SCALE_COUNT:
            raise ValueError("its last layer or its hyper_tables do not fit")
        gains = np.concatenate([self.gains.ravel(), self.hyper_gains.ravel()])
        if not (np.isfinite(gains).all() and (gains > 0).all()):
            raise ValueError("its gains are not all positive")
        if any(layer.shift.min() < 0 or layer.shift.max() > 62 for layer in self.layers):
            raise ValueError("its shifts are not all of 0..62 bits")


def _shuffled(x: Integers) -> Integers:
    """As torch's PixelShuffle of 2: (4 C, H, W) to (C, 2 H, 2 W)."""
    channels, height, width = x.shape
    squares = x.reshape(channels // 4, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
    return squares.reshape(channels // 4, 2 * height, 2 * width)
