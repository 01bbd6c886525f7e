"""Denormal numbers among the weights of a model file, found without an engine.

They lie between zero and the smallest normal number (1.2e-38 in float32), and weights that training has let die end
there. Many CPUs compute with them in microcode: a layer can take 50 times as long for what adds nothing to its output.
Numbers are told by their bits, because a thread that takes denormals for zero compares them so, too.
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.modelfiles.protobuf import fields, packed, submessage, text


@dataclass(frozen=True)
class FloatFormat:
    """How a floating point number lies in memory: the dtype of its ``bits``, and which of them are the ``exponent``."""

    bits: str
    exponent: int

    @property
    def smallest_normal(self) -> int:
        """The bits of the smallest normal number: an exponent of one and nothing else."""
        return self.exponent & -self.exponent

    def denormals(self, bits: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of an array of ``bits`` are denormal numbers."""
        is_small = bits & bits.dtype.type(self.exponent) == 0
        return np.asarray(is_small & (bits << bits.dtype.type(1) != 0))


# Half precision is left out: its denormals are numbers of a size that counts, and CPUs widen them to normal float32.
FLOAT_FORMATS: Mapping[int, FloatFormat] = {
    1: FloatFormat("<u4", 0x7F80_0000),
    11: FloatFormat("<u8", 0x7FF0_0000_0000_0000),
    16: FloatFormat("<u2", 0x7F80),
}
"""float32, float64 and bfloat16 by their number in ONNX (TensorProto.DataType)."""

_OPENVINO = {"f32": 1, "f64": 11, "bf16": 16}

# So many values are looked at; of larger models every second, third and so on.
_MOST = 1 << 24
_PORTION = 1 << 16

_Weights = tuple[int, memoryview]


def denormal_share(path: Path) -> float:
    """The share (0..1) of denormal numbers among the float weights of an ``.onnx`` or ``.xml`` model that loads.

    At most 16 million of them are looked at, spread over all.

    Raises:
        ValueError, OSError: the file is damaged, or its weights are not where it says.
    """
    found = [(FLOAT_FORMATS[kind], content) for kind, content in _weights(path) if kind in FLOAT_FORMATS]
    arrays = [(form, _as_bits(form, content)) for form, content in found]
    step = -(-sum(len(bits) for _, bits in arrays) // _MOST) or 1
    seen = denormal = 0
    for form, bits in arrays:
        for start in range(0, len(bits), step * _PORTION):
            portion = bits[start : start + step * _PORTION : step]
            seen += len(portion)
            denormal += int(form.denormals(portion).sum())
    return denormal / seen if seen else 0.0


def _as_bits(form: FloatFormat, content: memoryview) -> NDArray[Any]:
    dtype = np.dtype(form.bits)
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)


def _weights(path: Path) -> Iterator[_Weights]:
    return _openvino_weights(path) if path.suffix.lower() == ".xml" else _onnx_weights(path)


def _openvino_weights(path: Path) -> Iterator[_Weights]:
    from xml.etree import ElementTree

    content = _mapped(path.with_suffix(".bin"))
    for data in ElementTree.parse(path).getroot().iterfind("layers/layer/data"):
        kind = _OPENVINO.get(data.get("element_type", ""))
        if kind is not None and data.get("offset") is not None:
            start = int(data.get("offset", 0))
            yield kind, content[start : start + int(data.get("size", 0))]


def _onnx_weights(path: Path) -> Iterator[_Weights]:
    for number, value in fields(_mapped(path)):
        if number == 7:
            yield from _graph_weights(path, value)
        elif number == 25:  # functions
            for key, node in submessage(value):
                if key == 7:
                    yield from _node_weights(path, node)


def _graph_weights(path: Path, graph: int | memoryview) -> Iterator[_Weights]:
    for number, value in submessage(graph):
        if number == 1:
            yield from _node_weights(path, value)
        elif number == 5:
            yield from _tensor_weights(path, value)
        elif number == 15:  # sparse initializers, whose first field are their values
            for key, content in submessage(value):
                if key == 1:
                    yield from _tensor_weights(path, content)


def _node_weights(path: Path, node: int | memoryview) -> Iterator[_Weights]:
    """Those in its attributes, as in a Constant, and in its branches."""
    for number, attribute in submessage(node):
        if number != 5:
            continue
        for key, content in submessage(attribute):
            if key in (5, 10):
                yield from _tensor_weights(path, content)
            elif key in (6, 11):
                yield from _graph_weights(path, content)


def _tensor_weights(path: Path, tensor: int | memoryview) -> Iterator[_Weights]:
    kind, external, contents = 0, dict[str, str](), list[memoryview]()
    for number, value in submessage(tensor):
        if number == 2 and isinstance(value, int):
            kind = value
        elif number == 13:
            entry = {key: text(content) for key, content in submessage(value)}
            external[entry.get(1, "")] = entry.get(2, "")
        elif number in (4, 9, 10) and isinstance(value, memoryview):
            contents.append(value)
        elif number == 5 and kind == 16:
            contents.append(memoryview(np.array(packed(value), np.uint16).tobytes()))
    if external.get("location"):
        content = _mapped(path.parent / external["location"])
        start = int(external.get("offset", 0))
        contents = [content[start : start + int(external.get("length", len(content)))]]
    for content in contents if len(contents) < 2 else [memoryview(b"".join(contents))]:
        yield kind, content


def _mapped(path: Path) -> memoryview:
    if not path.stat().st_size:
        return memoryview(b"")
    with path.open("rb") as file:
        # Closed when the last slice of it goes.
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
