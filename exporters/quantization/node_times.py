"""How long each part of a graph takes in ONNX Runtime, by its own profiler: what to try first, not what is reported."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_ir
import onnxruntime

from edgevision.exporters.passes.ir import Array, to_proto
from edgevision.exporters.quantization.units import FOLLOWERS, Unit
from edgevision.runtime.engines.onnx_runtime_library import log_severity

_RUNS = 15
_KERNEL = "_kernel_time"
# Quantising or dequantising a tensor and changing its layout: seen on x86 with 262,144 values and with few.
_CONVERSION_US = 3.0
_CONVERSION_US_PER_BYTE = 0.0002


@dataclass(frozen=True)
class Profile:
    """What int8 saves and costs, in microseconds.

    ``gain`` is what it saves in each unit by name, conversions at the graph's own ends taken off; ``borders`` are pairs
    of units and what converting between them costs where only one of both is int8.
    """

    gain: Mapping[str, float]
    borders: Sequence[tuple[str, str, float]]


def profile(
    model: onnx_ir.Model,
    quantized: onnx.ModelProto,
    units: Sequence[Unit],
    feeds: Mapping[str, Array],
    threads: int | None,
) -> Profile:
    """Compare the float ``model`` with its ``quantized`` form, in which all ``units`` are int8."""
    before = _unit_times(to_proto(model), units, feeds, threads)
    after = _unit_times(quantized, units, feeds, threads)
    gain = {unit.name: before[unit.name][0] - after[unit.name][0] for unit in units}
    makers = {unit.output: unit.name for unit in units}
    producers = {str(value.name): node for node in model.graph for value in node.outputs}
    borders = []
    read_inside: set[str] = set()
    for unit in units:
        for tensor in unit.inputs:
            maker = makers.get(_followed_back(tensor, producers))
            if maker is None:
                gain[unit.name] -= _CONVERSION_US
                continue
            read_inside.add(maker)
            borders.append((maker, unit.name, _conversion(before[maker][1])))
    for unit in units:
        if unit.name not in read_inside:
            gain[unit.name] -= _conversion(before[unit.name][1])
    return Profile(gain, borders)


def expected(
    model: onnx_ir.Model, units: Sequence[Unit], feeds: Mapping[str, Array], threads: int | None, speedup: float
) -> Profile:
    """What int8 would save were every unit ``speedup`` times as fast as in float here: where it cannot be profiled.

    That is another device, or another engine than ONNX Runtime. What takes long in one takes long in all.
    """
    before = _unit_times(to_proto(model), units, feeds, threads)
    return Profile({unit.name: (1 - 1 / speedup) * before[unit.name][0] for unit in units}, ())


def _conversion(size_bytes: float) -> float:
    return _CONVERSION_US + _CONVERSION_US_PER_BYTE * size_bytes


def _followed_back(tensor: str, producers: Mapping[str, onnx_ir.Node]) -> str:
    """The tensor that values come from which are only moved on the way."""
    node = producers.get(tensor)
    while node is not None and node.op_type in FOLLOWERS and node.inputs[0] is not None:
        tensor = str(node.inputs[0].name)
        node = producers.get(tensor)
    return tensor


def _unit_times(
    model: onnx.ModelProto, units: Iterable[Unit], feeds: Mapping[str, Array], threads: int | None
) -> dict[str, tuple[float, float]]:
    """Microseconds of each unit by name, with the conversions right behind it, and the bytes of its output."""
    keys = {key: unit.name for unit in units for key in (*unit.nodes, unit.output)}
    times: dict[str, float] = defaultdict(float)
    sizes: dict[str, float] = defaultdict(float)
    for name, (microseconds, size) in kernel_times(model, feeds, threads).items():
        key = longest_beginning(name, keys)
        if key is not None:
            unit = keys[key]
            times[unit] += microseconds
            sizes[unit] = max(sizes[unit], size)
    return {name: (times[name], sizes[name]) for name in keys.values()}


def longest_beginning(name: str, keys: Iterable[str]) -> str | None:
    """Of the ``keys`` the one that ONNX Runtime made ``name`` of, which it gave to what it fused."""
    found = [key for key in keys if name == key or name.startswith(f"{key}_")]
    return max(found, key=len) if found else None


def kernel_times(
    model: onnx.ModelProto, feeds: Mapping[str, Array], threads: int | None
) -> dict[str, tuple[float, float]]:
    """By the name of each node of the optimised graph: the microseconds of its fastest run and the bytes it gives.

    On a busy machine most runs of a kernel may be interrupted, and the profiler knows the clock only. ONNX Runtime
    names what it fused after a node or a tensor of the original and adds an ending.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = log_severity()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        if threads is not None:
            options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(_RUNS):
            session.run(None, dict(feeds))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    durations: dict[str, list[float]] = defaultdict(list)
    sizes: dict[str, float] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            name = event["name"].removesuffix(_KERNEL)
            durations[name].append(event["dur"])
            sizes[name] = float(event["args"].get("output_size", 0))
    return {name: (min(values), sizes[name]) for name, values in durations.items()}
