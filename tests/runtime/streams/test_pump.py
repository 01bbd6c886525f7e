"""Frames through queues: all of a file's, the newest of a camera's."""

import itertools
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from edgevision.core.errors import InputError
from edgevision.runtime.streams.frame import Frame, StreamFacts
from edgevision.runtime.streams.inbox import Inbox, StoppedError
from edgevision.runtime.streams.pump import pump

PIXELS = np.zeros((2, 2, 3), np.uint8)


def frame(number, source=0):
    return Frame(PIXELS, number, Fraction(number), time.monotonic(), source)


class Source:
    """Frames without end or up to ``count``; live ones are as fast as they can."""

    def __init__(self, count=None, *, live=False, index=0, error=None):
        self.name, self.live, self.facts = f"source {index}", live, StreamFacts(None, Fraction(1))
        self.count, self.index, self.error, self.closed = count, index, error, threading.Event()

    def frames(self):
        for number in itertools.count() if self.count is None else range(self.count):
            if self.closed.is_set():
                return
            yield frame(number, self.index)
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed.set()


def test_every_frame_of_a_file_is_answered_in_order():
    got = []
    flow = pump([Source(50)], lambda frames: [f.number * 2 for f in frames], lambda a: got.append(a.answer))
    assert got == [2 * number for number in range(50)]
    assert (flow.frames, flow.dropped, flow.failures) == ([50], [0], {})


def test_of_a_live_source_the_newest_wins():
    seen = []

    def answer(frames):
        time.sleep(0.02)
        seen.extend(f.number for f in frames)
        if len(seen) == 5:
            source.close()
        return frames

    source = Source(live=True)
    flow = pump([source], answer, lambda answered: None)
    assert seen == sorted(set(seen))
    assert flow.dropped[0] >= 5
    # What was dropped and what was answered is all that came, but for the one that waited in the end.
    assert 0 <= seen[-1] + 1 - (flow.frames[0] + flow.dropped[0]) <= 1 or flow.frames[0] > 5


def test_several_sources_keep_their_own_frames():
    got = {0: [], 1: []}
    sources = [Source(30, index=0), Source(7, index=1)]
    batches = []

    def answer(frames):
        batches.append(len(frames))
        return [(f.source, f.number) for f in frames]

    pump(sources, answer, lambda a: got[a.frame.source].append(a.answer))
    assert got == {0: [(0, n) for n in range(30)], 1: [(1, n) for n in range(7)]}
    assert set(batches) <= {1, 2}


def test_a_source_that_fails_ends_alone():
    sources = [Source(20, index=0), Source(3, index=1, error=InputError("broken"))]
    flow = pump(sources, lambda frames: frames, lambda answered: None)
    assert flow.frames == [20, 3]
    assert {index: str(error) for index, error in flow.failures.items()} == {1: "broken"}


def test_what_was_answered_is_delivered_before_an_error():
    got = []

    def answer(frames):
        if frames[0].number == 10:
            raise KeyboardInterrupt
        return frames

    with pytest.raises(KeyboardInterrupt):
        pump([Source(100)], answer, lambda a: (time.sleep(0.001), got.append(a.frame.number)))
    assert got == list(range(10))


def test_an_error_of_the_delivery_ends_it():
    def deliver(answered):
        raise OSError("full")

    source = Source(live=True)
    with pytest.raises(OSError, match="full"):
        pump([source], lambda frames: frames, deliver)
    assert source.closed.is_set()
    assert not [t for t in threading.enumerate() if t.name == "deliver" and t.is_alive()]


def test_the_inbox_holds_few_frames():
    inbox = Inbox([False])
    putting = threading.Thread(target=lambda: [inbox.put(frame(number)) for number in range(100)], daemon=True)
    putting.start()
    time.sleep(0.05)
    assert putting.is_alive()
    assert [inbox.take()[0].number for _ in range(100)] == list(range(100))
    putting.join(2)
    inbox.finish(0)
    assert inbox.take() == []
    inbox.stop()
    with pytest.raises(StoppedError):
        inbox.put(frame(0))
