"""Looking into an OpenVINO IR (``.xml`` beside ``.bin``) without OpenVINO."""

import math
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.metadata import METADATA_KEY, TensorSpec

_FREE_ELEMENTS, _BYTES_AN_ELEMENT = 100_000, 12
_MOST_DEEP = 100
_MOST_DIMENSIONS = 64

_DTYPES = {
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "u8": "uint8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "boolean": "bool",
}


def read_document(path: Path) -> str | None:
    """The project's JSON document in the model's ``rt_info``, or ``None``."""
    entry = _parse(path).find(f"rt_info/{METADATA_KEY}")
    return None if entry is None else entry.get("value")


def check(path: Path) -> None:
    """Raise :class:`ModelFileError` where the ``.xml`` is damaged or the ``.bin`` with the weights is missing."""
    _parse(path)
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise ModelFileError(f"{str(path)!r} lacks its weights; {weights.name!r} belongs beside it")


def companions(path: Path) -> tuple[str, ...]:
    """The file of weights, relative to the model's folder."""
    return (path.with_suffix(".bin").name,)


def read_signature(path: Path) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The inputs and outputs of the graph."""
    return _signature(_parse(path))


def read_facts(path: Path) -> dict[str, Any]:
    """The fields of :class:`edgevision.modelfiles.model_facts.ModelFacts` that an IR tells."""
    check(path)
    root = _parse(path)
    inputs, outputs = _signature(root)
    weights = 0
    operators = Counter[str]()
    for layer in root.iterfind("layers/layer"):
        operators[layer.get("type") or ""] += 1
        data = layer.find("data")
        if layer.get("type") == "Const" and data is not None:
            sides = (data.get("shape") or "").split(",", _MOST_DIMENSIONS)
            weights += math.prod(_side(side) for side in sides if side.strip())
    for kind in ("Parameter", "Result", "Const"):
        del operators[kind]
    return {
        "inputs": inputs,
        "outputs": outputs,
        "operators": dict(operators.most_common()),
        "opsets": {"ir": int(root.get("version") or 0)},
        "weights": weights,
        "size_bytes": path.stat().st_size + path.with_suffix(".bin").stat().st_size,
    }


def _signature(root: ElementTree.Element) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    layers = {layer.get("id"): layer for layer in root.iterfind("layers/layer")}
    producers = {e.get("to-layer"): (e.get("from-layer"), e.get("from-port")) for e in root.iterfind("edges/edge")}
    inputs: list[TensorSpec] = []
    outputs: list[TensorSpec] = []
    for identity, layer in layers.items():
        if layer.get("type") == "Parameter":
            port = layer.find("output/port")
            if port is not None:
                inputs.append(_tensor(port, layer))
        elif layer.get("type") == "Result":
            source, port_id = producers.get(identity, (None, None))
            producer = layers.get(source)
            if producer is not None:
                ports = producer.iterfind("output/port")
                outputs.extend(_tensor(port, producer) for port in ports if port.get("id") == port_id)
    return tuple(inputs), tuple(outputs)


def _parse(path: Path) -> ElementTree.Element:
    try:
        builder = _BoundedBuilder(path.stat().st_size)
        root = ElementTree.parse(path, ElementTree.XMLParser(target=builder)).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"not an OpenVINO model, {error}") from error
    if root.tag != "net" or root.find("layers") is None:
        raise ValueError("an OpenVINO model holds layers")
    return root


def _side(text: str) -> int:
    """A side of a tensor, in at most the 64 bits that one can have."""
    if len(text) > 20:
        raise ValueError(f"a side of {text!r:.30}")
    return int(text)


class _BoundedBuilder(ElementTree.TreeBuilder):
    """Builds no more elements than a file of ``size`` bytes can need, and no entities at all: no IR has any."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = _FREE_ELEMENTS + size // _BYTES_AN_ELEMENT
        self._depth = 0

    def start(self, tag: Any, attrs: Any, /) -> ElementTree.Element:
        self._left -= 1 + len(attrs)
        self._depth += 1
        if self._left < 0 or self._depth > _MOST_DEEP:
            raise ValueError("it has more elements, or deeper ones, than a model of its size can need")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise ValueError("it has a document type, with which a few bytes can stand for gigabytes")


def _tensor(port: ElementTree.Element, layer: ElementTree.Element) -> TensorSpec:
    name = (port.get("names") or layer.get("name") or "").split(",")[0]
    sizes = [_side(dimension.text or "0") for dimension in port.iterfind("dim")]
    precision = (port.get("precision") or "").lower()
    dtype = {"fp32": "float32", "fp16": "float16", "fp64": "float64"}.get(precision)
    return TensorSpec(
        name=name,
        shape=tuple(size if size >= 0 else "?" for size in sizes),
        dtype=dtype or _DTYPES.get(precision, precision),
    )
