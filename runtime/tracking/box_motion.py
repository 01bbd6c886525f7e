"""Where things will be in the next frame: a Kalman filter of constant velocity for each side of each box."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SEEN_SHARE, _POSITION_SHARE, _VELOCITY_SHARE = 1 / 20, 1 / 40, 1 / 160
"""Standard deviations, as shares of a box's size: of what a detector says, and of a step's noise.

All but the second are as Wojke et al. (2017) have them; with theirs of 1/20 tracks follow the detector's trembling.
"""

_FIRST_POSITION, _FIRST_VELOCITY = 2, 10
"""How much less is known of a box that was seen once, in the same units."""


class BoxMotion:
    """The motion of N boxes at once; centre, width and height move by themselves, independent of one another.

    With that, and noise that is the same in all four, the filter of eight states (Wojke et al. 2017; Zhang et al. 2022)
    falls apart into four of two: what follows is those, in closed form.

    All of it is one array, float64 (5, N, 4), so that little is called for each frame: what few boxes cost is calls.

    Attributes:
        position: float64 (N, 4), centre x, centre y, width and height, in pixels.
        velocity: float64 (N, 4), the same for each frame.
        variance: float64 (3, N, 4), of the position, of both together, and of the velocity.
    """

    def __init__(self) -> None:
        self._states: Floats = np.zeros((5, 0, 4))

    def __len__(self) -> int:
        return int(self._states.shape[1])

    @property
    def position(self) -> Floats:
        position: Floats = self._states[0]
        return position

    @property
    def velocity(self) -> Floats:
        velocity: Floats = self._states[1]
        return velocity

    @property
    def variance(self) -> Floats:
        variance: Floats = self._states[2:]
        return variance

    @property
    def boxes(self) -> Floats:
        """float64 (N, 4), x1, y1, x2, y2."""
        center, half = self.position[:, :2], np.maximum(self.position[:, 2:], 0)
        half /= 2
        boxes = np.empty_like(self.position)
        np.subtract(center, half, out=boxes[:, :2])
        np.add(center, half, out=boxes[:, 2:])
        return boxes

    def distances(self, boxes: Floats) -> Floats:
        """(N, n): between the centres and those of ``boxes`` (n, 4), in longer sides of the N."""
        apart = self.position[:, None, :2] - _centred(boxes)[None, :, :2]
        distances: Floats = np.hypot(apart[..., 0], apart[..., 1]) / _size(self.position)
        return distances

    def add(self, boxes: Floats) -> None:
        """Begin with further boxes (n, 4), x1, y1, x2, y2, that stand still as far as is known."""
        first = np.zeros((5, len(boxes), 4))
        first[0] = _centred(boxes)
        size = _size(first[0])
        first[2] = (_FIRST_POSITION * _SEEN_SHARE * size) ** 2
        first[4] = (_FIRST_VELOCITY * _VELOCITY_SHARE * size) ** 2
        self._states = np.concatenate([self._states, first], axis=1)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the others."""
        self._states = self._states[:, rows]

    def step(self, steps: float = 1) -> None:
        """Go on to the next frame, or over several at once."""
        position, velocity, own, both, speed = self._states
        size = _size(position)
        squared = size * size * steps
        position += steps * velocity
        own += (2 * steps) * both + (steps * steps) * speed + _POSITION_SHARE**2 * squared
        both += steps * speed
        speed += _VELOCITY_SHARE**2 * squared

    def see(self, rows: NDArray[np.int64], boxes: Floats) -> None:
        """Take in where the boxes of some rows were found, as (n, 4) x1, y1, x2, y2."""
        states = self._states[:, rows]
        position, velocity, own, both, speed = states
        size = _size(position)
        innovation = own + _SEEN_SHARE**2 * size * size
        surprise = _centred(boxes) - position
        gain, speed_gain = own / innovation, both / innovation
        left = 1 - gain
        position += gain * surprise
        velocity += speed_gain * surprise
        speed -= speed_gain * both
        own *= left
        both *= left
        self._states[:, rows] = states


def _centred(boxes: Floats) -> Floats:
    low, high = boxes[:, :2], boxes[:, 2:]
    centred = np.empty_like(boxes)
    np.add(low, high, out=centred[:, :2])
    centred[:, :2] /= 2
    np.subtract(high, low, out=centred[:, 2:])
    return centred


def _size(position: Floats) -> Floats:
    """(N, 1): what a box's noise is in proportion to, its longer side."""
    size: Floats = np.maximum(np.maximum(position[:, 2:3], position[:, 3:4]), 1)
    return size
