"""Looking into an ONNX file with nothing but the wire format: no engine, no onnx package, no copy of the weights.

Field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgevision.errors import ModelFileError
from edgevision.metadata import METADATA_KEY, TensorSpec
from edgevision.protobuf import fields, packed, submessage, text

Field = tuple[int, int | memoryview]

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
    for name in _external_files(path):
        _external_size(path, name)


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
    """The fields of :class:`edgevision.modelfacts.ModelFacts` that an ONNX file tells."""
    opsets: dict[str, int] = {}
    graph: list[Field] = []
    for number, value in _model(path):
        if number == 8:
            entry = dict(submessage(value))
            version = entry.get(2, 0)
            name = text(entry[1]) if 1 in entry else ""
            opsets[name or "ai.onnx"] = version if isinstance(version, int) else 0
        elif number == 7:
            graph = list(submessage(value))
    operators: Counter[str] = Counter()
    _count_operators(iter(graph), operators)
    initializers = dict(_initializer(value) for number, value in graph if number == 5)
    inputs = [_tensor(value) for number, value in graph if number == 11]
    return {
        # Old exporters list the weights as inputs too.
        "inputs": tuple(spec for spec in inputs if spec.name not in initializers),
        "outputs": tuple(_tensor(value) for number, value in graph if number == 12),
        "operators": dict(operators.most_common()),
        "opsets": opsets,
        "weights": sum(initializers.values()),
        "size_bytes": path.stat().st_size + sum(_external_size(path, name) for name in _external_files(path)),
    }


def companions(path: Path) -> tuple[str, ...]:
    """The files of weights, relative to the model's folder."""
    return tuple(sorted(_external_files(path)))


def _model(path: Path) -> list[Field]:
    with path.open("rb") as file:
        # Never closed by hand: slices of it are handed out, and it goes when the last of them does.
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found = list(fields(memoryview(mapped)))
    if 7 not in dict(found):
        raise ValueError("an ONNX model holds a graph")
    return found


def _count_operators(graph: Iterator[Field], operators: Counter[str]) -> None:
    for number, value in graph:
        if number != 1:
            continue
        kind = domain = ""
        for key, content in submessage(value):
            if key == 4:
                kind = text(content)
            elif key == 7:
                domain = text(content)
            elif key == 5:
                for attribute, graph_value in submessage(content):
                    if attribute in (6, 11):
                        _count_operators(submessage(graph_value), operators)
        operators[kind if domain in ("", "ai.onnx") else f"{domain}.{kind}"] += 1


def _initializer(value: int | memoryview) -> tuple[str, int]:
    """Its name and how many numbers it holds."""
    name, dimensions = "", list[int]()
    for number, content in submessage(value):
        if number == 1:
            dimensions += packed(content)
        elif number == 8:
            name = text(content)
    return name, math.prod(dimensions)


def _external_files(path: Path) -> set[str]:
    """The files that initializers of the main graph name as the place of their weights."""
    found = set()
    for number, value in _model(path):
        for tensor in (v for n, v in submessage(value) if n == 5) if number == 7 else ():
            for entry in (v for n, v in submessage(tensor) if n == 13):
                pair = {key: text(content) for key, content in submessage(entry)}
                if pair.get(1) == "location":
                    found.add(pair.get(2, ""))
    return found


def _external_size(path: Path, name: str) -> int:
    """The size in bytes of a file of weights beside the model."""
    folder = path.parent.resolve()
    file = (folder / name).resolve()
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
            return content
        if number == 2:
            return text(content)
    return "?"
