"""Models in the making: written in the format they are to have, and opened on the engine that is to run them."""

import itertools
import tempfile
from functools import partial
from pathlib import Path
from shutil import rmtree
from types import TracebackType

import onnx

from edgevision.core.lazy_objects import load_object
from edgevision.exporters.engine_process import ProcessEngine, engine_process
from edgevision.exporters.format_writers import WRITERS
from edgevision.exporters.quantization.engine_settings import EngineSettings
from edgevision.modelfiles.metadata import ModelMetadata, Precision
from edgevision.modelfiles.metadata_beside import ENDING as METADATA_ENDING
from edgevision.modelfiles.model_file import ModelFormat
from edgevision.runtime.engines.engine import Engine


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
        # Engines that read them beside a file do not run without.
        metadata = self._metadata if METADATA_ENDING in WRITERS[self._format].beside else None
        return self._open(model, settings, metadata, flush_denormals=False)

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
