"""Opening a model file as the pipeline its metadata asks for."""

import os
from collections.abc import Mapping
from pathlib import Path

from edgevision.errors import InputError, ModelFileError
from edgevision.metadata import Task
from edgevision.modelfile import require_metadata
from edgevision.runtime.devices import open_engine
from edgevision.runtime.pipelines.classify import Classifier

PIPELINES: Mapping[Task, type[Classifier]] = {Task.CLASSIFY: Classifier}
"""The one table from a task to its pipeline."""

_ASSETS = Path(__file__).parent / "assets"


def load(model: str | os.PathLike[str] | Task, device: str = "cpu", *, threads: int | None = None) -> Classifier:
    """Load a model on a device, as a pipeline to call on pictures.

    ``model`` is a path to an ``.onnx`` or ``.xml`` file, or a :class:`Task` (or its name) for the model that ships
    with the package. ``device`` is one of ``cpu``, ``cuda``, ``tensorrt``, ``gpu``, ``npu``. ``threads`` bounds the
    CPU threads; by default the engine takes all cores.

        classify = edgevision.load("classify")
        classify("photo.jpg").top(3)                    # [("cat", 0.93), ("dog", 0.04), ("frog", 0.01)]
        [c.label for c in classify(["a.jpg", "b.jpg"])]  # a list runs in batches

    A picture is a path, encoded bytes, a Pillow image, or a uint8 array (H, W, 3) in RGB, (H, W, 4) or (H, W).
    The pipeline is a context manager; leaving it frees the model.

    Raises:
        ModelFileError: missing, damaged, without metadata, or newer than this release.
        DeviceError: the device is not there or cannot run all of the model.
    """
    path = shipped_model(Task(str(model))) if str(model) in list(Task) else Path(model)
    metadata = require_metadata(path)
    if metadata.task not in PIPELINES:
        raise ModelFileError(f"{str(path)!r} is for {metadata.task}, which this release cannot run")
    engine = open_engine(path, device, threads=threads)
    try:
        return PIPELINES[metadata.task](engine, metadata)
    except ModelFileError:
        engine.close()
        raise


def shipped_model(task: Task) -> Path:
    """The model that ships with the package for ``task``; :class:`InputError` where none does."""
    path = _ASSETS / f"{task}.onnx"
    if not path.is_file():
        raise InputError(f"no model ships for {task}; name one with --model")
    return path
