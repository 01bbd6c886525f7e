"""The probabilities of a compressed picture's symbols, in integers: whoever decodes has to find exactly the same.

A network on an engine gives other last bits on other processors, and one bit is enough to lose all that follows. So
what gives the probabilities is computed here, in fixed point: weights of 8 bits, activations in steps of
1/:data:`UNIT`. The sums are made by float64 products of matrices, which are fast on any processor and exact: no sum of
these integers comes near 2**53, whatever the order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.symbol_scales import RESTORED_SHIFT, SCALE_COUNT, TOTAL_FREQUENCY
from edgevision.modelfiles.packed_arrays import packed, unpacked
from edgevision.runtime.tasks.compression.spec import HYPER_STRIDE

Integers = NDArray[np.int64]
Symbols = NDArray[np.int32]
Floats = NDArray[np.float32]

UNIT = 1 << 10
"""What 1 is in fixed point."""

LARGEST_SYMBOL = 2**15 - 1
"""The greatest absolute value of a symbol."""

_LARGEST_ACTIVATION = 1 << 20
_LAYERS = 3

# Rows of hyper-latents that are worked on at once; how far the layers look beyond them, and contexts beyond latents.
_ROWS = 4
_REACH = 2
_CONTEXT_REACH = 1


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
    """How the symbols of some rows of a slice of latents are distributed.

    ``tables`` uint8 (c, h, W) names the frequency table of each, ``means`` float32 (c, h, W) is what belongs to 0.
    """

    channels: slice
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
        layers: from hyper-latents to indices of tables and means, both at the latents' size, of the first slice of
            latents; after each but the last come a rectifier and a shuffle that turns four channels into squares of
            2x2.
        contexts: two layers for each further slice, a rectifier between them: from what the last of ``layers`` is given
            and the latents of the slices before, to indices and means.
        frequencies: of the symbols of each table, see :func:`.symbol_scales.frequency_table`.
    """

    gains: Floats
    hyper_gains: Floats
    hyper_steps: Integers
    hyper_tables: NDArray[np.uint8]
    offsets: Integers
    layers: tuple[IntegerLayer, ...]
    contexts: tuple[tuple[IntegerLayer, ...], ...]
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

    @property
    def slices(self) -> tuple[slice, ...]:
        """The channels of each slice of latents."""
        made = [len(heads[-1].weight) // 2 for heads in self._heads]
        return tuple(slice(*ends) for ends in pairwise(accumulate(made, initial=0)))

    @property
    def _heads(self) -> tuple[tuple[IntegerLayer, ...], ...]:
        return (self.layers[-1:], *self.contexts)

    def each_strip(self, hyper_symbols: Symbols, quality: int, code: Callable[[SymbolStrip], Symbols]) -> None:
        """Have ``code`` write or read the symbols of all latents, slice by slice, a few rows after the other.

        Args:
            hyper_symbols: (D, H, W) of the hyper-latents.
            code: returns the symbols of the strip that it is given; those of later slices depend on them.
        """
        features = self._features(hyper_symbols, quality)
        height, width = features.shape[1:]
        # One step of a latent in fixed point; a division is the same on all machines.
        steps = np.rint(UNIT / self.gains[quality].astype(np.float64)).astype(np.int64)[:, None, None]
        shifts = np.rint(RESTORED_SHIFT * steps).astype(np.int64)
        slices = self.slices
        decoded = np.empty((slices[-1].start, height, width), np.int64)
        for channels, heads in zip(slices, self._heads, strict=True):
            for top in range(0, height, _ROWS * HYPER_STRIDE):
                rows = slice(top, min(top + _ROWS * HYPER_STRIDE, height))
                seen = slice(max(rows.start - _CONTEXT_REACH, 0), min(rows.stop + _CONTEXT_REACH, height))
                x = np.concatenate([features[:, seen], decoded[: channels.start, seen]])
                for number, layer in enumerate(heads):
                    x = layer(np.clip(x, 0, _LARGEST_ACTIVATION) if number else x)
                x = x[:, rows.start - seen.start : rows.stop - seen.start]
                index, mean = x[: len(x) // 2], np.clip(x[len(x) // 2 :], -_LARGEST_ACTIVATION, _LARGEST_ACTIVATION)
                index = (index + self.offsets[quality, channels, None, None]) // UNIT
                tables = np.clip(index, 0, SCALE_COUNT - 1).astype(np.uint8)
                symbols = code(SymbolStrip(channels, rows, tables, (mean / UNIT).astype(np.float32)))
                if channels.stop <= len(decoded):
                    latents = symbols * steps[channels] + np.sign(symbols) * shifts[channels] + mean
                    decoded[channels, rows] = np.clip(latents, -_LARGEST_ACTIVATION, _LARGEST_ACTIVATION)

    def _features(self, hyper_symbols: Symbols, quality: int) -> Integers:
        """What the last of the layers and the contexts are given, (F, 4 H, 4 W) in fixed point, not negative."""
        height = hyper_symbols.shape[1]
        steps = self.hyper_steps[quality][:, None, None]
        strips = []
        for top in range(0, height, _ROWS):
            bottom = min(top + _ROWS, height)
            first, last = max(top - _REACH, 0), min(bottom + _REACH, height)
            x = np.clip(hyper_symbols[:, first:last] * steps, -_LARGEST_ACTIVATION, _LARGEST_ACTIVATION)
            for layer in self.layers[:-1]:
                x = np.clip(_shuffled(layer(x)), 0, _LARGEST_ACTIVATION)
            strips.append(x[:, (top - first) * HYPER_STRIDE : (bottom - first) * HYPER_STRIDE])
        return np.concatenate(strips, axis=1)

    def pack(self) -> str:
        """All of it as text, for :class:`.CompressionSpec`."""
        arrays: dict[str, NDArray[Any]] = {
            "gains": self.gains,
            "hyper_gains": self.hyper_gains,
            "hyper_steps": self.hyper_steps,
            "hyper_tables": self.hyper_tables,
            "offsets": self.offsets,
            "table_sizes": np.asarray([len(table) for table in self.frequencies]),
            "frequencies": np.concatenate(self.frequencies),
        }
        for number, layer in enumerate((*self.layers, *chain(*self.contexts))):
            arrays |= {f"{name}_{number}": value for name, value in layer._asdict().items()}
        return packed(arrays)

    @classmethod
    def unpack(cls, text: str) -> Self:
        """What :meth:`pack` made; :class:`ValueError` where it is none, or does not fit together."""
        arrays = unpacked(text)
        try:
            count = max(_LAYERS, sum(name.startswith("weight_") for name in arrays))
            layers = [
                IntegerLayer(arrays[f"weight_{n}"], arrays[f"bias_{n}"], arrays[f"shift_{n}"]) for n in range(count)
            ]
            sizes = arrays["table_sizes"]
            tables = np.split(arrays["frequencies"], np.cumsum(sizes)[:-1])
            model = cls(
                gains=arrays["gains"],
                hyper_gains=arrays["hyper_gains"],
                hyper_steps=arrays["hyper_steps"],
                hyper_tables=arrays["hyper_tables"],
                offsets=arrays["offsets"],
                layers=tuple(layers[:_LAYERS]),
                contexts=tuple(zip(layers[_LAYERS::2], layers[_LAYERS + 1 :: 2], strict=True)),
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
        width = self.layers[-1].weight.shape[1]
        inputs = [hyper, *(len(layer.weight) // 4 for layer in self.layers[:-1])]
        for part, context in zip(self.slices[1:], self.contexts, strict=True):
            inputs += [width + part.start, len(context[0].weight)]
        for number, (channels, layer) in enumerate(zip(inputs, (*self.layers, *chain(*self.contexts)), strict=True)):
            made, side = len(layer.weight), layer.weight.shape[-1]
            expected[f"weight_{number}"] = (np.int8, (made, channels, side, side))
            expected[f"bias_{number}"] = expected[f"shift_{number}"] = (np.int64, (made,))
        for name, (dtype, shape) in expected.items():
            if arrays[name].dtype != dtype or arrays[name].shape != shape:
                raise ValueError(f"its {name} is {arrays[name].dtype} {arrays[name].shape}, not {shape}")
        sums = [int(table.sum(dtype=np.int64)) for table in self.frequencies]
        lengths = [len(table) for table in self.frequencies]
        if len(sums) != SCALE_COUNT or any(total != TOTAL_FREQUENCY for total in sums):
            raise ValueError(f"its tables are not {SCALE_COUNT} of {TOTAL_FREQUENCY} symbols each")
        if any(length < 4 or length % 2 for length in lengths) or min(map(np.min, self.frequencies)) < 1:
            raise ValueError("each of its tables has an odd number of symbols and one for any other")
        if self.slices[-1].stop != latents or int(self.hyper_tables.max()) >= SCALE_COUNT:
            raise ValueError("its last layer or its hyper_tables do not fit")
        gains = np.concatenate([self.gains.ravel(), self.hyper_gains.ravel()])
        if not (np.isfinite(gains).all() and (gains > 0).all()):
            raise ValueError("its gains are not all positive")
        shifts = np.concatenate([layer.shift for layer in (*self.layers, *chain(*self.contexts))])
        if shifts.min() < 0 or shifts.max() > 62:
            raise ValueError("its shifts are not all of 0..62 bits")


def _shuffled(x: Integers) -> Integers:
    """As torch's PixelShuffle of 2: (4 C, H, W) to (C, 2 H, 2 W)."""
    channels, height, width = x.shape
    squares = x.reshape(channels // 4, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
    return squares.reshape(channels // 4, 2 * height, 2 * width)
