"""A graph pass: weights that are denormal numbers become zero, which is as much and is computed at full speed."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from edgevision.exporters.passes.graph_pass import PassResult
from edgevision.exporters.passes.ir import Array
from edgevision.exporters.passes.side_by_side import agree, feeds_of, open_on_one_thread
from edgevision.exporters.passes.walk import every_graph_of, every_node_of
from edgevision.modelfiles.denormals import FLOAT_FORMATS

_log = logging.getLogger(__name__)

# Where a number divides or is taken the logarithm of, zero is not as much: by operator the input in question.
_DIVISORS = {
    "Div": 1,
    "Reciprocal": 0,
    "Log": 0,
    "Pow": 0,
    "QuantizeLinear": 1,
    "DequantizeLinear": 1,
    "DynamicQuantizeLinear": 0,
}


@dataclass(frozen=True, eq=False)
class DenormalWeights:
    """Sets the denormal numbers among the float32, float64 and bfloat16 constants of a model to zero.

    Single numbers, scales and divisors become the smallest normal number instead: they are there to keep something
    from being zero. Constants of branches and loops are weights as well.

    Attributes:
        examples: one array for each input of the model, in order, on which the outputs must stay the same.
    """

    examples: Sequence[Array]

    def __call__(self, model: onnx.ModelProto) -> PassResult:
        """``model`` has all its weights in it. A note says what was done, or why nothing was."""
        if not any(form.denormals(bits).any() for _, bits, form, _ in _constants(model)):
            return PassResult(model)
        flushed = onnx.ModelProto()
        flushed.CopyFrom(model)
        total, denormal = _flush(flushed)
        what = f"{denormal:,} of {total:,} weights ({_percent(denormal / total)}) are denormal numbers"
        if not _is_same(model, flushed, feeds_of(model, self.examples)):
            kept = "they are kept, because without them the outputs are not the same"
            return PassResult(model, notes=(f"{what}, which are slow on many CPUs; {kept}",))
        note = (
            f"{what}, with which many CPUs compute a multiple slower: they are zero in the exported model, and its"
            " outputs are the same to 1e-5 of their range"
        )
        return PassResult(flushed, modified=True, notes=(note,))


def _flush(model: onnx.ModelProto) -> tuple[int, int]:
    """Change ``model``; the number of its weights, and of those that were denormal."""
    divisors = {name for node in every_node_of(model) for name in _divisors(node)}
    total = denormal = 0
    for name, bits, form, store in _constants(model):
        found = form.denormals(bits)
        total += found.size
        count = int(found.sum())
        if not count:
            continue
        denormal += count
        sign = bits & bits.dtype.type(1 << (8 * bits.itemsize - 1))
        least = form.smallest_normal if found.size == 1 or name in divisors else 0
        store(np.where(found, sign | bits.dtype.type(least), bits).astype(bits.dtype))
    return total, denormal


def _is_same(model: onnx.ModelProto, flushed: onnx.ModelProto, feeds: Mapping[str, Array]) -> bool:
    try:
        return agree(open_on_one_thread(model), open_on_one_thread(flushed), feeds)
    except Exception as error:  # each of ONNX Runtime's failures has a class of its own that shares no base
        _log.debug("it cannot be compared whether denormal weights matter: %s", error)
        return False


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "less than 0.1 %"


Store = Callable[[NDArray[Any]], None]


def _constants(model: onnx.ModelProto) -> Iterator[tuple[str, NDArray[Any], Any, Store]]:
    """Name, bits and format of every float constant, and what writes other bits in their place."""
    for graph in every_graph_of(model):
        for tensor in graph.initializer:
            yield from _of_tensor(tensor.name, tensor)
        for sparse in graph.sparse_initializer:
            yield from _of_tensor(sparse.values.name, sparse.values)
    for node in every_node_of(model):
        if node.op_type != "Constant" or node.domain not in ("", "ai.onnx"):
            continue
        name, (value,) = node.output[0], node.attribute
        if value.type == onnx.AttributeProto.TENSOR:
            yield from _of_tensor(name, value.t)
        elif value.type == onnx.AttributeProto.SPARSE_TENSOR:
            yield from _of_tensor(name, value.sparse_tensor.values)
        elif value.type in (onnx.AttributeProto.FLOAT, onnx.AttributeProto.FLOATS):
            yield from _of_numbers(name, value)


def _of_tensor(name: str, tensor: onnx.TensorProto) -> Iterator[tuple[str, NDArray[Any], Any, Store]]:
    form = FLOAT_FORMATS.get(tensor.data_type)
    if form is None:
        return

    def store(bits: NDArray[Any]) -> None:
        for field in ("float_data", "double_data", "int32_data"):
            tensor.ClearField(field)
        tensor.raw_data = bits.tobytes()

    yield name, np.ascontiguousarray(numpy_helper.to_array(tensor)).view(form.bits), form, store


def _of_numbers(name: str, value: onnx.AttributeProto) -> Iterator[tuple[str, NDArray[Any], Any, Store]]:
    form = FLOAT_FORMATS[onnx.TensorProto.FLOAT]
    single = value.type == onnx.AttributeProto.FLOAT

    def store(bits: NDArray[Any]) -> None:
        numbers = bits.view(np.float32).tolist()
        if single:
            value.f = numbers[0]
        else:
            value.floats[:] = numbers

    yield name, np.array([value.f] if single else value.floats, np.float32).view(form.bits), form, store


def _divisors(node: onnx.NodeProto) -> Iterator[str]:
    if node.op_type.startswith("QLinear"):
        yield from node.input
    elif (place := _DIVISORS.get(node.op_type, len(node.input))) < len(node.input):
        yield node.input[place]
