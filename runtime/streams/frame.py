"""One picture of a stream, and what is known of the stream that it comes from."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8 (height, width, 3), RGB."""

UNSAID_MATRIX, UNSAID_RANGE = 2, 0
"""FFmpeg's codes where a video does not say what its numbers stand for."""


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One picture of a stream.

    Attributes:
        pixels: uint8 (H, W, 3), RGB, upright.
        number: which of its source's frames, from 0; those that were left out count.
        time: in seconds, on the source's own clock.
        arrived: when it came, encoded as it was, on :func:`time.monotonic`'s clock; of a file, when it was read.
        source: which of several sources, by index.
        decode_seconds: after what time behind that its pixels were there.
    """

    pixels: Pixels
    number: int
    time: Fraction
    arrived: float
    source: int = 0
    decode_seconds: float = 0.0


@dataclass(frozen=True)
class Coding:
    """What the numbers of a video's frames stand for, in FFmpeg's codes.

    Attributes:
        pixel_format: FFmpeg's name of how a frame is stored, as ``yuv420p``.
        colorspace: the matrix: 1 is BT.709, 5 and 6 are BT.601.
        color_range: 1 is limited (16 to 235), 2 full.
        primaries, transfer: of the colours.
        rotation: degrees by which a frame is turned counter-clockwise before it is shown; a multiple of 90.
    """

    pixel_format: str = "yuv420p"
    colorspace: int = UNSAID_MATRIX
    color_range: int = UNSAID_RANGE
    primaries: int = UNSAID_MATRIX
    transfer: int = UNSAID_MATRIX
    rotation: int = 0


@dataclass(frozen=True)
class StreamFacts:
    """What a source says of its frames before the first one.

    Attributes:
        rate: frames a second, on average; ``None`` where there is no such number.
        time_base: what all its times are multiples of, in seconds.
        frames: how many there are to come, where that is known.
        seconds: how long it is, where that is known.
        coding: of a video; ``None`` for frames that are pictures.
        audio: the file in which sound goes with the frames; ``None`` without.
    """

    rate: Fraction | None
    time_base: Fraction
    frames: int | None = None
    seconds: float | None = None
    coding: Coding | None = None
    audio: str | None = None
