"""How long each part of a graph takes in ONNX Runtime, by its own profiler: what to try first, not what is reported."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median

import onnx
import onnxruntime

from edgevision.exporters.quantization.graph import Array
from edgevision.exporters.quantization.units import Unit

_RUNS = 15
_KERNEL = "_kernel_time"


def unit_times(
    model: onnx.ModelProto, units: Iterable[Unit], feeds: Mapping[str, Array], threads: int | None
) -> dict[str, float]:
    """Microseconds of each unit by name, with the conversions right behind it.

    ONNX Runtime names what it fused after a node or a tensor of the original and adds an ending.
    """
    keys = {key: unit.name for unit in units for key in (*unit.nodes, unit.output)}
    totals: dict[str, float] = defaultdict(float)
    for name, microseconds in _profile(model, feeds, threads).items():
        found = [key for key in keys if name == key or name.startswith(f"{key}_")]
        if found:
            totals[keys[max(found, key=len)]] += microseconds
    return dict(totals)


def _profile(model: onnx.ModelProto, feeds: Mapping[str, Array], threads: int | None) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        if threads is not None:
            options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        for _ in range(_RUNS):
            session.run(None, dict(feeds))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    durations: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_KERNEL):
            durations[event["name"].removesuffix(_KERNEL)].append(event["dur"])
    return {name: median(values) for name, values in durations.items()}
