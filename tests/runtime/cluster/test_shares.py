"""How pictures are shared among workers, in front of a Ray that does everything at once and in this process."""

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.cluster import ray_workers
from edgevision.runtime.cluster.picture_worker import PictureWorker
from edgevision.runtime.cluster.ray_workers import RayRequest


class DirectRay:
    """A worker whose share holds a picture of ``deadly`` dies over it, each as often as is said there."""

    class exceptions:  # noqa: N801 - as Ray has them
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

    def __init__(self, deadly: dict[int, int] | None = None) -> None:
        self.deadly = deadly or {}
        self.shares: list[list[int]] = []
        self.killed: list[Any] = []

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def remote(self, **needs: Any) -> Any:
        return lambda worker: SimpleNamespace(remote=lambda *arguments: self._Actor(self, worker(*arguments)))

    def wait(self, references: Sequence[Any], num_returns: int, timeout: float | None = None) -> Any:
        return list(references)[:num_returns], list(references)[num_returns:]

    def get(self, reference: Any) -> Any:
        return reference()

    def kill(self, actor: Any) -> None:
        self.killed.append(actor)

    class _Actor:
        def __init__(self, ray: "DirectRay", worker: PictureWorker) -> None:
            self.open = SimpleNamespace(remote=lambda: lambda: worker.open())
            self.do = SimpleNamespace(remote=lambda jobs, again: lambda: self._do(ray, worker, jobs, again))

        @staticmethod
        def _do(ray: "DirectRay", worker: PictureWorker, jobs: Sequence[int], again: bool) -> Any:
            ray.shares.append(list(jobs))
            for job in jobs:
                if ray.deadly.get(job):
                    ray.deadly[job] -= 1
                    raise ray.exceptions.RayError("the worker died")
            return worker.do(jobs, again=again)


class Doubling:
    def __init__(self, seconds: float = 0.0, batch: int = 1) -> None:
        self.seconds, self.batch = seconds, batch

    def open(self) -> Any:
        return nullcontext(SimpleNamespace(metadata=ModelMetadata(task="denoise", name="none"), engine=None))

    def each(self, pipeline: Any, jobs: Sequence[int], *, again: bool) -> Iterator[Any]:
        for job in jobs:
            time.sleep(self.seconds)
            yield job, None, 2 * job


def done(ray: DirectRay, work: Doubling, count: int) -> list[Any]:
    pool = ray_workers._Pool(ray, work, RayRequest(address="local", workers=2))  # type: ignore[arg-type]
    pool.describe()
    found = list(pool.each(range(count)))
    pool.close()
    assert len(ray.killed) == len(pool._actors)
    return found


def test_shares_grow_where_pictures_are_fast_and_shrink_towards_the_end() -> None:
    ray = DirectRay()
    assert done(ray, Doubling(), 1000) == [(job, None, 2 * job) for job in range(1000)]
    sizes = [len(share) for share in ray.shares]
    assert sizes[0] == ray_workers._FIRST_PICTURES
    assert max(sizes) == ray_workers._MOST_PICTURES
    assert sizes[-1] == 1
    assert sum(sizes) == 1000


def test_slow_pictures_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_workers, "_SECONDS_OF_A_SHARE", 0.03)
    ray = DirectRay()
    done(ray, Doubling(seconds=0.02), 64)
    # All that were given before the first came back, and from then on one at a time.
    assert [len(share) for share in ray.shares][2:] == [1] * (len(ray.shares) - 2)


@pytest.mark.parametrize("batch", [1, 4])
def test_what_a_worker_had_that_died_is_done_again_and_one_that_kills_two_is_blamed(batch: int) -> None:
    ray = DirectRay({9: 1, 20: 9})
    found = done(ray, Doubling(batch=batch), 50)
    assert [job for job, _, _ in found] == list(range(50))
    blamed = [job for job, error, _ in found if error is not None]
    assert blamed == ([20] if batch == 1 else [20, 21, 22, 23])
    assert all(result == 2 * job for job, error, result in found if error is None)
    # Batches stay together, whoever does them.
    assert all(share[0] % batch == 0 for share in ray.shares)
