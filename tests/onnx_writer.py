"""ONNX models written as the protobuf of onnx.proto3: tests of the device side have no onnx package."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np

from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata

Shape = Sequence[int | str]
Attribute = int | float | str | Sequence[int]

_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Attribute) -> bytes:
    """A NodeProto."""
    names = [_field(1, name) for name in inputs] + [_field(2, name) for name in outputs]
    given = [_field(5, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join([*names, _field(4, operator), *given])


def onnx_model(
    nodes: Sequence[bytes],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    weights: Mapping[str, np.ndarray] | None = None,
    metadata: ModelMetadata | None = None,
) -> bytes:
    """The ModelProto of a file of operators of opset 18, whose inputs and outputs are float32."""
    graph = [
        *(_field(1, node) for node in nodes),
        _field(2, "graph"),
        *(_field(5, _tensor(name, values)) for name, values in (weights or {}).items()),
        *(_field(11, _value(name, shape)) for name, shape in inputs.items()),
        *(_field(12, _value(name, shape)) for name, shape in outputs.items()),
    ]
    model = _field(1, 10) + _field(7, b"".join(graph)) + _field(8, _field(2, 18))
    if metadata is not None:
        model += _field(14, _field(1, METADATA_KEY) + _field(2, metadata.to_json()))
    return model


def _attribute(name: str, value: Attribute) -> bytes:
    match value:
        case int():
            content, kind = _field(3, value), 2
        case float():
            content, kind = _varint(2 << 3 | 5) + struct.pack("<f", value), 1
        case str():
            content, kind = _field(4, value), 3
        case _:
            content, kind = b"".join(_field(8, number) for number in value), 7
    return _field(1, name) + content + _field(20, kind)


def _tensor(name: str, values: np.ndarray) -> bytes:
    sides = b"".join(_field(1, side) for side in values.shape)
    little_endian = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return sides + _field(2, _ELEMENT_TYPES[values.dtype.name]) + _field(8, name) + _field(9, little_endian)


def _value(name: str, shape: Shape) -> bytes:
    sides = b"".join(_field(1, _field(1 if isinstance(side, int) else 2, side)) for side in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, sides)))


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value % 2**64)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])
