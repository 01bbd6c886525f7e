"""The protobuf wire format, just enough to look into an ONNX file without the onnx package or copying its weights.

Encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterable

Content = bytes | memoryview
"""The bytes of a string or a message: a view of the file, or a copy where they are few."""

Value = int | bytes | memoryview

Field = tuple[int, Value]
"""The number of a field, and its value: an integer, or the bytes of a string or sub-message."""

Fields = Iterable[Field]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5

_FEW = 4096
"""Bytes of a message that are copied, as what is made of bytes is read in half the time that it takes from a view."""


def fields(message: Content, most: int | None = None) -> list[Field]:
    """The fields of one message.

    Raises:
        ValueError: the bytes are no protobuf message, it ends in the middle, or it has more than ``most`` fields.
    """
    found: list[Field] = []
    position, end = 0, len(message)
    if end < _FEW:
        message = bytes(message)
    # A field takes two bytes at least.
    is_bounded = most is None or end // 2 <= most
    while position < end:
        if not is_bounded and len(found) == most:
            raise ValueError("it has too many fields for its size")
        # Most keys and lengths are of one byte, and a model has ten thousands of them.
        if (key := message[position]) < 0x80:
            position += 1
        else:
            key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("field number 0 does not exist")
        if kind == _LENGTH:
            if position < end and (length := message[position]) < 0x80:
                position += 1
            else:
                length, position = _varint(message, position)
        elif kind == _VARINT:
            if position < end and (value := message[position]) < 0x80:
                position += 1
            else:
                value, position = _varint(message, position)
            found.append((number, value))
            continue
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} is not in use")
        start, position = position, position + length
        if position > end:
            raise ValueError(f"it ends {position - end} bytes too early")
        found.append((number, message[start:position]))
    return found


def text(value: Value) -> str:
    """A field's bytes as text, which is in UTF-8."""
    content = bytes(_bytes(value))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the name {content[:60]!r} is not in UTF-8") from error


_MOST_PACKED = 1000


def packed(value: Value, most: int | None = _MOST_PACKED) -> list[int]:
    """A repeated integer field, whether packed into one field or one of many, of at most so many bytes."""
    if isinstance(value, int):
        return [value]
    if most is not None and len(value) > most:
        raise ValueError(f"a list of numbers takes {len(value)} bytes, where a few belong")
    numbers, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        numbers.append(number)
    return numbers


def submessage(value: Value) -> list[Field]:
    """The fields of a field that holds a message."""
    return fields(_bytes(value))


def _bytes(value: Value) -> Content:
    if isinstance(value, int):
        raise ValueError(f"a number stands where text or a message belongs: {value}")
    return value


def _varint(message: Content, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    raise ValueError("it ends in the middle of a number")
