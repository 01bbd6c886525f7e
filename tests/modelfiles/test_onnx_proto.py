"""The names and numbers of onnx.proto are those of the onnx package."""

from typing import Any

import onnx
import pytest

from edgevision.modelfiles import onnx_proto
from edgevision.modelfiles.onnx_proto import MESSAGES, DataType, Proto, Unread

NESTED = {
    "Dimension": (onnx.TensorShapeProto.Dimension,),
    "TensorType": (onnx.TypeProto.Tensor, onnx.TypeProto.SparseTensor),
    "ElementType": (onnx.TypeProto.Sequence, onnx.TypeProto.Optional),
    "MapType": (onnx.TypeProto.Map,),
}
KINDS = [
    kind
    for kind in vars(onnx_proto).values()
    if isinstance(kind, type) and issubclass(kind, Proto) and kind not in (Proto, Unread)
]


def constants(kind: type) -> dict[str, int]:
    return {name: value for name, value in vars(kind).items() if name.isupper()}


def descriptors(kind: type[Proto]) -> list[Any]:
    return [message.DESCRIPTOR for message in NESTED.get(kind.__name__) or (getattr(onnx, kind.__name__),)]


@pytest.mark.parametrize("kind", KINDS)
def test_fields_have_the_numbers_that_they_have_in_onnx(kind: type[Proto]) -> None:
    for descriptor in descriptors(kind):
        for name, number in constants(kind).items():
            assert descriptor.fields_by_name[name.lower()].number == number


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_that_holds_messages_is_looked_into(kind: type[Proto]) -> None:
    for descriptor in descriptors(kind):
        held = {field.number: field.message_type for field in descriptor.fields if field.message_type is not None}
        assert set(held) == set(MESSAGES.get(kind, {}))
        for number, found in MESSAGES.get(kind, {}).items():
            assert found is Unread or held[number] in descriptors(found)


def test_data_types_have_the_numbers_that_they_have_in_onnx() -> None:
    assert constants(DataType).items() <= dict(onnx.TensorProto.DataType.items()).items()
