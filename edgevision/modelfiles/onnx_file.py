"""Looking into an ONNX file with nothing but the wire format: no engine, no onnx package, no copy of the weights."""

import math
from collections import Counter
from pathlib import Path

from edgevision.core.regular_files import mapped
from edgevision.modelfiles.external_data import ExternalData
from edgevision.modelfiles.metadata import METADATA_KEY, TensorSpec
from edgevision.modelfiles.model_description import Graph, ModelDescription
from edgevision.modelfiles.onnx_messages import Message, messages
from edgevision.modelfiles.onnx_proto import (
    NUMPY_DTYPES,
    AttributeProto,
    Dimension,
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    SparseTensorProto,
    StringStringEntryProto,
    TensorProto,
    TensorShapeProto,
    TensorType,
    TypeProto,
    ValueInfoProto,
)
from edgevision.modelfiles.protobuf import Fields, Value, packed, submessage, text

_MOST_DIMENSIONS = 64
_DEPTH_IN_GRAPH = 2


def describe(path: Path) -> ModelDescription:
    """All that is ever asked of the file, from one walk through it.

    Raises:
        ValueError: it is damaged, or holds more than a file of its size can need.
    """
    return describe_content(mapped(path), path.name)


def describe_content(content: bytes | memoryview, name: str) -> ModelDescription:
    """As :func:`describe`, of a file of that ``name`` in memory."""
    reading = _Reading()
    readers = {
        StringStringEntryProto: reading.entry,
        OperatorSetIdProto: reading.opset,
        GraphProto: reading.graph,
        NodeProto: reading.node,
        TensorProto: reading.tensor,
        ValueInfoProto: reading.value,
    }
    for message in messages(memoryview(content)):
        read = readers.get(message.kind)
        if read is not None:
            read(message)
    return reading.result()


def external_data(tensor: Fields) -> ExternalData | None:
    """Where the numbers of a TensorProto with these fields lie; ``None`` where they lie in the model."""
    pairs = (_entry(submessage(value)) for number, value in tensor if number == TensorProto.EXTERNAL_DATA)
    entries = dict(pairs)
    if "location" not in entries:
        return None
    return ExternalData(entries["location"], _place(entries.get("offset", "0")), _place(entries.get("length", "0")))


class _Reading:
    """What was found in the messages so far."""

    def __init__(self) -> None:
        self._documents: list[str] = []
        self._has_graph = False
        self._inputs: list[TensorSpec] = []
        self._outputs: list[TensorSpec] = []
        self._initializers: set[str] = set()
        self._operators = Counter[str]()
        self._opsets: dict[str, int] = {}
        self._weights = 0
        self._external_data: list[ExternalData] = []

    def result(self) -> ModelDescription:
        if not self._has_graph:
            raise ValueError("an ONNX model holds a graph")
        if len(self._documents) > 1:
            raise ValueError(f"it holds the metadata {METADATA_KEY!r} {len(self._documents)} times")
        graph = Graph(
            # Old exporters list the weights as inputs too.
            inputs=tuple(spec for spec in self._inputs if spec.name not in self._initializers),
            outputs=tuple(self._outputs),
            operators=dict(self._operators.most_common()),
            opsets=self._opsets,
            weights=self._weights,
            external_data=tuple(self._external_data),
        )
        return ModelDescription(self._documents[0] if self._documents else None, graph)

    def graph(self, message: Message) -> None:
        self._has_graph |= message.holder is ModelProto

    def entry(self, message: Message) -> None:
        if message.holder is not ModelProto:
            return
        entry = dict(message.fields)
        key = entry.get(StringStringEntryProto.KEY, b"")
        # What others keep there may be in any encoding.
        if not isinstance(key, int) and bytes(key) == METADATA_KEY.encode():
            value = entry.get(StringStringEntryProto.VALUE)
            self._documents.append("" if value is None else text(value))

    def opset(self, message: Message) -> None:
        if message.holder is not ModelProto:
            return
        entry = dict(message.fields)
        domain, version = entry.get(OperatorSetIdProto.DOMAIN), entry.get(OperatorSetIdProto.VERSION, 0)
        name = "" if domain is None else text(domain)
        self._opsets[name or "ai.onnx"] = version if isinstance(version, int) else 0

    def node(self, message: Message) -> None:
        operator = domain = ""
        for number, value in message.fields:
            if number == NodeProto.OP_TYPE:
                operator = text(value)
            elif number == NodeProto.DOMAIN:
                domain = text(value)
        # What a function is made of is no operator of the graph.
        if message.part == ModelProto.GRAPH:
            self._operators[operator if domain in ("", "ai.onnx") else f"{domain}.{operator}"] += 1
        if operator == "Constant" and message.part != ModelProto.TRAINING_INFO:
            self._weights += _constant_size(message.fields)

    def tensor(self, message: Message) -> None:
        external = external_data(message.fields)
        if external is not None:
            self._external_data.append(external)
        if message.holder is GraphProto and message.part != ModelProto.TRAINING_INFO:
            name, size = _name_and_size(message.fields)
            self._weights += size
            if message.depth == _DEPTH_IN_GRAPH:
                self._initializers.add(name)

    def value(self, message: Message) -> None:
        if message.holder is not GraphProto or message.depth != _DEPTH_IN_GRAPH:
            return
        if message.field == GraphProto.INPUT:
            self._inputs.append(_spec(message.fields))
        elif message.field == GraphProto.OUTPUT:
            self._outputs.append(_spec(message.fields))


def _constant_size(node: Fields) -> int:
    """How many numbers the attributes of a Constant hold: old exporters keep weights so."""
    attributes = (submessage(value) for number, value in node if number == NodeProto.ATTRIBUTE)
    return sum(_attribute_size(number, value) for attribute in attributes for number, value in attribute)


def _attribute_size(number: int, value: Value) -> int:
    if number == AttributeProto.T:
        return _name_and_size(submessage(value))[1]
    if number == AttributeProto.SPARSE_TENSOR:
        tensors = (tensor for key, tensor in submessage(value) if key == SparseTensorProto.VALUES)
        return sum(_name_and_size(submessage(tensor))[1] for tensor in tensors)
    if number == AttributeProto.FLOATS and not isinstance(value, int):
        return len(value) // 4
    if number == AttributeProto.INTS:
        return len(packed(value))
    return 1 if number in (AttributeProto.F, AttributeProto.I) else 0


def _name_and_size(tensor: Fields) -> tuple[str, int]:
    """The name of a tensor, and how many numbers it holds."""
    name, dimensions = "", list[int]()
    for number, value in tensor:
        if number == TensorProto.DIMS:
            dimensions += packed(value)
            if len(dimensions) > _MOST_DIMENSIONS:
                raise ValueError(f"it has a tensor of more than {_MOST_DIMENSIONS} dimensions")
        elif number == TensorProto.NAME:
            name = text(value)
    return name, math.prod(dimensions)


def _entry(pair: Fields) -> tuple[str, str]:
    texts = {number: text(value) for number, value in pair}
    return texts.get(StringStringEntryProto.KEY, ""), texts.get(StringStringEntryProto.VALUE, "")


def _place(number: str) -> int:
    if not number.isdecimal() or len(number) > 18:
        raise ValueError(f"its weights lie at {number!r:.30}, which is no place in a file")
    return int(number)


def _spec(value_info: Fields) -> TensorSpec:
    name, dtype, shape = "", "unknown", list[int | str]()
    for number, value in value_info:
        if number == ValueInfoProto.NAME:
            name = text(value)
        elif number == ValueInfoProto.TYPE:
            for kind, tensor_type in submessage(value):
                if kind != TypeProto.TENSOR_TYPE:
                    continue
                for key, content in submessage(tensor_type):
                    if key == TensorType.ELEM_TYPE and isinstance(content, int):
                        dtype = NUMPY_DTYPES.get(content, f"type {content}")
                    elif key == TensorType.SHAPE:
                        shape = [_dimension(submessage(d)) for k, d in submessage(content) if k == TensorShapeProto.DIM]
    return TensorSpec(name=name, shape=tuple(shape), dtype=dtype)


def _dimension(dimension: Fields) -> int | str:
    for number, value in dimension:
        if number == Dimension.DIM_VALUE and isinstance(value, int):
            # Some exporters write -1, which is a large number here, for a dynamic axis.
            return value if value < 1 << 63 else "?"
        if number == Dimension.DIM_PARAM:
            return text(value)
    return "?"
