"""A folder in one process and over the workers of a Ray cluster on this machine: the same answers, in what time.

    python benchmarks/many_workers.py photos --task detect --rounds 3
    python benchmarks/many_workers.py photos --task denoise --break

The first measures, round after round in turn, one process with one thread, one worker and two, on a cluster that runs
already; and each once with a single picture, which is what starting costs: the rest is what grows with the pictures.
CPU time is of the command and the workers, and beside it of Ray's services, which take some as long as they run. On a
machine that others use, too, the elapsed times say little; what two free cores can do at best is seen in the CPU times:
a run is as long as its busiest process, or as all of them divided by the cores.

With ``--break`` it runs over four workers on two nodes, kills a worker with SIGKILL in the middle and then takes a node
away, and compares every file with those of one process, byte for byte.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple, Self

import psutil

CORES = 2

PICTURE_OUTPUT = ("denoise", "brighten", "colorize", "upscale", "inpaint", "stylize")


class Cost(NamedTuple):
    """What a run took, in seconds, and what it gave, by name.

    ``cpu`` is of the command and its workers, ``busiest`` of that one of them that took most, and ``services`` of Ray.
    """

    elapsed: float
    cpu: float
    busiest: float
    services: float
    results: dict[str, bytes]

    @property
    def at_best(self) -> float:
        """How long it takes where nothing else runs on the cores."""
        return max(self.busiest, (self.cpu + self.services) / CORES)


class CpuSampler:
    """CPU seconds of every process below this one during a block; Ray ends workers so that nobody hears of theirs."""

    def __enter__(self) -> Self:
        self._before, self._latest = cpu_times(), cpu_times()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *of_an_error: object) -> None:
        self._end.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._end.wait(0.1):
            self._latest |= cpu_times()

    def seconds(self, *, services: bool) -> list[float]:
        """Of each process, at most 0.1 s short where it has ended; of Ray's services, or of all that is none."""
        return [
            used.seconds - (self._before[process].seconds if process in self._before else 0)
            for process, used in self._latest.items()
            if used.is_service == services
        ]


class Used(NamedTuple):
    """By one process."""

    seconds: float
    is_service: bool


def cpu_times() -> dict[int, Used]:
    """What each process below this one has used so far, but for those that just end."""
    times: dict[int, Used] = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            used, line = process.cpu_times(), " ".join(process.cmdline())
            times[process.pid] = Used(used.user + used.system, "/ray/" in line and not line.startswith("ray::"))
    return times


def run(task: str, pictures: Path, *options: str) -> Cost:
    """Run the verb on a folder; the results are its files, or what it prints."""
    with tempfile.TemporaryDirectory() as temporary:
        output = ("-o", f"{temporary}/") if task in PICTURE_OUTPUT else ("--csv",)
        words = [sys.executable, "-m", "edgevision", "run", task, str(pictures), *output, "--quiet", *options]
        started = time.perf_counter()
        with CpuSampler() as sampler:
            done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        elapsed = time.perf_counter() - started
        ours, services = sampler.seconds(services=False), sampler.seconds(services=True)
        if task not in PICTURE_OUTPUT:
            results = {"answers": done.stdout}
        else:
            files = (path for path in Path(temporary).rglob("*") if path.is_file())
            results = {str(path.relative_to(temporary)): path.read_bytes() for path in files}
        return Cost(elapsed, sum(ours), max(ours), sum(services), results)


def measure(task: str, pictures: Path, rounds: int, address: str) -> None:
    """Print what one process, one worker and two workers take."""
    kinds = {
        "one process": ("--threads", "1"),
        "one worker": ("--ray", address, "--ray-workers", "1"),
        "two workers": ("--ray", address, "--ray-workers", "2"),
    }
    costs: dict[str, list[Cost]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind, options in kinds.items():
            cost = run(task, pictures, *options)
            costs[kind].append(cost)
            cpu = f"CPU {cost.cpu:.1f} s, busiest process {cost.busiest:.1f} s, Ray's services {cost.services:.1f} s"
            print(f"round {number + 1}, {kind}: {cost.elapsed:.1f} s; {cpu}", flush=True)
    with tempfile.TemporaryDirectory() as single:
        first = min(path for path in pictures.rglob("*") if path.is_file())
        shutil.copy(first, single)
        starts = {kind: run(task, Path(single), *options) for kind, options in kinds.items()}
    for kind, start in starts.items():
        print(f"a single picture, {kind}: {start.elapsed:.1f} s, CPU {start.cpu:.1f} s")
    alone = costs["one process"]
    for kind in ("one worker", "two workers"):
        equal = all(cost.results == alone[0].results for cost in costs[kind])
        print(f"{kind}: {'equal to one process' if equal else 'NOT EQUAL to one process'}")
        for what in ("elapsed", "cpu", "at_best"):
            pairs = [(getattr(one, what), getattr(other, what)) for one, other in zip(alone, costs[kind], strict=True)]
            ratios = [one / other for one, other in pairs]
            starting = getattr(starts["one process"], what), getattr(starts[kind], what)
            beyond = median((one - starting[0]) / (other - starting[1]) for one, other in pairs)
            spread = f"({min(ratios):.3f} to {max(ratios):.3f})"
            print(f"  {what}: one process / {kind} = {median(ratios):.3f} {spread}, without starting {beyond:.3f}")


def break_things(task: str, pictures: Path) -> None:
    """Kill a worker and remove a node while four workers on two nodes are at it."""
    from ray.cluster_utils import Cluster

    alone = run(task, pictures, "--threads", "1")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    second = cluster.add_node(num_cpus=2)
    cluster.wait_for_nodes()
    happened: list[str] = []

    def breaking() -> None:
        workers: list[psutil.Process] = []
        while len(workers) < 4:
            time.sleep(0.2)
            workers = [one for one in psutil.Process().children(recursive=True) if is_worker(one)]
        time.sleep(alone.elapsed / 8)
        workers[0].send_signal(signal.SIGKILL)
        happened.append("a worker was killed")
        time.sleep(alone.elapsed / 8)
        cluster.remove_node(second, allow_graceful=False)
        happened.append("a node was removed")

    breaker = threading.Thread(target=breaking)
    breaker.start()
    many = run(task, pictures, "--ray", cluster.address, "--ray-workers", "4")
    breaker.join()
    cluster.shutdown()
    equal = "equal, byte for byte," if many.results == alone.results else "NOT EQUAL"
    print(f"{' and '.join(happened)}: {len(many.results)} results are {equal} to those of one process")


def is_worker(process: psutil.Process) -> bool:
    """Whether a process does pictures."""
    try:
        return "PictureWorker" in " ".join(process.cmdline()[:1])
    except psutil.Error:
        return False


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--task", default="detect")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--break", dest="breaks", action="store_true")
    arguments = parser.parse_args()
    # Ray's workers give way to everything else on a machine; the processes that they are compared with do not.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - Ray's own spelling
    if arguments.breaks:
        break_things(arguments.task, arguments.pictures)
        return
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": CORES})
    measure(arguments.task, arguments.pictures, arguments.rounds, cluster.address)
    cluster.shutdown()


if __name__ == "__main__":
    main()
