"""How models of each format are written: one explicit table, which needs none of what writes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from edgevision.modelfiles.metadata import Precision
from edgevision.modelfiles.metadata_beside import ENDING as METADATA_ENDING
from edgevision.modelfiles.model_file import ModelFormat


@dataclass(frozen=True)
class FormatWriter:
    """How models of one format are written.

    Attributes:
        write: ``module:function`` of a model, a path, metadata or ``None``, and whether in half precision.
        check_installed: ``module:function`` that raises :class:`.MissingExtraError` where the converter is missing.
        infix: what stands before the suffix in the names that models have by default.
        beside: endings of the files that are written besides the model's own.
        static: whether such models have one shape only.
        precisions: those in which it can be written.
        slow: whether converting takes seconds: dozens of forms are looked at on the way to a plan, which ONNX Runtime
            runs instead.
        simulator: ``module:class`` of an engine of a model and metadata, where the device is none of this machine.
    """

    write: str
    check_installed: str | None = None
    infix: str = ""
    beside: tuple[str, ...] = ()
    static: bool = False
    precisions: tuple[Precision, ...] = (Precision.FP32, Precision.FP16, Precision.INT8)
    slow: bool = False
    simulator: str | None = None


_CONVERSION = "edgevision.exporters.conversion"

WRITERS: Mapping[ModelFormat, FormatWriter] = {
    ModelFormat.ONNX: FormatWriter(f"{_CONVERSION}.onnx_files:write_onnx"),
    ModelFormat.OPENVINO: FormatWriter(
        f"{_CONVERSION}.openvino_conversion:write_openvino",
        "edgevision.runtime.engines.openvino_engine:import_openvino",
        beside=(".bin",),
    ),
    ModelFormat.TFLITE: FormatWriter(
        f"{_CONVERSION}.litert_conversion:write_tflite",
        f"{_CONVERSION}.litert_conversion:check_litert",
        static=True,
        precisions=(Precision.FP32, Precision.INT8),
        slow=True,  # LiteRT computes the same integers as ONNX Runtime
    ),
    ModelFormat.NCNN: FormatWriter(
        f"{_CONVERSION}.ncnn_conversion:write_ncnn",
        f"{_CONVERSION}.ncnn_conversion:find_pnnx",
        infix=".ncnn",  # beside an OpenVINO model of the same name, whose .bin it would take
        beside=(".bin", METADATA_ENDING),
        static=True,
        slow=True,  # NCNN computes the same integers as ONNX Runtime, but for -128
    ),
    ModelFormat.RKNN: FormatWriter(
        f"{_CONVERSION}.rknn_conversion:write_rknn",
        f"{_CONVERSION}.rknn_conversion:check_rknn",
        beside=(METADATA_ENDING,),
        static=True,
        precisions=(Precision.INT8,),
        slow=True,  # RKNN computes nearly the same
        simulator=f"{_CONVERSION}.rknn_conversion:RknnSimulator",
    ),
}
"""By format, what can be written."""
