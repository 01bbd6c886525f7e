"""Models in the making: written in the format they are to have, and opened on the engine that is to run them."""

import itertools
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from types import TracebackType

import onnx

from edgevision.core.lazy_objects import load_object
from edgevision.exporters.engine_process import ProcessEngine, engine_process
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.modelfiles.metadata import ModelMetadata, Precision
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.engines.engine import Engine


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
        beside=(".bin", ".edgevision.json"),
        static=True,
        precisions=(Precision.FP32, Precision.FP16),
    ),
    ModelFormat.RKNN: FormatWriter(
        f"{_CONVERSION}.rknn_conversion:write_rknn",
        f"{_CONVERSION}.rknn_conversion:check_rknn",
        beside=(".edgevision.json",),
        static=True,
        precisions=(Precision.INT8,),
        slow=True,  # RKNN computes nearly the same
        simulator=f"{_CONVERSION}.rknn_conversion:RknnSimulator",
    ),
}
"""By format, what can be written."""


def write_model(model: onnx.ModelProto, path: Path, format: ModelFormat, metadata: ModelMetadata | None) -> None:
    """Write ``model`` with its ``metadata``, in half precision where they say so; ``path`` has the format's suffix."""
    half = metadata is not None and metadata.precision is Precision.FP16
    load_object(WRITERS[format].write)(model, path, metadata, half=half)


class ModelOpener:
    """Opens models that are in memory only, on this CPU; while it is entered it has a folder for them.

    They run in a process of their own: see :mod:`edgevision.exporters.engine_process`.
    """

    def __init__(self, format: ModelFormat, metadata: ModelMetadata, threads: int | None) -> None:
        self._format, self._metadata, self._threads = format, metadata, threads
        self._folder = tempfile.TemporaryDirectory()
        self._numbers = itertools.count()

    def __call__(self, model: onnx.ModelProto, settings: EngineSettings) -> Engine:
        """The engine of ``model``; raises as :func:`open_engine`, and :class:`EngineCrashError`."""
        return self._open(model, settings, self._metadata, flush_denormals=True)

    def untouched(self, model: onnx.ModelProto, settings: EngineSettings) -> Engine:
        """The engine of ``model`` as others open it: its file says nothing new, and denormal numbers are computed."""
        return self._open(model, settings, None, flush_denormals=False)

    def _open(
        self, model: onnx.ModelProto, settings: EngineSettings, metadata: ModelMetadata | None, *, flush_denormals: bool
    ) -> Engine:
        simulator = WRITERS[self._format].simulator
        if simulator is not None:
            return load_object(simulator)(model, self._metadata)  # type: ignore[no-any-return]
        folder = Path(self._folder.name) / str(next(self._numbers))
        folder.mkdir()
        file = folder / f"model{self._format.suffix}"
        write_model(model, file, self._format, metadata)
        options = {
            "threads": self._threads,
            "flush_denormals": flush_denormals,
            "inference_precision": settings.inference_precision,
        }
        return ProcessEngine(
            engine_process(), file, settings.device, options, partial(rmtree, folder, ignore_errors=True)
        )

    def __enter__(self) -> "ModelOpener":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()
