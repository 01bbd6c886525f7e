"""Models in the making: written in the format they are to have, and opened on the engine that is to run them."""

import itertools
import tempfile
from pathlib import Path
from types import TracebackType

import onnx

from edgevision.exporters.conversion.openvino_conversion import write_openvino
from edgevision.exporters.passes.cleanup import add_metadata
from edgevision.exporters.passes.half_precision import to_half
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.modelfiles.metadata import METADATA_KEY, ModelMetadata, Precision
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine

SUFFIX = {ModelFormat.ONNX: ".onnx", ModelFormat.OPENVINO: ".xml"}


def write_model(model: onnx.ModelProto, path: Path, format: ModelFormat, metadata: ModelMetadata | None) -> None:
    """Write ``model`` with its ``metadata``, in half precision where they say so; ``path`` has the format's suffix."""
    half = metadata is not None and metadata.precision is Precision.FP16
    if format is ModelFormat.OPENVINO:
        write_openvino(model, path, metadata, half=half)
        return
    if half:
        model = to_half(model)
    if metadata is not None:
        add_metadata(model, METADATA_KEY, metadata.to_json())
    path.write_bytes(model.SerializeToString())


class ModelOpener:
    """Opens models that are in memory only, on this CPU; while it is entered it has a folder for them."""

    def __init__(self, format: ModelFormat, metadata: ModelMetadata, threads: int | None) -> None:
        self._format, self._metadata, self._threads = format, metadata, threads
        self._folder = tempfile.TemporaryDirectory()
        self._numbers = itertools.count()

    def __call__(self, model: onnx.ModelProto, settings: EngineSettings) -> Engine:
        """The engine of ``model``, whose file is gone again; raises as :func:`open_engine`."""
        return self._open(model, settings, self._metadata, flush_denormals=True)

    def untouched(self, model: onnx.ModelProto, settings: EngineSettings) -> Engine:
        """The engine of ``model`` as others open it: its file says nothing new, and denormal numbers are computed."""
        return self._open(model, settings, None, flush_denormals=False)

    def _open(
        self, model: onnx.ModelProto, settings: EngineSettings, metadata: ModelMetadata | None, *, flush_denormals: bool
    ) -> Engine:
        folder = Path(self._folder.name)
        file = folder / f"{next(self._numbers)}{SUFFIX[self._format]}"
        write_model(model, file, self._format, metadata)
        try:
            return open_engine(
                file,
                settings.device,
                threads=self._threads,
                flush_denormals=flush_denormals,
                inference_precision=settings.inference_precision,
            )
        finally:
            for written in folder.iterdir():
                written.unlink()

    def __enter__(self) -> "ModelOpener":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()
