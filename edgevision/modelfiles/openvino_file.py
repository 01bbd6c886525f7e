"""Looking into an OpenVINO IR (``.xml`` beside ``.bin``) without OpenVINO."""

import math
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from edgevision.core.regular_files import mapped
from edgevision.modelfiles.external_data import ExternalData
from edgevision.modelfiles.metadata import METADATA_KEY, TensorSpec
from edgevision.modelfiles.model_description import Graph, ModelDescription

_FREE_ELEMENTS, _BYTES_AN_ELEMENT = 100_000, 12
_MOST_DEEP = 100
_PIECE = 1 << 16
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


def describe(path: Path) -> ModelDescription:
    """All that is ever asked of the file, from one parse.

    Raises:
        ValueError: it is damaged, or holds more than a file of its size can need.
    """
    return describe_content(mapped(path), path.name)


def describe_content(content: bytes | memoryview, name: str) -> ModelDescription:
    """As :func:`describe`, of a file of that ``name`` in memory."""
    root = _parse(content)
    entry = root.find(f"rt_info/{METADATA_KEY}")
    inputs, outputs = _signature(root)
    weights, operators = 0, Counter[str]()
    for layer in root.iterfind("layers/layer"):
        operators[layer.get("type") or ""] += 1
        data = layer.find("data")
        if layer.get("type") == "Const" and data is not None:
            sides = (data.get("shape") or "").split(",", _MOST_DIMENSIONS)
            weights += math.prod(_side(side) for side in sides if side.strip())
    for kind in ("Parameter", "Result", "Const"):
        del operators[kind]
    graph = Graph(
        inputs=inputs,
        outputs=outputs,
        operators=dict(operators.most_common()),
        opsets={"ir": int(root.get("version") or 0)},
        weights=weights,
        external_data=(ExternalData(Path(name).with_suffix(".bin").name, is_companion=True),),
    )
    return ModelDescription(None if entry is None else entry.get("value"), graph)


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


def _parse(content: bytes | memoryview) -> ElementTree.Element:
    try:
        parser = ElementTree.XMLParser(target=_BoundedBuilder(len(content)))
        for start in range(0, len(content), _PIECE):
            parser.feed(bytes(content[start : start + _PIECE]))
        root: ElementTree.Element = parser.close()
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
