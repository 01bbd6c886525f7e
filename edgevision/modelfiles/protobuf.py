"""The protobuf wire format, just enough to look into an ONNX file without the onnx package or copying its weights.

Encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of one message; a value is an integer, or the bytes of a string or sub-message.

    Raises:
        ValueError: the bytes are no protobuf message, or it ends in the middle.
    """
    position, end = 0, len(message)
    while position < end:
        # Most keys and lengths are of one byte, and a model has ten thousands of them.
        if (key := message[position]) < 0x80:
            position += 1
        else:
            key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError("field number 0 does not exist")
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == _LENGTH:
            if position < end and (length := message[position]) < 0x80:
                position += 1
            else:
                length, position = _varint(message, position)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} is not in use")
        if position + length > end:
            raise ValueError(f"it ends {position + length - end} bytes too early")
        yield number, message[position : position + length]
        position += length


def text(value: int | memoryview) -> str:
    """A field's bytes as text, which is in UTF-8."""
    content = bytes(_bytes(value))
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the name {content[:60]!r} is not in UTF-8") from error


_MOST_PACKED = 1000


def packed(value: int | memoryview) -> list[int]:
    """A repeated integer field, whether packed into one field or one of many; for a few numbers, not for weights."""
    if isinstance(value, int):
        return [value]
    if len(value) > _MOST_PACKED:
        raise ValueError(f"a list of numbers takes {len(value)} bytes, where a few belong")
    numbers, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        numbers.append(number)
    return numbers


def submessage(value: int | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a field that holds a message."""
    return fields(_bytes(value))


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError(f"a number stands where text or a message belongs: {value}")
    return value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    raise ValueError("it ends in the middle of a number")
