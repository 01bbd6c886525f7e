"""Looking into a ``.tflite`` model without LiteRT, and checking what LiteRT believes: it does not check all itself."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from edgevision.core.regular_files import mapped
from edgevision.modelfiles import tflite_schema as schema
from edgevision.modelfiles.flatbuffer import Table
from edgevision.modelfiles.metadata import METADATA_KEY, TensorSpec
from edgevision.modelfiles.model_description import Graph, ModelDescription

_IDENTIFIER = b"TFL3"
_MOST_DIMENSIONS = 8
_NO_TENSOR = -1

Item = TypeVar("Item")


def describe(path: Path) -> ModelDescription:
    """All that is ever asked of the file.

    Raises:
        ValueError: it is damaged, or holds more than a file of its size can need.
    """
    model = Table.root(mapped(path), _IDENTIFIER)
    buffers = [_buffer(table) for table in model.tables(schema.Model.BUFFERS)]
    operators = [_operator_name(code) for code in model.tables(schema.Model.OPERATOR_CODES)]
    graphs = [_Subgraph(table, operators, buffers) for table in model.tables(schema.Model.SUBGRAPHS)]
    if not graphs:
        raise ValueError("it has no graph")
    graph = Graph(
        inputs=graphs[0].inputs,
        outputs=graphs[0].outputs,
        operators=dict(sum((graph.operators for graph in graphs), Counter[str]()).most_common()),
        opsets={"tflite": model.number(schema.Model.VERSION, "I")},
        weights=sum(graph.weights for graph in graphs),
        external_data=(),
    )
    return ModelDescription(_document(model, buffers), graph)


def constants(path: Path) -> Iterator[tuple[str, memoryview]]:
    """The dtype and the bytes of every constant; raises as :func:`describe`."""
    model = Table.root(mapped(path), _IDENTIFIER)
    buffers = [_buffer(table) for table in model.tables(schema.Model.BUFFERS)]
    for graph in model.tables(schema.Model.SUBGRAPHS):
        for tensor in graph.tables(schema.SubGraph.TENSORS):
            yield _spec(tensor).dtype, _at(buffers, tensor.number(schema.Tensor.BUFFER, "I"), "buffer")


def _document(model: Table, buffers: Sequence[memoryview]) -> str | None:
    for entry in model.tables(schema.Model.METADATA):
        if entry.text(schema.Metadata.NAME) == METADATA_KEY:
            return bytes(_at(buffers, entry.number(schema.Metadata.BUFFER, "I"), "buffer")).decode()
    return None


def _buffer(table: Table) -> memoryview:
    """Its bytes. In models beyond 2 GB they lie behind the tables, which no device of ours holds."""
    if table.number(schema.Buffer.OFFSET, "Q") > 1:
        raise ValueError("its weights lie behind the model, as only files beyond 2 GB need")
    return table.data(schema.Buffer.DATA)


def _operator_name(code: Table) -> str:
    # The older field has one byte, and stays where the code fits into it.
    number = max(code.number(schema.OperatorCode.DEPRECATED_CODE, "b"), code.number(schema.OperatorCode.CODE, "i"))
    if not 0 <= number < len(schema.OPERATORS):
        raise ValueError(f"it has an operator of the number {number}, which is none")
    name = schema.OPERATORS[number]
    return code.text(schema.OperatorCode.CUSTOM_NAME) if name == "CUSTOM" else name


class _Subgraph:
    """One graph; the first is the model's, others are branches and loops of it."""

    def __init__(self, table: Table, operators: Sequence[str], buffers: Sequence[memoryview]) -> None:
        self._specs: list[TensorSpec] = []
        self.weights = 0
        for tensor in table.tables(schema.SubGraph.TENSORS):
            spec = _spec(tensor)
            content = _at(buffers, tensor.number(schema.Tensor.BUFFER, "I"), "buffer")
            if len(content):
                self.weights += _constant_size(spec, tensor, content)
            self._specs.append(spec)
        self.inputs = self._tensors(table, schema.SubGraph.INPUTS)
        self.outputs = self._tensors(table, schema.SubGraph.OUTPUTS)
        self.operators = Counter[str]()
        for operator in table.tables(schema.SubGraph.OPERATORS):
            self.operators[_at(operators, operator.number(schema.Operator.CODE, "I"), "operator")] += 1
            self._tensors(operator, schema.Operator.INPUTS, optional=True)
            self._tensors(operator, schema.Operator.OUTPUTS, optional=True)

    def _tensors(self, table: Table, field: int, *, optional: bool = False) -> tuple[TensorSpec, ...]:
        numbers = table.integers(field)
        kept = [int(number) for number in numbers if not (optional and number == _NO_TENSOR)]
        return tuple(_at(self._specs, number, "tensor") for number in kept)


def _spec(tensor: Table) -> TensorSpec:
    sizes, signature = tensor.integers(schema.Tensor.SHAPE), tensor.integers(schema.Tensor.SHAPE_SIGNATURE)
    if max(len(sizes), len(signature)) > _MOST_DIMENSIONS or min(sizes, default=0) < 0:
        raise ValueError(f"a tensor has the shape {sizes[:16].tolist()}")
    if len(signature) and len(signature) != len(sizes):
        raise ValueError(f"a tensor has the shapes {sizes.tolist()} and {signature.tolist()}")
    kind = tensor.number(schema.Tensor.TYPE, "b")
    if not 0 <= kind < len(schema.DTYPES):
        raise ValueError(f"a tensor is of the type {kind}, which is none")
    shape = signature if len(signature) else sizes
    return TensorSpec(
        name=tensor.text(schema.Tensor.NAME),
        shape=tuple(int(size) if size >= 0 else "?" for size in shape),
        dtype=schema.DTYPES[kind],
    )


def _constant_size(spec: TensorSpec, tensor: Table, content: memoryview) -> int:
    """How many numbers a constant is, which have to be as many as its bytes hold."""
    count = math.prod(int(size) for size in tensor.integers(schema.Tensor.SHAPE))
    bits = schema.BITS.get(spec.dtype)
    sparse = tensor.table(schema.Tensor.SPARSITY) is not None
    if bits is not None and not sparse and len(content) != -(-count * bits // 8):
        raise ValueError(f"{spec.name!r:.80} is {spec.shape} of {spec.dtype}, and its content {len(content):,} bytes")
    return count


def _at(items: Sequence[Item], index: int, what: str) -> Item:
    if not 0 <= index < len(items):
        raise ValueError(f"it names {what} {index} of {len(items)}")
    return items[index]
