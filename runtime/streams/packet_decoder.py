"""Packets to pictures, each with the time at which it came."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from edgevision.core.errors import InputError
from edgevision.runtime.streams.decoding import translated_video_errors

if TYPE_CHECKING:
    import av

_WAITING = 64
"""Packets at most that wait for their pictures; one that never gave any is forgotten."""


class Decoded(NamedTuple):
    """A picture, and when what it was decoded from came, on :func:`time.monotonic`'s clock."""

    picture: "av.VideoFrame"
    arrived: float


class PacketDecoder:
    """The pictures of a container in the order in which they are shown; what is damaged is passed over.

    Attributes:
        damaged: how many packets could not be decoded so far.
    """

    def __init__(
        self, container: "av.container.InputContainer", stream: "av.VideoStream", name: str, *, live: bool = False
    ) -> None:
        """Decode ``stream`` of ``container``.

        A picture of a ``live`` stream arrived with its own packet, however many more it took to decode it. One of a
        file, which is read no sooner than it is wanted, did with the packet behind which it could be shown.
        """
        self._container, self._stream, self._name, self._live = container, stream, name, live
        self.damaged = 0

    def pictures(self, patience: float | None = None) -> Iterator[Decoded]:
        """All of them.

        Args:
            patience: for how many seconds what comes may be damaged, with no picture between; without end if ``None``.

        Raises:
            InputError: the container cannot be read on, or nothing of it could be decoded for so long.
        """
        arrivals: dict[int | None, float] = {}
        last = time.monotonic()
        for packet in self._packets():
            came = time.monotonic()
            if len(arrivals) >= _WAITING:
                arrivals.clear()
            arrivals[packet.pts] = came
            for picture in self._pictures_of(packet):
                own = arrivals.pop(picture.pts, came)
                yield Decoded(picture, own if self._live else came)
                last = time.monotonic()
            if patience is not None and self.damaged and time.monotonic() - last > patience:
                raise InputError(f"{self._name!r} sends what cannot be decoded")

    def _packets(self) -> "Iterator[av.Packet[Any]]":
        with translated_video_errors(self._name):
            yield from self._container.demux(self._stream)

    def _pictures_of(self, packet: "av.Packet[Any]") -> "list[av.VideoFrame]":
        try:
            with translated_video_errors(self._name):
                return list(packet.decode())
        except InputError:
            self.damaged += 1
            return []
