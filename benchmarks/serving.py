"""`edgevision serve` beside the bare pipeline and a naive FastAPI handler, in one run; and what it survives.

    python benchmarks/serving.py [--seconds 1] [--rounds 7]       throughput and latency at 1, 4 and 16 clients
    python benchmarks/serving.py --added 40                       what it adds at one client, in that many paired rounds
    python benchmarks/serving.py --soak 20000                     resident memory over so many requests of mixed sizes
    python benchmarks/serving.py --kill                           kill -9 of a worker under load
    python benchmarks/serving.py --malformed 1000                 damaged uploads: no answer may be a 500

The naive handler is what a page about deployment shows: UploadFile, Pillow, a session, numpy (it needs
python-multipart). All servers run in a process each, the load comes from this one, over connections that are kept, from
pictures of 32 to 480 pixels, in turn. The CPU seconds of a server for a request tell more than throughput does on a
machine that is shared. --first-in-line gives servers and load the processors before all others (Linux, root), as if
they were alone; others then wait, so that rounds are to be short.
"""

import argparse
import asyncio
import io
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
CAT = ROOT / "examples/pictures/cat.jpg"
MODEL = ROOT / "runtime/assets/classify.onnx"
SIDES = (32, 96, 224, 480)
CLIENTS = (1, 4, 16)
PAIRS = 40

Figures = tuple[float, ...]
"""Requests a second; the 10th, 50th and 99th percentile of the latency in ms; CPU ms of the server for a request."""

NAIVE = """
import io, sys
import numpy as np, onnxruntime, uvicorn
from fastapi import FastAPI, File, UploadFile
from PIL import Image

app = FastAPI()
session = onnxruntime.InferenceSession({model!r})
mean = np.array([0.4897, 0.4797, 0.4417], np.float32)
std = np.array([0.244, 0.2425, 0.261], np.float32)
labels = "airplane automobile bird cat deer dog frog horse ship truck".split()

def answer(data):
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    picture = picture.crop((left, top, left + side, top + side)).resize((32, 32), Image.BILINEAR)
    x = ((np.asarray(picture, np.float32) / 255 - mean) / std).transpose(2, 0, 1)[None]
    scores = session.run(None, {{"image": x}})[0][0]
    exp = np.exp(scores - scores.max())
    best = np.argsort(-scores)[:5]
    return {{"predictions": [{{"label": labels[i], "probability": float(exp[i] / exp.sum())}} for i in best]}}

{handler}

uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
"""

# A coroutine that computes, as most are written, and a function, which FastAPI gives a thread of its pool.
HANDLERS = {
    "naive, async def": """
@app.post("/v1/run/classify")
async def classify(image: UploadFile = File(...)):
    return answer(await image.read())
""",
    "naive, def": """
@app.post("/v1/run/classify")
def classify(image: UploadFile = File(...)):
    return answer(image.file.read())
""",
}


@dataclass
class Server:
    """A server's process and port."""

    port: int
    process: "subprocess.Popen[str]"

    def cpu_nanoseconds(self) -> int:
        """What it and the processes that it started have computed, with threads that have ended since."""
        # Linux's number for the clock of a process, which clock_getcpuclockid(3) gives.
        return sum(time.clock_gettime_ns(~pid << 3 | 2) for pid in (self.process.pid, *children(self.process.pid)))

    def resident_mb(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found is not None
        return int(found[1]) / 1024


@dataclass
class Load:
    """What a load saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    broken: int = 0

    def answered(self, status: int, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(seconds)


def children(pid: int) -> list[int]:
    """The processes that a process started, which have not ended."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def started(command: Sequence[str]) -> Iterator[Server]:
    """The server of a command that takes its port as the last word, ready."""
    port = free_port()
    process = subprocess.Popen([*command, str(port)], text=True, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Server(port, process)
    finally:
        process.terminate()
        process.wait(60)


def serve(*options: str) -> list[str]:
    return [sys.executable, "-m", "edgevision", "serve", "classify", "--quiet", *options, "--port"]


def naive(folder: str, name: str) -> list[str]:
    path = Path(folder) / f"{name.replace(' ', '-')}.py"
    path.write_text(NAIVE.format(model=str(MODEL), handler=HANDLERS[name]))
    return [sys.executable, str(path)]


def pictures() -> list[bytes]:
    """Encoded pictures of several sizes."""
    encoded = []
    with Image.open(CAT) as cat:
        for side in SIDES:
            file = io.BytesIO()
            cat.convert("RGB").resize((side, side * 3 // 4)).save(file, "JPEG", quality=90)
            encoded.append(file.getvalue())
    return encoded


def request(picture: bytes) -> bytes:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        + picture
        + b"\r\n--b--\r\n"
    )
    return raw_request(body)


def raw_request(body: bytes, content_type: str = "multipart/form-data; boundary=b", task: str = "classify") -> bytes:
    head = f"POST /v1/run/{task} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def read_reply(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(length[1]) if length else 0)
    return int(head.split(b" ", 2)[1])


async def client(port: int, requests: Sequence[bytes], until: float, most: int, load: Load) -> None:
    """Ask one after the other, over one connection while it lasts."""
    place, connection = random.randrange(len(requests)), None
    while time.monotonic() < until and len(load.latencies) < most:
        began = time.monotonic()
        try:
            if connection is None:
                connection = await asyncio.open_connection("127.0.0.1", port)
            reader, writer = connection
            writer.write(requests[place % len(requests)])
            status = await read_reply(reader)
        except (OSError, EOFError):
            load.broken += 1
            connection = None
            continue
        load.answered(status, time.monotonic() - began)
        place += 1
    if connection is not None:
        connection[1].close()


async def drive(port: int, requests: Sequence[bytes], clients: int, seconds: float, most: int = 1 << 60) -> Load:
    """Load from so many clients at once."""
    load, began = Load(), time.monotonic()
    await asyncio.gather(*(client(port, requests, began + seconds, most, load) for _ in range(clients)))
    load.seconds = time.monotonic() - began
    return load


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def compare(seconds: float, rounds: int) -> None:
    """Throughput and latency of all, interleaved."""
    import edgevision

    encoded = pictures()
    requests = [request(picture) for picture in encoded]
    seen: dict[tuple[int, str], list[Figures]] = {}
    own: list[float] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        pipeline = stack.enter_context(edgevision.load("classify"))
        commands = {name: naive(folder, name) for name in HANDLERS}
        commands |= {"edgevision serve": serve(), "edgevision serve --workers 2": serve("--workers", "2")}
        servers = {name: stack.enter_context(started(command)) for name, command in commands.items()}
        for server in servers.values():
            asyncio.run(drive(server.port, requests, 4, 2.0))
        bare(pipeline, encoded, 1.0)
        for _ in range(rounds):
            seen.setdefault((1, "bare pipeline"), []).append(bare(pipeline, encoded, seconds))
            for clients in CLIENTS:
                for name, server in servers.items():
                    began = time.process_time()
                    figures = loaded(server, requests, clients, seconds)
                    own.append(1e3 * (time.process_time() - began) / (figures[0] * seconds))
                    seen.setdefault((clients, name), []).append(figures)
    columns = "".join(f"{f'beside {name[7:]}':>18}" for name in HANDLERS)
    print(f"{'':<30} clients  requests/s   p10 ms   p50 ms   p99 ms  CPU ms/request{columns}")
    for (clients, name), runs in sorted(seen.items()):
        rate, p10, p50, p99, cpu = medians(runs)
        beside = "" if name == "bare pipeline" else "".join(compared(runs, seen[clients, other]) for other in HANDLERS)
        print(f"{name:<30} {clients:>7}  {rate:>10.1f}  {p10:>7.2f}  {p50:>7.2f}  {p99:>7.2f}  {cpu:>14.2f}{beside}")
    print(
        f"medians of {rounds} rounds; beside a naive handler: how many times as many requests, and for how many times"
        f" less CPU time, in the same round; the load itself takes {statistics.median(own):.2f} ms of CPU a request"
    )


def loaded(server: Server, requests: Sequence[bytes], clients: int, seconds: float) -> Figures:
    """What a server does under that load."""
    before = server.cpu_nanoseconds()
    load = asyncio.run(drive(server.port, requests, clients, seconds))
    count = len(load.latencies)
    assert set(load.statuses) == {200}, load.statuses
    shares = [1e3 * percentile(load.latencies, share) for share in (0.1, 0.5, 0.99)]
    return count / load.seconds, *shares, (server.cpu_nanoseconds() - before) / 1e6 / count


def medians(rows: Iterable[Sequence[float]]) -> tuple[float, ...]:
    return tuple(statistics.median(column) for column in zip(*rows, strict=True))


def compared(runs: Sequence[Figures], others: Sequence[Figures]) -> str:
    """How often as many requests as another in the same round, and for how often less CPU time."""
    rate, cpu = medians((run[0] / other[0], other[-1] / run[-1]) for run, other in zip(runs, others, strict=True))
    return f"{f'{rate:.2f}, {cpu:.2f}':>18}"


def bare(pipeline: object, encoded: Sequence[bytes], seconds: float) -> Figures:
    latencies: list[float] = []
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < began + seconds:
        start = time.monotonic()
        pipeline(encoded[len(latencies) % len(encoded)])  # type: ignore[operator]
        latencies.append(time.monotonic() - start)
    count, passed = len(latencies), time.monotonic() - began
    cpu = time.process_time() - cpu
    shares = [1e3 * percentile(latencies, share) for share in (0.1, 0.5, 0.99)]
    return count / passed, *shares, 1e3 * cpu / count


def added(rounds: int) -> None:
    """What one client waits longer than for the bare pipeline: both are asked in turn, in the same second."""
    import edgevision

    encoded = pictures()
    requests = [request(picture) for picture in encoded]
    waits: list[tuple[float, float]] = []
    costs: list[tuple[float, float]] = []
    with edgevision.load("classify", threads=1) as pipeline, started(serve()) as server:
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb")
        for number in range(rounds + 1):
            begun, own = server.cpu_nanoseconds(), 0
            for place in range(PAIRS):
                start, before = time.perf_counter(), time.process_time_ns()
                pipeline(encoded[place % len(encoded)])
                bare, own = time.perf_counter() - start, own + time.process_time_ns() - before
                start = time.perf_counter()
                connection.sendall(requests[place % len(requests)])
                read_blocking(reader)
                if number:
                    waits.append((bare, time.perf_counter() - start))
            # The first round is the warm-up.
            if number:
                costs.append((own / PAIRS / 1e9, (server.cpu_nanoseconds() - begun) / PAIRS / 1e9))
        reader.close()
        connection.close()
    print(f"{'ms a request':<22}    bare   serve   added   (bare pipeline on one thread, {len(waits)} pairs)")
    for name, pairs in (("CPU of the program", costs), ("until the answer", waits)):
        for kind, choose in (("median", statistics.median), ("least", min)):
            bare, served = (1e3 * choose(values) for values in zip(*pairs, strict=True))
            print(f"{name + ', ' + kind:<26}{bare:6.2f}  {served:6.2f}  {served - bare:6.2f}")
    paired = sorted(1e3 * (served - bare) for bare, served in waits)
    print(
        f"difference of a pair, median {statistics.median(paired):.2f}, half of them {paired[len(paired) // 4]:.2f} to "
        f"{paired[3 * len(paired) // 4]:.2f}"
    )


def read_blocking(reader: "io.BufferedReader") -> None:
    """Read the next answer to its end; it has to be one."""
    status, length = reader.readline().split(b" ", 2)[1], 0
    while (line := reader.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    reader.read(length)
    assert status == b"200", status


def soak(count: int) -> None:
    """Resident memory, ten times on the way."""
    random.seed(0)
    sides = [random.randrange(16, 640) for _ in range(60)]
    encoded = []
    with Image.open(CAT) as cat:
        for side in sides:
            file = io.BytesIO()
            cat.convert("RGB").resize((side, max(16, side * 3 // 4))).save(file, random.choice(["JPEG", "PNG", "WEBP"]))
            encoded.append(request(file.getvalue()))
    with started(serve()) as server:
        resident = []
        for step in range(11):
            load = asyncio.run(drive(server.port, encoded, 8, 1e9, count // 10))
            resident.append(server.resident_mb())
            print(f"{(step + 1) * count // 10:>8} requests  {resident[-1]:8.1f} MB  {load.statuses}", flush=True)
        # The first tenth is the warm-up.
        places = [step * count / 10_000 for step in range(len(resident) - 1)]
        slope = statistics.linear_regression(places, resident[1:]).slope
        print(f"slope after the warm-up: {slope:+.3f} MB per 1000 requests")


def kill() -> None:
    """What clients see while a worker is killed, and whether it is replaced."""
    requests = [request(picture) for picture in pictures()]

    async def watch(server: Server) -> Load:
        driving = asyncio.create_task(drive(server.port, requests, 8, 12.0))
        await asyncio.sleep(3)
        victim = workers(server.process.pid)[0]
        os.kill(victim, signal.SIGKILL)
        print(f"killed worker {victim} after 3 s")
        await asyncio.sleep(0.5)
        alone = await drive(server.port, requests, 1, 1.0)
        print(f"in the second after it: {alone.statuses}, {alone.broken} connections broken")
        return await driving

    with started(serve("--workers", "2")) as server:
        while len(workers(server.process.pid)) < 2:
            time.sleep(0.2)
        while len(asyncio.run(drive(server.port, requests, 8, 2.0)).latencies) < 40:
            pass
        load = asyncio.run(watch(server))
        print(f"in 12 s: {load.statuses}, {load.broken} of 8 clients' connections broken by the kill")
        print(f"workers at the end: {len(workers(server.process.pid))}")


def workers(pid: int) -> list[int]:
    """The workers among a server's processes; the other keeps track of what spawned ones share."""
    return [child for child in children(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def malformed(count: int) -> None:
    """Forms and pictures that are cut off, exchanged and overwritten."""
    random.seed(1)
    encoded = pictures()
    whole = [request(picture).partition(b"\r\n\r\n")[2] for picture in encoded]

    def damaged() -> bytes:
        body = bytearray(random.choice(whole))
        kind = random.randrange(6)
        if kind == 0:
            body = body[: random.randrange(len(body))]
        elif kind == 1:
            for _ in range(random.randrange(1, 40)):
                body[random.randrange(len(body))] = random.randrange(256)
        elif kind == 2:
            del body[random.randrange(len(body)) :: random.randrange(2, 50)]
        elif kind == 3:
            body = bytearray(random.randbytes(random.randrange(2000)))
        elif kind == 4:
            body = bytearray(body.replace(b"image", random.choice([b"mask", b"", b'"', b"\0"]), 1))
        else:
            start = body.find(b"\r\n\r\n") + 4
            body[start : start + 64] = random.randbytes(64)
        types = ["multipart/form-data; boundary=b"] * 8 + [
            "multipart/form-data",
            "image/jpeg",
            "multipart/form-data; boundary=c",
        ]
        tasks = ["classify"] * 6 + ["inpaint", "nothing"]
        return raw_request(bytes(body), random.choice(types), random.choice(tasks))

    with started(serve()) as server:
        load = asyncio.run(drive(server.port, [damaged() for _ in range(count)], 4, 600, count))
        print(f"{count} malformed uploads: {dict(sorted(load.statuses.items()))}, {load.broken} connections broken")
        after = asyncio.run(drive(server.port, [request(encoded[0])], 1, 1.0))
        print(f"afterwards: {after.statuses}")
        if any(status >= 500 for status in load.statuses):
            raise SystemExit("a 500 was among them")


def main() -> None:
    """Read the arguments and run what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--first-in-line", action="store_true")
    parser.add_argument("--added", type=int)
    parser.add_argument("--soak", type=int)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--malformed", type=int)
    arguments = parser.parse_args()
    if arguments.first_in_line:
        # What this starts has it from here.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    if arguments.added:
        added(arguments.added)
    elif arguments.soak:
        soak(arguments.soak)
    elif arguments.kill:
        kill()
    elif arguments.malformed:
        malformed(arguments.malformed)
    else:
        compare(arguments.seconds, arguments.rounds)


if __name__ == "__main__":
    main()
