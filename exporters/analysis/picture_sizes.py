"""Which heights and widths a network takes, found out by running it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from torch import Tensor

Examples = tuple[Tensor, ...]
"""One tensor for each input of a network, in the order of its parameters."""


@dataclass(frozen=True)
class PictureSizes:
    """The sides that are ``dynamic``, of height and width, in steps of ``multiple`` and from ``minimum``.

    ``height`` and ``width`` are those of the example, from which other sizes are derived.
    """

    height: int
    width: int
    dynamic: tuple[str, ...] = ()
    multiple: int = 1
    minimum: int = 1

    def sized(self, height: int, width: int) -> tuple[int, int]:
        """That height and width where they are dynamic, those of the example where not."""
        return height if "height" in self.dynamic else self.height, width if "width" in self.dynamic else self.width

    def larger(self) -> tuple[int, int]:
        """A size that only a network for any size takes: half as high again and twice as wide.

        A pixel or two more would tell nothing, they are lost in the rounding of pooling layers.
        """
        return self.sized(self.height + self.multiple * -(-self.height // (2 * self.multiple)), 2 * self.width)

    def others(self) -> tuple[tuple[int, int], ...]:
        """Sizes as unlike the example as may be: the least, upright and lying, odd multiples, and :meth:`larger`."""
        step, least = self.multiple, self.minimum
        sizes = (
            self.sized(least, least),
            self.sized(self.height + step, max(least, (self.width // (2 * step) - 1) * step)),
            self.sized(max(least, self.height // (3 * step) * step), self.width + 3 * step),
            self.larger(),
        )
        return tuple(dict.fromkeys(size for size in sizes if size != (self.height, self.width)))

    def coarser(self) -> Iterator["PictureSizes"]:
        """The same with every larger multiple that the example's sides have."""
        for multiple in _divisors(math.gcd(*self.lengths())):
            if multiple > self.multiple and multiple % self.multiple == 0:
                yield replace(self, multiple=multiple, minimum=-(-self.minimum // multiple) * multiple)

    def lengths(self) -> list[int]:
        """The example's dynamic sides."""
        return [length for name, length in (("height", self.height), ("width", self.width)) if name in self.dynamic]


def find_picture_sizes(
    takes: Callable[[int, int], bool], height: int, width: int, *, multiple: int = 1
) -> PictureSizes:
    """What a network ``takes``, of which is known that it takes ``height`` and ``width``.

    Where a network takes multiples of a number only, that is a divisor of the example's sides; ``multiple`` divides it.
    """
    takes = cache(takes)
    fixed = PictureSizes(height, width)
    for dynamic in (("height", "width"), ("height",), ("width",)):
        sides = replace(fixed, dynamic=dynamic)
        common = math.gcd(*sides.lengths())
        # Most networks with a dense layer are told by this alone.
        if not takes(*sides.sized(height + common, width + common)):
            continue
        for step in _divisors(common):
            if step % multiple or not takes(*sides.sized(height + step, width + step)):
                continue
            found = replace(sides, multiple=step, minimum=_minimum(takes, replace(sides, multiple=step)))
            if all(takes(*size) for size in found.others()):
                return found
    return fixed


def repeated(examples: Examples, height: int, width: int) -> Examples:
    """Examples (N, C, H, W) of another size, by repeating and cutting them; what is no picture stays as it is."""
    return tuple(
        example.repeat(1, 1, -(-height // example.shape[2]), -(-width // example.shape[3]))[:, :, :height, :width]
        if example.ndim == 4
        else example
        for example in examples
    )


def _minimum(takes: Callable[[int, int], bool], sides: PictureSizes) -> int:
    """The least side, by bisection: a network that takes one takes every larger one."""
    step = sides.multiple
    low, high = 1, min(sides.lengths()) // step
    while low < high:
        middle = (low + high) // 2 if low > 1 else 1
        if takes(*sides.sized(middle * step, middle * step)):
            high = middle
        else:
            low = middle + 1
    return high * step


def _divisors(number: int) -> list[int]:
    return [candidate for candidate in range(1, number + 1) if number % candidate == 0]
