"""What is answered together, what is not waited for, and what nobody wants any more."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edgevision.runtime.serving.refusals import RefusalError
from edgevision.runtime.serving.request_queue import Admission, RequestQueue, Waiting
from edgevision.runtime.tasks.served import Inputs


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def waiting(loop: asyncio.AbstractEventLoop, group: str = "a", seconds: float = 60) -> Waiting:
    return Waiting(
        inputs=Inputs({}),
        values={},
        group=group,
        kind=None,
        document=True,
        deadline=time.monotonic() + seconds,
        loop=loop,
        future=loop.create_future(),
    )


def queue_of(largest: int = 8, longest_wait: float = 0.0, coming: Any = lambda: 0) -> RequestQueue:
    queue = RequestQueue(longest_wait=longest_wait, coming=coming)
    queue.largest_batch = largest
    return queue


def test_requests_of_one_group_come_together_in_powers_of_two_and_in_their_order(loop):
    queue = queue_of()
    requests = [waiting(loop, group) for group in "aabaaba"]
    for request in requests:
        queue.put(request)
    a = [requests[i] for i in (0, 1, 3, 4, 6)]
    b = [requests[i] for i in (2, 5)]
    assert [queue.take() for _ in range(3)] == [a[:4], b, a[4:]]
    assert len(queue) == 0


def test_a_network_that_answers_only_one_gets_one(loop):
    queue = queue_of(largest=1)
    requests = [waiting(loop) for _ in range(3)]
    for request in requests:
        queue.put(request)
    assert [queue.take() for _ in range(3)] == [[request] for request in requests]


def test_who_is_alone_does_not_wait_and_who_is_not_waits_for_the_others(loop):
    queue = queue_of(longest_wait=60)
    first = waiting(loop)
    queue.put(first)
    assert queue.take() == [first]
    coming = [1]
    queue = queue_of(longest_wait=60, coming=lambda: coming[0])
    second = waiting(loop)
    queue.put(first)

    def come() -> None:
        coming[0] = 0
        queue.put(second)

    later = threading.Timer(0.05, come)
    later.start()
    assert queue.take() == [first, second]
    later.join()


def test_what_does_not_come_is_waited_for_only_so_long(loop):
    queue = queue_of(longest_wait=0.02, coming=lambda: 1)
    request = waiting(loop)
    queue.put(request)
    assert queue.take() == [request]


def test_what_nobody_waits_for_is_not_handed_out(loop):
    queue = queue_of()
    gone, late, wanted = waiting(loop), waiting(loop, seconds=-1), waiting(loop)
    gone.cancelled.set()
    for request in (gone, late, wanted):
        queue.put(request)
    assert queue.take() == [wanted]


def test_a_closed_queue_hands_out_what_waits_and_takes_no_more(loop):
    queue = queue_of()
    request = waiting(loop)
    queue.put(request)
    queue.close()
    with pytest.raises(RefusalError, match="about to end") as refused:
        queue.put(waiting(loop))
    assert refused.value.status == 503
    assert queue.take() == [request]
    assert queue.take() == []


def test_who_finds_no_room_is_told_when_there_may_be(loop):
    admission = Admission(2)
    for _ in range(60):
        admission.took(3.0)
    admission.enter()
    admission.enter()
    with pytest.raises(RefusalError) as refused:
        admission.enter()
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "6"})
    admission.leave()
    admission.enter()
