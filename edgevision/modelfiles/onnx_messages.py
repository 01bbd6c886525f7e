"""All messages inside an ONNX file, wherever they are, in one walk that bounds what it holds.

Two bytes of a file can be a whole empty node, for which a parser of protobuf reserves some hundred: whoever looks into
a model comes here before an engine reads it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from edgevision.modelfiles.onnx_proto import MESSAGES, ModelProto, Proto
from edgevision.modelfiles.protobuf import Content, Field, fields

_MOST_DEEP = 60
_FREE_MESSAGES, _BYTES_A_MESSAGE = 100_000, 64
_FREE_FIELDS, _BYTES_A_FIELD = 300_000, 8


class Message(NamedTuple):
    """One message.

    Attributes:
        kind: its class in onnx_proto.
        fields: numbers and values in the order of the file.
        holder, field: the kind of the message that holds it, and in which field.
        part: the field of the model that it lies in at any depth, as ``ModelProto.GRAPH``; 0 for the model itself.
        depth: how many messages hold it.
    """

    kind: type[Proto]
    fields: list[Field]
    holder: type[Proto]
    field: int
    part: int
    depth: int


def messages(model: memoryview) -> Iterator[Message]:
    """Every message in a model, the model itself first, each before those it holds.

    Raises:
        ValueError: it is damaged, or holds more messages, fields or levels than a file of its size can need.
    """
    messages_left = _FREE_MESSAGES + len(model) // _BYTES_A_MESSAGE
    fields_left = _FREE_FIELDS + len(model) // _BYTES_A_FIELD
    left: list[tuple[type[Proto], Content, type[Proto], int, int, int]] = [(ModelProto, model, Proto, 0, 0, 0)]
    while left:
        kind, data, holder, field, part, depth = left.pop()
        if depth > _MOST_DEEP:
            raise ValueError(f"its parts hold each other more than {_MOST_DEEP} deep")
        content = fields(data, most=fields_left)
        fields_left -= len(content)
        yield Message(kind, content, holder, field, part, depth)
        held = MESSAGES.get(kind)
        if held is None:
            continue
        before = len(left)
        for number, value in reversed(content):
            if number in held and not isinstance(value, int):
                left.append((held[number], value, kind, number, part or number, depth + 1))
        messages_left -= len(left) - before
        if messages_left < 0:
            raise ValueError(f"it has too many parts for {len(model)} bytes")
