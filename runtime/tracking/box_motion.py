"""Where things will be in the next frame: a Kalman filter of constant velocity for each side of each box."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_POSITION_SHARE, _VELOCITY_SHARE = 1 / 20, 1 / 160
"""Standard deviations of a step's noise, as shares of a box's size (Wojke et al. 2017)."""

_FIRST_POSITION, _FIRST_VELOCITY = 2, 10
"""How much less is known of a box that was seen once, in the same units."""


class BoxMotion:
    """The motion of N boxes at once; centre, width and height move by themselves, independent of one another.

    With that, and noise that is the same in all four, the filter of eight states (Wojke et al. 2017; Zhang et al. 2022)
    falls apart into four of two: what follows is those, in closed form.

    Attributes:
        position: float64 (N, 4), centre x, centre y, width and height, in pixels.
        velocity: float64 (N, 4), the same for each frame.
        variance: float64 (N, 4, 3), of the position, of both together, and of the velocity.
    """

    def __init__(self) -> None:
        self.position: Floats = np.zeros((0, 4))
        self.velocity: Floats = np.zeros((0, 4))
        self.variance: Floats = np.zeros((0, 4, 3))

    def __len__(self) -> int:
        return len(self.position)

    @property
    def boxes(self) -> Floats:
        """float64 (N, 4), x1, y1, x2, y2."""
        half = np.maximum(self.position[:, 2:], 0) / 2
        return np.concatenate([self.position[:, :2] - half, self.position[:, :2] + half], axis=1)

    def add(self, boxes: Floats) -> None:
        """Begin with further boxes (n, 4), x1, y1, x2, y2, that stand still as far as is known."""
        position = _centred(boxes)
        size = _size(position)
        first = np.zeros((len(boxes), 4, 3))
        first[:, :, 0] = (_FIRST_POSITION * _POSITION_SHARE * size) ** 2
        first[:, :, 2] = (_FIRST_VELOCITY * _VELOCITY_SHARE * size) ** 2
        self.position = np.concatenate([self.position, position])
        self.velocity = np.concatenate([self.velocity, np.zeros_like(position)])
        self.variance = np.concatenate([self.variance, first])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the others."""
        self.position, self.velocity, self.variance = self.position[rows], self.velocity[rows], self.variance[rows]

    def step(self, steps: float = 1) -> None:
        """Go on to the next frame, or over several at once."""
        size = _size(self.position)
        own, both, speed = (self.variance[:, :, index] for index in range(3))
        noise = (_POSITION_SHARE * size) ** 2 * steps, (_VELOCITY_SHARE * size) ** 2 * steps
        self.position = self.position + steps * self.velocity
        self.variance = np.stack(
            [own + 2 * steps * both + steps**2 * speed + noise[0], both + steps * speed, speed + noise[1]], axis=2
        )

    def see(self, rows: NDArray[np.int64], boxes: Floats) -> None:
        """Take in where the boxes of some rows were found, as (n, 4) x1, y1, x2, y2."""
        own, both, speed = (self.variance[rows, :, index] for index in range(3))
        innovation = own + (_POSITION_SHARE * _size(self.position[rows])) ** 2
        surprise = _centred(boxes) - self.position[rows]
        gain, speed_gain = own / innovation, both / innovation
        self.position[rows] += gain * surprise
        self.velocity[rows] += speed_gain * surprise
        self.variance[rows] = np.stack([own * (1 - gain), both * (1 - gain), speed - speed_gain * both], axis=2)


def _centred(boxes: Floats) -> Floats:
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def _size(position: Floats) -> Floats:
    """(N, 1): what a box's noise is in proportion to, its longer side."""
    size: Floats = np.maximum(position[:, 2:].max(axis=1, keepdims=True, initial=1), 1)
    return size
