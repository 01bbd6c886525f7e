"""The colour classifier of ``tests/runtime/conftest.py`` for LiteRT and NCNN, which take one picture at a time."""

from pathlib import Path
from typing import Any

import numpy as np

from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata, TensorSpec
from edgevision.modelfiles.metadata_beside import metadata_path

INPUTS = (TensorSpec(name="image", shape=(1, 3, 8, 8), value_range=(0.0, 1.0)),)
OUTPUTS = (TensorSpec(name="logits", shape=(1, 3)),)

PARAM = """7767517
3 3
Input image 0 1 image
Pooling mean 1 1 image mean 0=1 4=1
BinaryOp ten 1 1 mean logits 0=2 1=1 2=10
"""


def write_ncnn(path: Path, metadata: ModelMetadata | None) -> None:
    path.write_text(PARAM)
    path.with_suffix(".bin").write_bytes(b"")
    if metadata is not None:
        metadata_path(path).write_text(metadata.to_json())


def write_tflite(path: Path, metadata: ModelMetadata | None) -> None:
    path.write_bytes(tflite(metadata))


def tflite(metadata: ModelMetadata | None = None) -> bytes:
    """A mean over height and width, times ten."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    contents = [b"", np.int32([2, 3]).tobytes(), np.float32([10]).tobytes()]
    kinds = schema.TensorType
    tensors = [
        _filled(schema.TensorT(), name=name, shape=shape, buffer=buffer, type=kind)
        for name, shape, buffer, kind in (
            ("image", [1, 3, 8, 8], 0, kinds.FLOAT32),
            ("axes", [2], 1, kinds.INT32),
            ("mean", [1, 3], 0, kinds.FLOAT32),
            ("ten", [1], 2, kinds.FLOAT32),
            ("logits", [1, 3], 0, kinds.FLOAT32),
        )
    ]
    options = schema.BuiltinOptions
    mean = _filled(schema.OperatorT(), opcodeIndex=0, inputs=[0, 1], outputs=[2])
    mean = _filled(mean, builtinOptionsType=options.ReducerOptions, builtinOptions=schema.ReducerOptionsT())
    product = _filled(schema.OperatorT(), opcodeIndex=1, inputs=[2, 3], outputs=[4])
    product = _filled(product, builtinOptionsType=options.MulOptions, builtinOptions=schema.MulOptionsT())
    codes = [
        _filled(schema.OperatorCodeT(), builtinCode=code, deprecatedBuiltinCode=code, version=1)
        for code in (schema.BuiltinOperator.MEAN, schema.BuiltinOperator.MUL)
    ]
    graph = _filled(schema.SubGraphT(), tensors=tensors, inputs=[0], outputs=[4], operators=[mean, product])
    entries = []
    if metadata is not None:
        entries = [_filled(schema.MetadataT(), name=METADATA_KEY, buffer=len(contents))]
        contents.append(metadata.to_json().encode())
    buffers = [_filled(schema.BufferT(), data=np.frombuffer(data, np.uint8) if data else None) for data in contents]
    model = _filled(
        schema.ModelT(), version=3, operatorCodes=codes, subgraphs=[graph], buffers=buffers, metadata=entries
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _filled(part: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        assert hasattr(part, name), name
        setattr(part, name, value)
    return part
