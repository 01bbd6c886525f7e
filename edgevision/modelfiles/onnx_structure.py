"""All messages inside an ONNX file, wherever they are: counted before anybody makes objects of them.

Two bytes of a file can be a whole empty node, for which a parser of protobuf reserves some hundred.
"""

from collections.abc import Iterator
from enum import Enum, auto

from edgevision.modelfiles.protobuf import fields

_MOST_DEEP = 60
_FREE_MESSAGES, _BYTES_A_MESSAGE = 100_000, 64
_FREE_FIELDS, _BYTES_A_FIELD = 300_000, 8


class Message(Enum):
    """The kinds of message of onnx.proto that hold others, and the entries of their tables."""

    MODEL = auto()
    GRAPH = auto()
    FUNCTION = auto()
    TRAINING = auto()
    NODE = auto()
    ATTRIBUTE = auto()
    TENSOR = auto()
    SPARSE_TENSOR = auto()
    EXTERNAL_DATA = auto()
    VALUE = auto()
    TYPE = auto()
    TENSOR_TYPE = auto()
    SHAPE = auto()
    OTHER = auto()


_M = Message
_PARTS: dict[Message, dict[int, Message]] = {
    _M.MODEL: {7: _M.GRAPH, 8: _M.OTHER, 14: _M.OTHER, 20: _M.TRAINING, 25: _M.FUNCTION, 26: _M.OTHER},
    _M.GRAPH: {
        1: _M.NODE,
        5: _M.TENSOR,
        11: _M.VALUE,
        12: _M.VALUE,
        13: _M.VALUE,
        14: _M.OTHER,
        15: _M.SPARSE_TENSOR,
        16: _M.OTHER,
    },
    _M.FUNCTION: {7: _M.NODE, 9: _M.OTHER, 11: _M.ATTRIBUTE, 12: _M.VALUE, 14: _M.OTHER},
    _M.TRAINING: {1: _M.GRAPH, 2: _M.GRAPH, 3: _M.OTHER, 4: _M.OTHER},
    _M.NODE: {5: _M.ATTRIBUTE, 9: _M.OTHER, 10: _M.OTHER},
    _M.ATTRIBUTE: {
        5: _M.TENSOR,
        6: _M.GRAPH,
        10: _M.TENSOR,
        11: _M.GRAPH,
        14: _M.TYPE,
        15: _M.TYPE,
        22: _M.SPARSE_TENSOR,
        23: _M.SPARSE_TENSOR,
    },
    _M.TENSOR: {3: _M.OTHER, 13: _M.EXTERNAL_DATA, 16: _M.OTHER},
    _M.SPARSE_TENSOR: {1: _M.TENSOR, 2: _M.TENSOR},
    _M.VALUE: {2: _M.TYPE, 4: _M.OTHER},
    # A type may be of sequences, maps or optionals of types: those hold the type in their fields 1 and 2.
    _M.TYPE: {1: _M.TENSOR_TYPE, 4: _M.TYPE, 5: _M.TYPE, 8: _M.TENSOR_TYPE, 9: _M.TYPE},
    _M.TENSOR_TYPE: {2: _M.SHAPE},
    _M.SHAPE: {1: _M.OTHER},
}


def messages(model: memoryview) -> Iterator[tuple[Message, memoryview]]:
    """Every message in a model with its kind, the model itself first, each before those it holds.

    Raises:
        ValueError: it is damaged, or holds more messages, fields or levels than a file of its size can need.
    """
    most_messages = _FREE_MESSAGES + len(model) // _BYTES_A_MESSAGE
    most_fields = _FREE_FIELDS + len(model) // _BYTES_A_FIELD
    count = 0
    left = [(_M.MODEL, model, 0)]
    while left:
        kind, message, depth = left.pop()
        yield kind, message
        if depth > _MOST_DEEP:
            raise ValueError(f"its parts hold each other more than {_MOST_DEEP} deep")
        parts = _PARTS.get(kind, {})
        found: list[tuple[Message, memoryview, int]] = []
        for number, value in fields(message):
            count += 1
            if count > most_fields:
                raise ValueError(f"it has more than {most_fields} fields, too many for {len(model)} bytes")
            part = parts.get(number)
            if part is None or not isinstance(value, memoryview):
                continue
            most_messages -= 1
            if most_messages < 0:
                raise ValueError(f"it has too many parts for {len(model)} bytes")
            found.append((part, value, depth + 1))
        left.extend(reversed(found))
