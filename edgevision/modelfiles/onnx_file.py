"""Looking into an ONNX file with nothing but the wire format: no engine, no onnx package, no copy of the weights.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import math
import mmap
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from edgevision.core.errors import ModelFileError
from edgevision.core.regular_files import real_path
from edgevision.modelfiles.metadata import METADATA_KEY, TensorSpec
from edgevision.modelfiles.onnx_structure import Message, messages
from edgevision.modelfiles.protobuf import fields, packed, submessage, text

Field = tuple[int, int | memoryview]

_MOST_DIMENSIONS = 64

# TensorProto.DataType of onnx.proto.
_DTYPES = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
}


def read_document(path: Path) -> str | None:
    """The project's JSON document in the model's ``metadata_props``, or ``None``."""
    documents = []
    for number, value in _model(path):
        if number == 14:
            entry = dict(submessage(value))
            key = entry.get(1, b"")
            # What others keep there may be in any encoding.
            if not isinstance(key, int) and bytes(key) == METADATA_KEY.encode():
                documents.append(text(entry[2]) if 2 in entry else "")
    if len(documents) > 1:
        raise ValueError(f"it holds the metadata {METADATA_KEY!r} {len(documents)} times")
    return documents[0] if documents else None


def check(path: Path) -> None:
    """Raise :class:`ModelFileError` where the file is damaged or its weights are missing or outside its folder."""
    _, outputs = read_signature(path)
    if not outputs:
        raise ValueError("its graph has no output")
    for place in _external_places(path):
        if place.offset + place.length > _external_size(path, place.file):
            raise ModelFileError(f"{str(path)!r} lacks some of its weights; {place.file!r} beside it is cut off")


def read_signature(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The inputs and outputs of the graph."""
    graph = [field for number, value in _model(path) if number == 7 for field in submessage(value)]
    weights = {_initializer(value)[0] for number, value in graph if number == 5}
    inputs = [_tensor(value) for number, value in graph if number == 11]
    # Old exporters list the weights as inputs too.
    return (
        tuple(spec for spec in inputs if spec.name not in weights),
        tuple(_tensor(value) for number, value in graph if number == 12),
    )


def read_facts(path: Path) -> dict[str, Any]:
    """The fields of :class:`edgevision.modelfiles.model_facts.ModelFacts` that an ONNX file tells."""
    opsets: dict[str, int] = {}
    graph: list[Field] = []
    functions = []
    for number, value in _model(path):
        if number == 8:
            entry = dict(submessage(value))
            version = entry.get(2, 0)
            name = text(entry[1]) if 1 in entry else ""
            opsets[name or "ai.onnx"] = version if isinstance(version, int) else 0
        elif number == 7:
            graph = list(submessage(value))
        elif number == 25:
            functions.append(value)
    operators: Counter[str] = Counter()
    weights = _count_parts(graph, operators)
    for function in functions:
        # What it is made of is no operator of the graph.
        weights += _count_parts(submessage(function), Counter(), node_field=7)
    initializers = {_initializer(value)[0] for number, value in graph if number == 5}
    inputs = [_tensor(value) for number, value in graph if number == 11]
    return {
        # Old exporters list the weights as inputs too.
        "inputs": tuple(spec for spec in inputs if spec.name not in initializers),
        "outputs": tuple(_tensor(value) for number, value in graph if number == 12),
        "operators": dict(operators.most_common()),
        "opsets": opsets,
        "weights": weights,
        "size_bytes": path.stat().st_size + sum(_external_size(path, name) for name in _external_files(path)),
    }


def companions(path: Path) -> tuple[str, ...]:
    """The files of weights, relative to the model's folder."""
    return tuple(sorted(_external_files(path)))


def _model(path: Path) -> list[Field]:
    _external_places(path)
    found = list(fields(_mapped(path)))
    if 7 not in dict(found):
        raise ValueError("an ONNX model holds a graph")
    return found


def _count_parts(graph: Iterable[Field], operators: Counter[str], *, node_field: int = 1) -> int:
    """Count the operators of a graph, and return how many numbers its weights are, with all graphs inside.

    A function's nodes lie in another field than a graph's.
    """
    weights = 0
    for number, value in graph:
        if number == 5 and node_field == 1:
            weights += _initializer(value)[1]
        elif number == node_field:
            kind = domain = ""
            attributes = []
            for key, content in submessage(value):
                if key == 4:
                    kind = text(content)
                elif key == 7:
                    domain = text(content)
                elif key == 5:
                    attributes += list(submessage(content))
            operators[kind if domain in ("", "ai.onnx") else f"{domain}.{kind}"] += 1
            for key, content in attributes:
                if key in (6, 11):
                    weights += _count_parts(submessage(content), operators)
                elif kind == "Constant":
                    weights += _constant_size(key, content)
    return weights


def _constant_size(attribute: int, content: int | memoryview) -> int:
    """How many numbers this field of an attribute holds, as the value of a Constant: old exporters keep weights so."""
    if attribute == 5:
        return _initializer(content)[1]
    if attribute == 22:
        return sum(_initializer(values)[1] for key, values in submessage(content) if key == 1)
    if attribute == 7 and not isinstance(content, int):
        return len(content) // 4
    if attribute == 8:
        return len(packed(content))
    return 1 if attribute in (2, 3) else 0


def _initializer(value: int | memoryview) -> tuple[str, int]:
    """Its name and how many numbers it holds."""
    name, dimensions = "", list[int]()
    for number, content in submessage(value):
        if number == 1:
            dimensions += packed(content)
            if len(dimensions) > _MOST_DIMENSIONS:
                raise ValueError(f"it has a tensor of more than {_MOST_DIMENSIONS} dimensions")
        elif number == 8:
            name = text(content)
    return name, math.prod(dimensions)


def _external_files(path: Path) -> set[str]:
    """The files that tensors anywhere in the model name as the place of their weights."""
    return {place.file for place in _external_places(path)}


class _Place(NamedTuple):
    """Where the numbers of a tensor are that lie outside of the model; ``length`` is 0 where it is left open."""

    file: str
    offset: int
    length: int


def _external_places(path: Path) -> tuple[_Place, ...]:
    state = path.stat()
    return _places(path.absolute(), (state.st_mtime_ns, state.st_ino, state.st_size))


# Whoever looks into a model comes here first, for this also looks through all of it and bounds what it holds.
@lru_cache(maxsize=8)
def _places(path: Path, state: tuple[int, int, int]) -> tuple[_Place, ...]:
    found = []
    for kind, message in messages(_mapped(path)):
        if kind is not Message.TENSOR:
            continue
        entries = dict(_entry(value) for number, value in fields(message) if number == 13)
        if "location" in entries:
            found.append(_Place(entries["location"], *(_count(entries.get(key, "0")) for key in ("offset", "length"))))
    return tuple(found)


def _mapped(path: Path) -> memoryview:
    with path.open("rb") as file:
        # Never closed by hand: slices of it are handed out, and it goes when the last of them does.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _entry(value: int | memoryview) -> tuple[str, str]:
    pair = {key: text(content) for key, content in submessage(value)}
    return pair.get(1, ""), pair.get(2, "")


def _count(number: str) -> int:
    if not number.isdecimal() or len(number) > 18:
        raise ValueError(f"its weights lie at {number!r:.30}, which is no place in a file")
    return int(number)


def _external_size(path: Path, name: str) -> int:
    """The size in bytes of a file of weights beside the model."""
    folder = real_path(path.parent)
    file = real_path(folder / name)
    if not file.is_relative_to(folder):
        raise ModelFileError(f"{str(path)!r} wants weights from {name!r}; they must lie in the model's own folder")
    if not file.is_file():
        raise ModelFileError(f"{str(path)!r} lacks its weights; {name!r} belongs beside it")
    return file.stat().st_size


def _tensor(value: int | memoryview) -> TensorSpec:
    name, dtype = "", "unknown"
    shape: list[int | str] = []
    for number, content in submessage(value):
        if number == 1:
            name = text(content)
        elif number == 2:
            for kind, type_value in submessage(content):
                if kind != 1:
                    continue
                for key, item in submessage(type_value):
                    if key == 1 and isinstance(item, int):
                        dtype = _DTYPES.get(item, f"type {item}")
                    elif key == 2:
                        shape = [_dimension(dimension) for k, dimension in submessage(item) if k == 1]
    return TensorSpec(name=name, shape=tuple(shape), dtype=dtype)


def _dimension(value: int | memoryview) -> int | str:
    for number, content in submessage(value):
        if number == 1 and isinstance(content, int):
            # Some exporters write -1, which is a large number here, for a side that is open.
            return content if content < 1 << 63 else "?"
        if number == 2:
            return text(content)
    return "?"
