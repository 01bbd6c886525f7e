"""A verb's work on a Ray cluster: one warm pipeline a worker, a few pictures at a time, none lost and none done twice.

Pictures travel by their paths, so that Ray's object store holds little however many there are: a worker gets the next
few when it has done those before. What a worker had that died is given to another.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from edgevision.core.errors import DeviceError, EdgevisionError, EngineCrashError, InputError
from edgevision.core.extras import requires_extra
from edgevision.core.machine import usable_cores
from edgevision.core.printable import shortened
from edgevision.runtime.cluster.picture_work import Done, OpenedWork, PictureWork, PipelineDescription
from edgevision.runtime.cluster.picture_worker import PictureWorker, Surroundings
from edgevision.runtime.files.batch import raise_missing_extra

_log = logging.getLogger(__name__)

LOCAL = "local"
"""Instead of an address: a cluster of this machine alone, for this call."""
_AUTO = "auto"

_SECONDS_OF_A_SHARE = 0.25
"""A worker is given what it does in so long: what it costs to ask for more is small beside it, and little is lost."""
_FIRST_PICTURES, _MOST_PICTURES = 8, 64
"""Before anything of that is known, and at most."""
_SHARES = 4
"""Of what is left each worker gets such a part at most, so that all end at about the same time."""
_MOST_DEATHS = 2
"""Of workers over one picture, and over the opening of the model: then it is to blame."""
_OBJECT_STORE_BYTES = 128 << 20
_SECONDS_TO_CONNECT = 10
_HTTP2_SETTINGS = bytes.fromhex("000000 04 00 00000000")
_HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _HTTP2_SETTINGS
"""What gRPC, by which Ray is spoken to, begins with on both sides."""


@dataclass(frozen=True, kw_only=True)
class RayRequest:
    """Where the workers are and what each of them takes.

    Attributes:
        address: of the cluster, as ``10.0.0.1:6379``, or ``auto`` or ``local``.
        workers: how many; ``None`` for as many as there is room for.
        threads: CPU threads of each, which are as many of Ray's CPUs.
        gpus: of each.
        resources: others of each, by the names that the cluster has for them.
    """

    address: str
    workers: int | None = None
    threads: int = 1
    gpus: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_worker(self) -> dict[str, float]:
        """By Ray's names."""
        return {"CPU": float(self.threads)} | ({"GPU": float(self.gpus)} if self.gpus else {}) | dict(self.resources)


@dataclass
class _Share:
    """Some pictures, of which the first is the ``first`` of all; ``deaths`` of workers that had nothing else."""

    first: int
    jobs: Sequence[Any]
    again: bool = False
    deaths: int = 0


@contextmanager
def ray_workers(work: PictureWork, request: RayRequest) -> Iterator[OpenedWork]:
    """Do the work there.

    Raises:
        MissingExtraError, DeviceError: as :func:`ray_cluster`.
        EngineCrashError: the workers die while they open the model.
        EdgevisionError: what the work itself raises.
    """
    with ray_cluster(request) as ray:
        pool = _Pool(ray, work, request)
        try:
            yield OpenedWork(pool.describe(), pool.each, pool.workers)
        finally:
            pool.close()


@contextmanager
def ray_cluster(request: RayRequest) -> Iterator[Any]:
    """Ray, joined to the cluster: what is wrong with the request is said before anything is done for it.

    Raises:
        MissingExtraError: Ray is not installed.
        DeviceError: no cluster answers, or it has no room for the workers.
    """
    # Nothing is sent to Ray's makers, and a worker without GPUs is not told of any.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with requires_extra("ray"):
        import ray
    with connected(ray, request):
        _room(ray, request)
        yield ray


@contextmanager
def connected(ray: Any, request: RayRequest) -> Iterator[None]:
    """Join the cluster, or start one of this machine, unless this process is in one already."""
    if ray.is_initialized():  # by the program that calls this one
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if request.address == LOCAL:
            workers = request.workers or max(usable_cores() // request.threads, 1)
            rest = {name: amount * workers for name, amount in request.resources.items()}
            cores = max(usable_cores(), workers * request.threads)
            # Without an address it would join what RAY_ADDRESS or an earlier ray start names.
            ray.init(LOCAL, num_cpus=cores, resources=rest, object_store_memory=_OBJECT_STORE_BYTES, **quiet)
        else:
            _check_answers(request.address)
            del quiet["include_dashboard"]
            ray.init(address=request.address, **quiet)
    except Exception as error:  # on a machine too busy to start it, a plain one
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DeviceError(
            f"no Ray cluster answers at {request.address!r}: {reason}; start one with ray start --head, or use"
            f" --ray {LOCAL}"
        ) from error
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray's own would not let anything be finished
    # Ray has no public way to keep what it says of dead workers from standard output, which is for results.
    ray._private.worker._worker_logs_enabled = False
    try:
        yield
    finally:
        ray.shutdown()


def check_address(address: str) -> None:
    """Raise :class:`InputError` where no cluster can be meant by it."""
    with suppress(ValueError):  # of a port that is no number
        place = urlsplit(address if "://" in address else f"//{address}")
        if address in (LOCAL, _AUTO) or (place.hostname and place.port):
            return
    raise InputError(f"--ray says where: {LOCAL}, {_AUTO} or an address, as 10.0.0.1:6379, not {shortened(address)}")


def _check_answers(address: str) -> None:
    """Raise :class:`OSError` where nothing listens, or something else than Ray, for which Ray itself waits minutes."""
    if address == _AUTO:
        return
    place = urlsplit(address if "://" in address else f"//{address}")
    with socket.create_connection((place.hostname, place.port), _SECONDS_TO_CONNECT) as connection:
        if os.environ.get("RAY_USE_TLS", "0") == "0":
            connection.sendall(_HTTP2_GREETING)
            answer = connection.recv(len(_HTTP2_SETTINGS))
            # Length and type of the first frame, RFC 9113, 3.4 and 4.1.
            if answer[3:4] != _HTTP2_SETTINGS[3:4]:
                raise OSError("what listens there is not Ray")


class _Pool:
    """The ``workers``, as many as there are to be, and which of them does what."""

    def __init__(self, ray: Any, work: PictureWork, request: RayRequest) -> None:
        self._ray, self._work, self._request = ray, work, request
        self._surroundings = Surroundings()
        self.workers = _room(ray, request)
        self._actors: list[Any] = []
        self._opening: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[Any, _Share, float]] = {}
        self._pictures = _FIRST_PICTURES
        self._deaths_while_opening = 0

    def describe(self) -> PipelineDescription:
        """Start the workers, or where nobody said how many the first of them, and wait for what it says of its
        pipeline."""
        for _ in range(self._request.workers or 1):
            self._start_worker()
        while True:
            description = self._take(next(iter(self._opening)))
            if description is not None:
                return description

    def each(self, jobs: Sequence[Any]) -> Iterator[Done]:
        """Yield the jobs in order, each when it and all before are done."""
        first, returned = 0, deque[_Share]()
        while len(self._actors) < min(self.workers, -(-len(jobs) // self._work.batch)):
            self._start_worker()
        done: dict[int, tuple[Exception | None, Any]] = {}
        errors: list[Exception | None] = []
        for number, job in zip(count(), jobs, strict=False):
            while number not in done:
                while self._idle and (returned or first < len(jobs)):
                    share = returned.popleft() if returned else self._share(jobs, first)
                    first = max(first, share.first + len(share.jobs))
                    self._give(self._idle.pop(), share)
                (ready,), _ = self._ray.wait([*self._running, *self._opening], num_returns=1)
                if ready in self._opening:
                    self._take(ready)
                else:
                    self._collect(ready, done, returned)
            error, result = done.pop(number)
            errors.append(error)
            yield job, error, result
        raise_missing_extra(errors)

    def close(self) -> None:
        """End the workers; what they are writing is finished first, unless that takes long."""
        if self._running:
            self._ray.wait([*self._running], num_returns=len(self._running), timeout=_SECONDS_TO_CONNECT)
        for actor in self._actors:
            self._ray.kill(actor)

    def _share(self, jobs: Sequence[Any], first: int) -> _Share:
        batch = self._work.batch
        pictures = min(self._pictures, (len(jobs) - first) // (_SHARES * self.workers))
        size = batch * max(pictures // batch, 1)
        return _Share(first, jobs[first : first + size])

    def _start_worker(self) -> None:
        request = self._request
        remote = self._ray.remote(
            num_cpus=request.threads, num_gpus=request.gpus, resources=dict(request.resources), max_restarts=0
        )
        actor = remote(PictureWorker).remote(self._work, self._surroundings)
        self._actors.append(actor)
        self._opening[actor.open.remote()] = actor

    def _take(self, opened: Any) -> PipelineDescription | None:
        """A worker that is open; ``None`` where it died and another is on its way."""
        actor = self._opening.pop(opened)
        answer = self._answer(opened)
        if answer is None:
            self._deaths_while_opening += 1
            if self._deaths_while_opening >= _MOST_DEATHS:
                raise EngineCrashError(
                    "workers die while they open the model; run one picture without --ray, which says more"
                )
            self._replace(actor)
            return None
        self._idle.append(actor)
        description: PipelineDescription = answer
        return description

    def _give(self, actor: Any, share: _Share) -> None:
        self._running[actor.do.remote(share.jobs, again=share.again)] = actor, share, time.monotonic()

    def _collect(self, ready: Any, done: dict[int, tuple[Exception | None, Any]], returned: deque[_Share]) -> None:
        actor, share, given = self._running.pop(ready)
        answer = self._answer(ready)
        if answer is not None:
            self._idle.append(actor)
            seconds = max(time.monotonic() - given, 1e-6) / len(share.jobs)
            self._pictures = max(min(int(_SECONDS_OF_A_SHARE / seconds), _MOST_PICTURES), 1)
            done.update(zip(count(share.first), answer, strict=False))
            return
        self._replace(actor)
        alone = len(share.jobs) <= self._work.batch
        deaths = share.deaths + alone
        if deaths == _MOST_DEATHS:
            blame = EngineCrashError(f"{deaths} workers died over it, one after the other")
            done.update({share.first + number: (blame, None) for number in range(len(share.jobs))})
            return
        _log.warning("a worker died; what it had (%d) is given to another", len(share.jobs))
        size = self._work.batch
        for start in reversed(range(0, len(share.jobs), size)):
            part = share.jobs[start : start + size]
            returned.appendleft(_Share(share.first + start, part, again=True, deaths=deaths))

    def _answer(self, reference: Any) -> Any:
        """What a worker answered; ``None`` where it, or its node, died."""
        try:
            answer = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError:  # a fault of ours, in the worker
            raise
        except self._ray.exceptions.RayError:
            return None
        if isinstance(answer, EdgevisionError):
            raise answer
        return answer

    def _replace(self, dead: Any) -> None:
        self._actors.remove(dead)
        self._start_worker()


def _room(ray: Any, request: RayRequest) -> int:
    """How many workers there are to be; :class:`DeviceError` where the cluster has no room for them."""
    total, needed = ray.cluster_resources(), request.per_worker
    room = min(int(total.get(name, 0) // amount) for name, amount in needed.items())
    workers = room if request.workers is None else request.workers
    if workers > room or not workers:
        wanted = ", ".join(f"{name} {amount * max(workers, 1):g}" for name, amount in needed.items())
        there = ", ".join(f"{name} {total.get(name, 0):g}" for name in needed)
        raise DeviceError(
            f"{max(workers, 1)} workers take {wanted}, and the cluster has {there}; lower --ray-workers or --threads,"
            " or add nodes"
        )
    return workers
