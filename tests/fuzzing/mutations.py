"""Changes to sound files: of bytes, of JSON trees, of the members of archives, of the fields of ONNX models."""

import io
import json
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor

_NUMBERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    127,
    128,
    255,
    256,
    32767,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    -(2**63),
)

_TEXTS = (
    "",
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x00",
    "a" * 5000,
    "../../etc/passwd",
    "/etc/passwd",
    "=1+1",
    "‮gnp",
    "\ud800",
    "ünïcödé",
    "batch",
    "x",
    "-",
    "%s%n{0}{x}",
    "\n\r\t",
)

HOSTILE: tuple[Any, ...] = (
    *_NUMBERS,
    *_TEXTS,
    None,
    True,
    False,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    10**400,
    [],
    {},
    [[]],
    {"": None},
    [1] * 2000,
    ["a", "a"],
)
"""What stands where something sound is expected."""


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """A few of the usual accidents and attacks, one after the other."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        changed = random.choice(_BYTE_CHANGES)(changed, random)
    return bytes(changed)


def _flip(data: bytearray, random: Random) -> bytearray:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return data


def _overwrite(data: bytearray, random: Random) -> bytearray:
    if data:
        start = random.randrange(len(data))
        number = random.choice(_NUMBERS)
        size = random.choice((1, 2, 4, 8))
        data[start : start + size] = (number % 256**size).to_bytes(size, random.choice(("little", "big")))
    return data


def _cut_off(data: bytearray, random: Random) -> bytearray:
    return data[: random.randrange(len(data) + 1)]


def _cut_out(data: bytearray, random: Random) -> bytearray:
    start = random.randrange(len(data) + 1)
    del data[start : start + random.choice((1, 2, 4, 16, 256))]
    return data


def _repeat(data: bytearray, random: Random) -> bytearray:
    start = random.randrange(len(data) + 1)
    piece = data[start : start + random.choice((1, 4, 32, 512))]
    data[start:start] = piece * random.choice((1, 2, 50))
    return data


def _insert(data: bytearray, random: Random) -> bytearray:
    start = random.randrange(len(data) + 1)
    data[start:start] = random.randbytes(random.choice((1, 2, 4, 64)))
    return data


def _blank(data: bytearray, random: Random) -> bytearray:
    start = random.randrange(len(data) + 1)
    piece = data[start : start + random.choice((4, 64, 1024))]
    data[start : start + len(piece)] = bytes([random.choice((0, 255, 32))]) * len(piece)
    return data


_BYTE_CHANGES: tuple[Callable[[bytearray, Random], bytearray], ...] = (
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _cut_off,
    _cut_out,
    _repeat,
    _insert,
    _blank,
)


def mutate_json(document: Any, random: Random) -> Any:
    """A copy in which one value is hostile, missing, doubled or unknown."""
    changed = json.loads(json.dumps(document))
    places = list(_places(changed))
    container, key = random.choice(places)
    kind = random.randrange(8)
    if kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        container[random.choice(_TEXTS)] = random.choice(HOSTILE)
    elif kind == 2:
        other_container, other_key = random.choice(places)
        container[key] = json.loads(json.dumps(other_container[other_key]))
    elif kind == 3 and isinstance(container[key], int | float):
        container[key] = random.choice(
            (-container[key], container[key] * 1000, container[key] + 1, float(container[key]))
        )
    else:
        container[key] = random.choice(HOSTILE)
    return changed


def _places(value: Any) -> Any:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def mutate_zip(data: bytes, random: Random) -> bytes:
    """Members with other contents, names, compressions or twins; sometimes the bytes of the archive themselves."""
    if random.random() < 0.4:
        return mutate_bytes(data, random)
    output = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(output, "w") as target:
            chosen = random.randrange(len(source.namelist()))
            for number, name in enumerate(source.namelist()):
                content = source.read(name)
                if number == chosen:
                    kind = random.randrange(6)
                    if kind == 0:
                        continue
                    if kind == 1:
                        name = random.choice(("/" + name, "../" + name, name.upper(), name + "/", "a\\b", "é" + name))
                    elif kind == 2:
                        content = bytes(20_000_000)
                    else:
                        content = mutate_bytes(content, random)
                compression = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
                target.writestr(name, content, compression)
    except zipfile.BadZipFile:
        return mutate_bytes(data, random)
    return output.getvalue()


def mutate_onnx(data: bytes, random: Random) -> bytes:
    """A field somewhere in the model changed, removed or doubled, with the wire format intact."""
    model = onnx.load_from_string(data)
    for _ in range(random.choice((1, 1, 2))):
        message, field = random.choice(list(_fields(model)))
        repeated = field.is_repeated
        if random.random() < 0.15:
            message.ClearField(field.name)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if repeated and len(getattr(message, field.name)):
                values = getattr(message, field.name)
                values.add().CopyFrom(random.choice(values))
        else:
            _set(message, field, repeated, random)
    return model.SerializeToString()


def _fields(message: Any) -> Any:
    for field, value in message.ListFields():
        yield message, field
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                yield from _fields(inner)


def _set(message: Any, field: Any, repeated: bool, random: Random) -> None:
    if field.type == FieldDescriptor.TYPE_STRING:
        value: Any = random.choice(_TEXTS).encode("utf-8", "replace").decode()
    elif field.type == FieldDescriptor.TYPE_BYTES:
        value = mutate_bytes(getattr(message, field.name) if not repeated else b"abc", random)
    elif field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        value = random.choice((0.0, -1.0, 1e30, float("nan"), float("inf"), 1e-40))
    elif field.type == FieldDescriptor.TYPE_ENUM:
        value = random.choice(list(field.enum_type.values_by_number))
    else:
        value = random.choice(_NUMBERS)
        if field.type in (FieldDescriptor.TYPE_INT32,):
            value = max(-(2**31), min(value, 2**31 - 1))
        elif field.type == FieldDescriptor.TYPE_UINT64:
            value = abs(value)
    if not repeated:
        setattr(message, field.name, value)
    elif values := getattr(message, field.name):
        values[random.randrange(len(values))] = value
