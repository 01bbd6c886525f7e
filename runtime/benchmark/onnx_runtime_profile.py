"""Operator times of an ONNX model by ONNX Runtime's own profiler."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from edgevision.errors import DeviceError
from edgevision.runtime.benchmark.operators import Profiled, Shape, Timed
from edgevision.runtime.benchmark.subject import Subject
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from edgevision.runtime.engines.plugin_engines import PluginEngine

_RUNS = 30
_ENDING = "_kernel_time"
_BYTES = {"float": 4, "float16": 2, "bfloat16": 2, "double": 8, "int64": 8, "uint64": 8, "int32": 4, "uint32": 4}
_BYTES |= {"int16": 2, "uint16": 2}


def profile_onnx_runtime(subject: Subject) -> Profiled:
    """Run the subject's model 30 times with the profiler on."""
    events = _events(subject, _RUNS)
    # What is packed for its kernel in advance is no input any more: its shape is known where that is left off.
    whole = {
        event["name"]: event["args"] for event in _events(subject, 1, "session.disable_prepacking") if _is_node(event)
    }
    durations: dict[str, list[float]] = defaultdict(list)
    details: dict[str, Mapping[str, Any]] = {}
    for event in filter(_is_node, events):
        durations[event["name"]].append(event["dur"])
        details[event["name"]] = event["args"]
    operators = []
    for name, args in details.items():
        shapes = whole.get(name, args)
        operators.append(
            Timed(
                name=name.removesuffix(_ENDING),
                operator=args["op_name"],
                where=args["provider"],
                # The first of them belongs to the warm-up.
                microseconds=float(median(durations[name][1:])),
                inputs=_shapes(shapes["input_type_shape"]),
                outputs=_shapes(shapes["output_type_shape"]),
            )
        )
    session = {event["name"]: event["dur"] / 1000 for event in events if event.get("cat") == "Session"}
    loaded = next((ms for name, ms in session.items() if name.startswith("model_loading")), None)
    return Profiled(_RUNS - 1, loaded, session.get("session_initialization"), operators)


def _events(subject: Subject, runs: int, *switched_on: str) -> list[dict[str, Any]]:
    engine = subject.engine
    if not isinstance(engine, OnnxRuntimeEngine) or isinstance(engine, PluginEngine):
        raise DeviceError(
            f"{engine.provider} is a plug-in, of which ONNX Runtime's profiler sees one node;"
            " leave --profile away for that device"
        )
    with tempfile.TemporaryDirectory() as folder:
        session = engine.open_profiled(str(Path(folder) / "profile"), *switched_on)
        run = denormals_as_zero(session.run)
        for _ in range(runs):
            run(None, subject.feeds)
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return events


def _is_node(event: Mapping[str, Any]) -> bool:
    return event.get("cat") == "Node" and event["name"].endswith(_ENDING)


def _shapes(tensors: list[dict[str, list[int]]]) -> list[tuple[Shape, int]]:
    return [(tuple(shape), _BYTES.get(kind, 1)) for tensor in tensors for kind, shape in tensor.items()]
