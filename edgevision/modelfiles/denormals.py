"""Denormal numbers among the weights of a model file, found without an engine.

They lie between zero and the smallest normal number (1.2e-38 in float32), and weights that training has let die end
there. Many CPUs compute with them in microcode: a layer can take 50 times as long for what adds nothing to its output.
Numbers are told by their bits, because a thread that takes denormals for zero compares them so, too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevision.core.regular_files import mapped
from edgevision.modelfiles.model_file import ModelFormat, model_format
from edgevision.modelfiles.onnx_file import external_data
from edgevision.modelfiles.onnx_messages import messages
from edgevision.modelfiles.onnx_proto import DataType, TensorProto
from edgevision.modelfiles.protobuf import Content, Field, packed
from edgevision.modelfiles.tflite_file import constants


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
    DataType.FLOAT: FloatFormat("<u4", 0x7F80_0000),
    DataType.DOUBLE: FloatFormat("<u8", 0x7FF0_0000_0000_0000),
    DataType.BFLOAT16: FloatFormat("<u2", 0x7F80),
}
"""float32, float64 and bfloat16 by their number in ONNX (TensorProto.DataType)."""

_OPENVINO = {"f32": DataType.FLOAT, "f64": DataType.DOUBLE, "bf16": DataType.BFLOAT16}

# float16 and int8 in a .bin (ncnn's src/modelbin.cpp).
_NCNN_SHORT_WEIGHTS = (0x0130_6B47, 0x000D_4B38)

_CONTENTS = (TensorProto.FLOAT_DATA, TensorProto.RAW_DATA, TensorProto.DOUBLE_DATA)

# So many values are looked at; of larger models every second, third and so on.
_MOST = 1 << 24
_PORTION = 1 << 16

_Weights = tuple[int, Content]


def denormal_share(path: Path) -> float:
    """The share (0..1) of denormal numbers among the float weights of a model that loads.

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


def _as_bits(form: FloatFormat, content: Content) -> NDArray[Any]:
    dtype = np.dtype(form.bits)
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)


def _weights(path: Path) -> Iterator[_Weights]:
    return _READERS[model_format(path)](path)


def _openvino_weights(path: Path) -> Iterator[_Weights]:
    from xml.etree import ElementTree

    content = mapped(path.with_suffix(".bin"))
    for data in ElementTree.parse(path).getroot().iterfind("layers/layer/data"):
        kind = _OPENVINO.get(data.get("element_type", ""))
        if kind is not None and data.get("offset") is not None:
            start = int(data.get("offset", 0))
            yield kind, content[start : start + int(data.get("size", 0))]


def _tflite_weights(path: Path) -> Iterator[_Weights]:
    for dtype, content in constants(path):
        if dtype == "float32":
            yield DataType.FLOAT, content


def _ncnn_weights(path: Path) -> Iterator[_Weights]:
    content = mapped(path.with_suffix(".bin"))
    words = np.frombuffer(content[: len(content) // 4 * 4], "<u4")
    # Those in fewer bits begin with a number that says so; none are told from float32 by where they lie.
    if not np.isin(words, _NCNN_SHORT_WEIGHTS).any():
        yield DataType.FLOAT, content


def _no_weights(path: Path) -> Iterator[_Weights]:
    """RKNN has none in float32."""
    return iter(())


def _onnx_weights(path: Path) -> Iterator[_Weights]:
    """Those of all tensors, wherever in the model they are."""
    for message in messages(mapped(path)):
        if message.kind is TensorProto:
            yield from _tensor_weights(path, message.fields)


def _tensor_weights(path: Path, tensor: list[Field]) -> Iterator[_Weights]:
    dtype, contents = 0, list[Content]()
    for number, value in tensor:
        if number == TensorProto.DATA_TYPE and isinstance(value, int):
            dtype = value
        elif number in _CONTENTS and not isinstance(value, int):
            contents.append(value)
        elif number == TensorProto.INT32_DATA and dtype == DataType.BFLOAT16:
            halves = [number & 0xFFFF for number in packed(value, most=None)]
            contents.append(np.array(halves, np.uint16).tobytes())
    external = external_data(tensor)
    if external is not None:
        file = mapped(path.parent / external.file)
        contents = [file[external.offset : external.offset + (external.length or len(file))]]
    if contents:
        yield dtype, contents[0] if len(contents) == 1 else b"".join(contents)


_READERS = {
    ModelFormat.ONNX: _onnx_weights,
    ModelFormat.OPENVINO: _openvino_weights,
    ModelFormat.TFLITE: _tflite_weights,
    ModelFormat.NCNN: _ncnn_weights,
    ModelFormat.RKNN: _no_weights,
}
