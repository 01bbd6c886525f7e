"""The kinds of noise that denoising is trained on and measured with.

Apart from noise.py, which draws them, so that the command line, which offers them, need not import numpy.
"""

from enum import StrEnum


class NoiseKind(StrEnum):
    """What is wrong with the pictures to denoise."""

    WHITE = "white"
    """Gaussian, of the same strength everywhere, not clipped: the literature's."""
    CAMERA = "camera"
    """A sensor's: more of it where there is more light, spread by demosaicing and smoothing into blotches of up to 3
    pixels, often stored as JPEG."""
    JPEG = "jpeg"
    """The blocks and fringes of JPEG files, of quality 10 to 95."""
    IMPULSE = "impulse"
    """Salt and pepper: 1 to 20 % of the pixels, or of their samples, are black or white."""
    MIXED = "mixed"
    """One of these, or none, drawn anew for every picture."""
