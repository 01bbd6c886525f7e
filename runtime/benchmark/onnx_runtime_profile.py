"""Operator times of an ONNX model by ONNX Runtime's own profiler."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from edgevision.core.errors import DeviceError
from edgevision.runtime.benchmark.engine_profile import EngineProfile, OperatorTime, Shape
from edgevision.runtime.benchmark.subject import Subject
from edgevision.runtime.engines.denormals import denormals_as_zero
from edgevision.runtime.engines.onnx_runtime import OnnxRuntimeEngine
from edgevision.runtime.engines.onnx_runtime_plugins import PluginEngine

_RUNS = 30
_ENDING = "_kernel_time"
_BYTES = {"float": 4, "float16": 2, "bfloat16": 2, "double": 8, "int64": 8, "uint64": 8, "int32": 4, "uint32": 4}
_BYTES |= {"int16": 2, "uint16": 2}

_UNPACKED = {"session.disable_prepacking": "1"}
_UNBLOCKED = {"optimization.disable_specified_optimizers": "NchwcTransformer"}
# Channels are blocked by as many floats as a register holds, 16 at most.
_BLOCK = 16

Tensors = list[tuple[Shape, int]]


def profile_onnx_runtime(subject: Subject) -> EngineProfile:
    """Run the subject's model 30 times with the profiler on."""
    events = _events(subject, _RUNS)
    # What is packed for its kernel in advance is no input any more: its shape is known where that is left off.
    whole = {event["name"]: event["args"] for event in _events(subject, 1, _UNPACKED) if _is_node(event)}
    asked = _Asked(_events(subject, 1, _UNPACKED | _UNBLOCKED))
    durations: dict[str, list[float]] = defaultdict(list)
    details: dict[str, Mapping[str, Any]] = {}
    for event in filter(_is_node, events):
        durations[event["name"]].append(event["dur"])
        details[event["name"]] = event["args"]
    operators = []
    for name, args in details.items():
        inputs, outputs = asked.shapes(name, whole.get(name, args))
        operators.append(
            OperatorTime(
                name=name.removesuffix(_ENDING),
                operator=args["op_name"],
                where=args["provider"],
                # The first of them belongs to the warm-up.
                microseconds=float(median(durations[name][1:])),
                inputs=inputs,
                outputs=outputs,
            )
        )
    session = {event["name"]: event["dur"] / 1000 for event in events if event.get("cat") == "Session"}
    loaded = next((ms for name, ms in session.items() if name.startswith("model_loading")), None)
    return EngineProfile(_RUNS - 1, loaded, session.get("session_initialization"), operators)


class _Asked:
    """The shapes that the network asks for, from the events of a session with :data:`_UNBLOCKED`.

    Blocked kernels take channels in eights or sixteens and pad them, weights as well: 24 become 32 on AVX-512.
    """

    def __init__(self, events: Iterable[Mapping[str, Any]]) -> None:
        self._known = {event["name"]: event["args"] for event in events if _is_node(event)}

    def shapes(self, name: str, args: Mapping[str, Any]) -> tuple[Tensors, Tensors]:
        """Inputs and outputs of the next operator of the real session.

        A blocked convolution is called after its output, not after itself. It is the first one left, in the order in
        which they run, whose shapes are padded to its own.
        """
        inputs, outputs = _tensors(args)
        if name.endswith(f"_nchwc{_ENDING}"):
            kinds = (args["op_name"], f"Fused{args['op_name']}")
            alike = (other for other, known in self._known.items() if known["op_name"] in kinds)
        else:
            alike = (other for other in (name,) if other in self._known)
        # Names made up on the way may be another's in a session that was optimised otherwise.
        name = next((n for n in alike if _is_padded(_tensors(self._known[n]), (inputs, outputs))), "")
        found = self._known.pop(name, None)
        if found is None:
            return inputs, outputs
        asked, given = _tensors(found)
        # What is added to a blocked convolution's output by itself is as large as the output.
        added = [given[0] if tensor == outputs[0] else tensor for tensor in inputs[len(asked) :]]
        return [*asked, *added], given


def _is_padded(asked: tuple[Tensors, Tensors], blocked: tuple[Tensors, Tensors]) -> bool:
    """Whether each tensor is the blocked one's but for fewer channels, in its first two dimensions."""
    pairs = [pair for some, others in zip(asked, blocked, strict=True) for pair in zip(some, others, strict=False)]
    return all(
        len(a) == len(b)
        and a[2:] == b[2:]
        and all(0 <= wide - narrow < _BLOCK for narrow, wide in zip(a[:2], b[:2], strict=True))
        for (a, _), (b, _) in pairs
    )


def _events(subject: Subject, runs: int, entries: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    engine = subject.engine
    if not isinstance(engine, OnnxRuntimeEngine) or isinstance(engine, PluginEngine):
        raise DeviceError(
            f"{engine.provider} is a plug-in, of which ONNX Runtime's profiler sees one node;"
            " leave --profile away for that device"
        )
    with tempfile.TemporaryDirectory() as folder:
        session = engine.open_profiled(str(Path(folder) / "profile"), entries or {})
        run = denormals_as_zero(session.run)
        for _ in range(runs):
            run(None, subject.inputs)
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return events


def _is_node(event: Mapping[str, Any]) -> bool:
    return event.get("cat") == "Node" and event["name"].endswith(_ENDING)


def _tensors(args: Mapping[str, Any]) -> tuple[Tensors, Tensors]:
    inputs, outputs = (
        [(tuple(shape), _BYTES.get(kind, 1)) for tensor in args[key] for kind, shape in tensor.items()]
        for key in ("input_type_shape", "output_type_shape")
    )
    return inputs, outputs
