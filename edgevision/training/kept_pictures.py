"""The pictures of a training in memory, as far as that reaches."""

from collections.abc import Callable
from typing import Generic, TypeVar

from edgevision.core.progress import track
from edgevision.training.left_out import LeftOut

T = TypeVar("T")

_CACHE_BYTES = 2 << 30


class KeptPictures(Generic[T]):
    """What ``read`` makes of ``total`` pictures, kept as far as 2 GiB reach.

    Pictures that cannot be read are left out with a warning; of those that are read only when they are asked for,
    another takes the place of one.

    Raises:
        DatasetError: none can be read.
    """

    def __init__(
        self, read: Callable[[int], T], total: int, *, bytes_of: Callable[[T], int], what: str, quiet: bool
    ) -> None:
        self._read = read
        self._left_out = LeftOut()
        self._kept: list[T] = []
        self._positions: list[int] = []
        size = 0
        for position in track(range(total), total, f"reading {what}", quiet=quiet):
            if size < _CACHE_BYTES:
                picture = self._left_out.attempt(read, position)
                if picture is None:
                    continue
                self._kept.append(picture)
                size += bytes_of(picture)
            self._positions.append(position)
        self._left_out.say(total)

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, index: int) -> T:
        if index < len(self._kept):
            return self._kept[index]
        return self._left_out.next_readable(lambda at: self._read(self._positions[at]), index, len(self))[1]

    @property
    def all_kept(self) -> bool:
        """Whether no picture has to be read again."""
        return len(self._kept) == len(self)
