"""The most that this machine computes and moves: what an operator's speed is compared with.

The peak of computing is that of a product of two large fp32 matrices in the very engine, device and number of threads
of the subject: nothing that an engine runs is nearer to what the machine can do. The peak of moving is that of copying
more than any cache holds, on as many threads. (Williams, Waterman and Patterson, "Roofline", 2009.)
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edgevision.core.machine import usable_cores
from edgevision.core.records import Record, record
from edgevision.runtime.benchmark.subject import Subject
from edgevision.runtime.devices.opening import open_engine

# On a CPU small enough to be repeated until nothing comes between, elsewhere large enough to fill the device.
_SIDE, _SIDE_ELSEWHERE = 512, 4096
_COPIED_BYTES = 128 << 20
_SECONDS = 0.4
_FEWEST = 3


@record
class Peak(Record):
    """``gflops`` of fp32, and ``gb_per_s`` of 10^9 bytes read and written by the CPU; ``None`` for other devices."""

    gflops: float
    gb_per_s: float | None


def measure_peak(subject: Subject) -> Peak:
    """The best of repeated trials within less than a second each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "product.onnx"
        on_cpu = subject.engine.device == "cpu"
        side = _SIDE if on_cpu else _SIDE_ELSEWHERE
        path.write_bytes(product_model(side))
        # Of an ONNX file the word alone would be ONNX Runtime's.
        device = f"openvino:{subject.engine.device}" if is_openvino(subject) else subject.device
        left = {"left": np.full((side, side), 0.5, np.float32)}
        with open_engine(path, device, threads=subject.threads) as engine:
            took = _best_seconds(lambda: engine.run(left))
    copied = _copied_gb_per_s(subject.threads or usable_cores()) if on_cpu else None
    return Peak(gflops=2 * side**3 / took / 1e9, gb_per_s=copied)


def is_openvino(subject: Subject) -> bool:
    """Whether OpenVINO itself runs the subject, from either kind of file."""
    return subject.engine.name.startswith("OpenVINO")


def _copied_gb_per_s(threads: int) -> float:
    source = np.ones((threads, _COPIED_BYTES // threads), np.uint8)
    target = np.empty_like(source)
    with ThreadPoolExecutor(threads) as pool:
        took = _best_seconds(lambda: list(pool.map(np.copyto, target, source)))
    return 2 * source.nbytes / took / 1e9


def _best_seconds(work: Callable[[], object]) -> float:
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _FEWEST or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def product_model(side: int) -> bytes:
    """An ONNX file (opset 13) that multiplies its input ``left`` by a constant matrix, both fp32 of ``side`` squared.

    Written by hand as the protobuf of onnx.proto3, for the device has no onnx package.
    """
    ends = _bytes(1, _number(1, 1) + _bytes(2, 2 * _bytes(1, _number(1, side))))
    weights = np.full((side, side), 0.5, "<f4").tobytes()
    constant = 2 * _number(1, side) + _number(2, 1) + _bytes(8, b"right") + _bytes(9, weights)
    node = _bytes(1, b"left") + _bytes(1, b"right") + _bytes(2, b"product") + _bytes(4, b"MatMul")
    graph = _bytes(1, node) + _bytes(2, b"product") + _bytes(5, constant)
    graph += _bytes(11, _bytes(1, b"left") + _bytes(2, ends)) + _bytes(12, _bytes(1, b"product") + _bytes(2, ends))
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])
