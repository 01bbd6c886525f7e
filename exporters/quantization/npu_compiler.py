"""Whether the compiler of the NPU that a model is made for takes it, where that or its simulator is installed."""

import logging
import tempfile
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx.helper import make_tensor_value_info

from edgevision.core.errors import CompilationError, DeviceError
from edgevision.exporters.quantization.targets import Target
from edgevision.runtime.devices.availability import unavailable_reason
from edgevision.runtime.devices.backends import find_backends
from edgevision.runtime.devices.opening import open_engine

_log = logging.getLogger(__name__)

# What belongs to the operator that gives its input: an int8 convolution cut off before its Relu would be one that gives
# float.
_FOLLOWING = ("QuantizeLinear", "DequantizeLinear", "Clip", "Relu")


def check_compiles(model: onnx.ModelProto, target: Target) -> None:
    """Raise :class:`.CompilationError` with the operator that the compiler of ``target`` refuses, if it does.

    Nothing is asked where the target has none that is installed here.
    """
    device = target.compiler
    if device is None:
        return
    (backend,), index = find_backends(device)
    if unavailable_reason(backend, index, simulators=True) is not None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"

        def refusal(part: onnx.ModelProto) -> str | None:
            onnx.save(part, path)
            try:
                open_engine(path, device).close()
            except DeviceError as error:
                return str(error).split("; ")[0]
            return None

        reason = refusal(model)
        if reason is None:
            return
        _log.warning("%s refuses the model: looking for the operator ...", device)
        node = first_refused(model, lambda part: refusal(part) is not None)
    raise CompilationError(
        f"{target.name}'s own compiler ({device}) refuses what the export made, at the operator {node.op_type}"
        f" {node.name!r}: {reason}; another --max-drop makes another form"
    )


def first_refused(model: onnx.ModelProto, refused: Callable[[onnx.ModelProto], bool]) -> onnx.NodeProto:
    """The first operator of ``model`` up to which it is ``refused``, which all of it is."""
    operators: list[onnx.NodeProto] = [node for node in model.graph.node if node.op_type not in _FOLLOWING]
    end = len(operators) - 1
    return operators[bisect_left(range(end), True, key=lambda last: refused(_up_to(model, last)))]


def _up_to(model: onnx.ModelProto, last: int) -> onnx.ModelProto:
    """The beginning of ``model``: its operators up to number ``last`` with what quantises their inputs and outputs."""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    constants = {initializer.name for initializer in model.graph.initializer}
    there = constants | {value.name for value in model.graph.input}
    kept, number = [], -1
    for node in model.graph.node:
        follows = node.op_type in _FOLLOWING
        number += not follows
        if node.input[0] in there if follows else number <= last:
            kept.append(node)
            there.update(node.output)
    read = {name for node in kept for name in node.input}
    # Of constants that only later operators read.
    kept = [node for node in kept if read.intersection(node.output) or node.input[0] not in constants]
    given = [name for node in kept for name in node.output if name not in read]
    # Metadata would be those of the whole.
    del part.graph.node[:], part.graph.output[:], part.graph.value_info[:], part.metadata_props[:]
    part.graph.node.extend(kept)
    part.graph.output.extend(make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in given)
    unread = [one for one in part.graph.initializer if one.name not in read]
    for initializer in unread:
        part.graph.initializer.remove(initializer)
    return part
