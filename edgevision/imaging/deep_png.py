"""PNG files with 16 bits a sample in colours or with transparency, which Pillow does not write."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.imaging.strip_encoding import SIGNATURE, StripEncoder, chunk, chunks
from edgevision.imaging.tiling import row_strips

# The colour types of gray and of RGB, without and with alpha, by the number of channels (PNG, third edition, 11.2.1).
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_SUB = 1


def deep_png_parts(
    samples: tuple[NDArray[np.uint16], NDArray[np.uint16] | None], encode: StripEncoder, *, level: int, **extras: Any
) -> Iterator[bytes]:
    """The bytes of a PNG of pixels (H, W, 1 or 3) and their alpha (H, W), strip by strip.

    ``encode`` and its ``extras`` write what stands beside the samples: it makes a file of one pixel with them, whose
    other parts are taken.
    """
    from PIL import Image

    pixels, alpha = samples
    height, width, channels = pixels.shape
    depth = channels + (alpha is not None)
    small = Image.new({1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[depth], (1, 1))
    beside = list(chunks(encode(small, **extras)))
    middle = [kind for kind, _ in beside].index(b"IDAT")
    yield SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[depth], 0, 0, 0))
    yield from (chunk(kind, data) for kind, data in beside[1:middle])
    deflate = zlib.compressobj(level, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    for rows in row_strips(height, width):
        strip = pixels[rows] if alpha is None else np.concatenate([pixels[rows], alpha[rows, :, None]], axis=2)
        if compressed := deflate.compress(_filtered(strip)):
            yield chunk(b"IDAT", compressed)
    yield chunk(b"IDAT", deflate.flush())
    yield from (chunk(kind, data) for kind, data in beside[middle:] if kind != b"IDAT")


def _filtered(samples: NDArray[np.uint16]) -> bytes:
    """Rows of samples as bytes, the difference to the pixel on the left, each behind the number of that filter."""
    rows, width, channels = samples.shape
    plain = samples.astype(">u2").view(np.uint8).reshape(rows, 2 * width * channels)
    filtered = np.empty((rows, 1 + plain.shape[1]), np.uint8)
    filtered[:, 0] = _SUB
    pixel = 2 * channels
    filtered[:, 1 : 1 + pixel] = plain[:, :pixel]
    np.subtract(plain[:, pixel:], plain[:, :-pixel], out=filtered[:, 1 + pixel :])
    return filtered.tobytes()
