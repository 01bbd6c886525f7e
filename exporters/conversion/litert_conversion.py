"""A LiteRT model (``.tflite``) from an ONNX model, by litert-torch, which runs in a process of its own."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from edgevision.core.errors import InputError, MissingExtraError
from edgevision.core.extras import requires_extra
from edgevision.exporters.conversion import litert_program
from edgevision.exporters.conversion.converter_process import ConverterProcess
from edgevision.exporters.onnx_to_torch.exported_network import exported_network
from edgevision.exporters.passes.canonical_form import canonical
from edgevision.exporters.passes.convolution_rewrites import pool_by_operator, stride_by_convolution
from edgevision.exporters.passes.graph_pass import Rewriting, Sequential
from edgevision.exporters.passes.transposed_convolutions import TransposedConvolutions
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata

PYTHON = "EDGEVISION_LITERT_PYTHON"
"""Names the Python that has litert-torch, where that is another."""

LITERT_TORCH = ConverterProcess(
    "litert-torch", litert_program.__file__, PYTHON, MissingExtraError("litert_torch", "export-tflite")
)

_PASSES = Sequential(
    [
        Rewriting("means over a picture as GlobalAveragePool", pool_by_operator),
        Rewriting("strided slices with padding as convolutions", stride_by_convolution),
    ]
)


def check_litert() -> None:
    """Raise :class:`.MissingExtraError` where LiteRT or its converter is not installed."""
    with requires_extra("tflite"):
        import ai_edge_litert.interpreter  # noqa: F401
    LITERT_TORCH.start()


def write_tflite(model: onnx.ModelProto, path: Path, metadata: ModelMetadata | None, *, half: bool) -> None:
    """Write ``path``, the metadata inside; the model's shapes have to be known, and its inputs and outputs keep their
    names.

    Raises:
        InputError: an operator has no counterpart in LiteRT; it is named.
        OSError: the file cannot be written whole.
    """
    assert not half
    prepared = canonical(_PASSES(canonical(model)).model)
    try:
        content = _converted(prepared)
    except InputError:
        # Some of their kernels and strides it does not take; as ordinary convolutions it does.
        rewritten = TransposedConvolutions(_examples(prepared), least_speedup=0)(prepared)
        if not rewritten.modified:
            raise
        content = _converted(rewritten.model)
    path.write_bytes(_described(content, model, metadata))


def _converted(model: onnx.ModelProto) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "model.pt2", Path(folder) / "model.tflite"
        torch.export.save(exported_network(model), source)
        LITERT_TORCH.ask(str(source), str(target))
        return target.read_bytes()


def _examples(model: onnx.ModelProto) -> list[Any]:
    generator = np.random.default_rng(0)
    shapes = [[side.dim_value for side in value.type.tensor_type.shape.dim] for value in model.graph.input]
    return [generator.random(shape, np.float32) for shape in shapes]


def _described(content: bytes, model: onnx.ModelProto, metadata: ModelMetadata | None) -> bytes:
    """The file with the model's own names for its inputs and outputs, and with metadata."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    file = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = file.subgraphs[0]
    _give_float(file, schema)
    for numbers, values in ((graph.inputs, model.graph.input), (graph.outputs, model.graph.output)):
        for number, value in zip(numbers, values, strict=True):
            graph.tensors[number].name = value.name
    # Nothing of ours reads signatures, and those of other names would mislead.
    file.signatureDefs = []
    if metadata is not None:
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data = np.frombuffer(metadata.to_json().encode(), np.uint8)
        entry.name, entry.buffer = METADATA_KEY, len(file.buffers)
        file.buffers.append(buffer)
        file.metadata = [*(file.metadata or []), entry]
    builder = flatbuffers.Builder(len(content) + (1 << 16))
    builder.Finish(file.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _give_float(file: Any, schema: Any) -> None:
    """Let a graph whose inputs and outputs are int8 take and give float, as its metadata say."""
    graph, codes = file.subgraphs[0], schema.BuiltinOperator
    graph.inputs, graph.outputs = [list(map(int, numbers)) for numbers in (graph.inputs, graph.outputs)]
    for numbers, code, first in ((graph.inputs, codes.QUANTIZE, True), (graph.outputs, codes.DEQUANTIZE, False)):
        for position, number in enumerate(numbers):
            inner = graph.tensors[number]
            if inner.type == schema.TensorType.FLOAT32:
                continue
            outer = schema.TensorT()
            outer.shape, outer.shapeSignature, outer.buffer = inner.shape, inner.shapeSignature, 0
            outer.type = schema.TensorType.FLOAT32
            graph.tensors.append(outer)
            numbers[position] = len(graph.tensors) - 1
            operator = schema.OperatorT()
            operator.opcodeIndex = _operator_code(file, schema, code)
            ends = [number], [numbers[position]]
            operator.inputs, operator.outputs = reversed(ends) if first else ends
            graph.operators.insert(0 if first else len(graph.operators), operator)


def _operator_code(file: Any, schema: Any, code: int) -> int:
    entry = schema.OperatorCodeT()
    entry.builtinCode = entry.deprecatedBuiltinCode = code
    entry.version = 1
    file.operatorCodes.append(entry)
    return len(file.operatorCodes) - 1
