"""RKNN models for Rockchip's NPUs from ONNX models, by rknn-toolkit2, which also simulates them.

The toolkit takes QuantizeLinear and DequantizeLinear for what they say: the integers are those that the project's own
search has chosen, and its own calibration is not used.
"""

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx.helper import tensor_dtype_to_np_dtype

from edgevision.core.errors import DeviceError, InputError
from edgevision.exporters.conversion import rknn_program
from edgevision.exporters.conversion.converter_process import ConverterProcess
from edgevision.exporters.passes.canonical_form import canonical
from edgevision.modelfiles.metadata import ModelMetadata, TensorSpec
from edgevision.modelfiles.metadata_beside import metadata_path
from edgevision.runtime.engines.assignment import Assignment
from edgevision.runtime.engines.engine import Array, Closeable
from edgevision.runtime.engines.inputs import ordered_inputs

PYTHON = "EDGEVISION_RKNN_PYTHON"
"""Names the Python that has rknn-toolkit2, where that is another."""

_NEWEST_OPSET, _ITS_IR = 19, 9

RKNN_TOOLKIT = ConverterProcess(
    "rknn-toolkit2",
    rknn_program.__file__,
    PYTHON,
    DeviceError(
        "rknn-toolkit2, which makes RKNN models, is not here: make an environment for it as docs/formats.md says, and"
        f" name its Python in {PYTHON}"
    ),
)
_numbers = itertools.count()


def check_rknn() -> None:
    """Raise :class:`.DeviceError` where rknn-toolkit2 is missing."""
    RKNN_TOOLKIT.start()


def write_rknn(model: onnx.ModelProto, path: Path, metadata: ModelMetadata | None, *, half: bool) -> None:
    """Write ``path`` and the metadata beside it, whose target is the chip; what is not int8 is float16 there anyway.

    Raises:
        InputError: the toolkit gives up, or has no operator for something; it is named.
        OSError: the files cannot be written whole.
    """
    assert metadata is not None
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "model.onnx", Path(folder) / "model.rknn"
        source.write_bytes(_prepared(model))
        RKNN_TOOLKIT.ask("build", str(source), str(target), metadata.target)
        path.write_bytes(target.read_bytes())
    metadata_path(path).write_text(metadata.to_json() + "\n", encoding="utf-8")


class RknnSimulator(Closeable):
    """A model as rknn-toolkit2 simulates the chip: what it computes, not how fast.

    ``run`` takes and returns float arrays in the order of the model.
    """

    def __init__(self, model: onnx.ModelProto, metadata: ModelMetadata) -> None:
        """Raises as :func:`write_rknn`."""
        self.name, self.device, self.provider = "rknn-toolkit2's simulator", str(metadata.target), "simulator"
        self.inputs, self.outputs = _specs(model.graph.input), _specs(model.graph.output)
        self.assignment = Assignment.of("npu", (("npu", node.op_type) for node in model.graph.node))
        self._folder = tempfile.TemporaryDirectory()
        self._number = str(next(_numbers))
        source = Path(self._folder.name) / "model.onnx"
        try:
            source.write_bytes(_prepared(model))
            RKNN_TOOLKIT.ask("open", self._number, str(source), metadata.target)
        except BaseException:
            self._folder.cleanup()
            raise

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        given, found = (Path(self._folder.name) / name for name in ("inputs.npz", "outputs.npz"))
        np.savez(given, *ordered_inputs(self.inputs, inputs))
        RKNN_TOOLKIT.ask("run", self._number, str(given), str(found))
        with np.load(found, allow_pickle=False) as arrays:
            outputs = [arrays[key] for key in arrays.files]
        # Its axes of size 1 come and go.
        return [array.reshape(spec.shape) for array, spec in zip(outputs, self.outputs, strict=True)]

    def close(self) -> None:
        with self._folder:
            RKNN_TOOLKIT.ask("close", self._number)


def _specs(values: Sequence[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            name=value.name,
            shape=tuple(side.dim_value for side in value.type.tensor_type.shape.dim),
            dtype=tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
        )
        for value in values
    )


def _prepared(model: onnx.ModelProto) -> bytes:
    """In a version of the operators that the toolkit knows."""
    prepared = canonical(model)
    version = next(entry.version for entry in prepared.opset_import if entry.domain in ("", "ai.onnx"))
    if version > _NEWEST_OPSET:
        try:
            prepared = onnx.version_converter.convert_version(prepared, _NEWEST_OPSET)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"rknn-toolkit2 takes opset {_NEWEST_OPSET}, which has not all of this: {reason}"
            ) from error
    prepared.ir_version = min(prepared.ir_version, _ITS_IR)
    return bytes(prepared.SerializeToString())
