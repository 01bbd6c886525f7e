"""The kinds of holes that inpainting is trained on and measured with.

Apart from degradations.py, which draws them, so that the command line, which offers them, need not import numpy.
"""

from enum import StrEnum


class HoleKind(StrEnum):
    """What the holes to inpaint look like."""

    STROKES = "strokes"
    """Curved lines 2 to 5 pixels wide, over about a tenth of the picture."""
    TEXT = "text"
    """Rows of letters, and long thin scratches."""
    BOXES = "boxes"
    """One to three boxes with sides of 48 to 80 pixels."""
    BLOBS = "blobs"
    """Thick strokes and ellipses."""
    PIXELS = "pixels"
    """Single pixels or squares of 2 or 3 pixels, over 30 to 80 % of the picture."""
