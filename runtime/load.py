"""Opening a model file as the pipeline its metadata asks for."""

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.metadata import ModelMetadata, Prediction, Task
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.shipped_models import resolve_model

PIPELINES: Mapping[Task, str] = {
    Task.CLASSIFY: "edgevision.runtime.tasks.classification.classifier:Classifier",
    Task.GENERATE: "edgevision.runtime.tasks.generation.generator:Generator",
    Task.RECONSTRUCT: "edgevision.runtime.tasks.autoencoding.autoencoder:Reconstructor",
    Task.ENCODE: "edgevision.runtime.tasks.autoencoding.autoencoder:Encoder",
    Task.INPAINT: "edgevision.runtime.tasks.restoration.inpainter:Inpainter",
    Task.DENOISE: "edgevision.runtime.tasks.restoration.restorer:Restorer",
    Task.UPSCALE: "edgevision.runtime.tasks.restoration.restorer:Restorer",
    Task.BRIGHTEN: "edgevision.runtime.tasks.restoration.restorer:Restorer",
}
"""The one table from a task to its pipeline, which is imported when it is needed."""


def load(
    model: str | os.PathLike[str] | Task,
    device: str = "cpu",
    *,
    threads: int | None = None,
    allow_fallback: bool = False,
    task: Task | None = None,
    **options: Any,
) -> Any:
    """Load a model on a device, as a pipeline to call on pictures.

    ``model`` is a path to an ``.onnx`` or ``.xml`` file, or the name of a model that ships with the package, which is
    that of its task (and ``upscale_x4``). ``device`` is one of ``cpu``, ``cuda``, ``tensorrt``, ``gpu``, ``npu``,
    ``auto``, with ``:N`` for one of several, or exact as in ``openvino:npu``; ``allow_fallback`` lets the CPU do what
    it cannot. ``threads`` bounds the CPU threads; by default the engine takes all cores where that helps. With
    ``task`` a model for another task is refused.

        classify = edgevision.load("classify")
        classify("photo.jpg").top(3)                    # [("cat", 0.93), ("dog", 0.04), ("frog", 0.01)]
        [c.label for c in classify(["a.jpg", "b.jpg"])]  # a list runs in batches
        inpaint = edgevision.load("inpaint", memory=256 << 20)
        inpaint("photo.jpg", "mask.png").save("whole.png")

    A picture is a path, encoded bytes, a Pillow image, or a uint8 array (H, W, 3) in RGB, (H, W, 4) or (H, W).
    The pipeline is a context manager; leaving it frees the model. It is a
    :class:`~edgevision.runtime.tasks.classification.classifier.Classifier`, or for restoration a
    :class:`~edgevision.runtime.tasks.restoration.restorer.Restorer`, which takes ``tile`` and ``memory`` as
    ``options``.

    Raises:
        InputError: a word that is neither a file nor a model that ships.
        ModelFileError: missing, damaged, without metadata, or newer than this release.
        DeviceError: the device is not there or cannot run all of the model.
    """
    path = resolve_model(model)
    metadata = require_metadata(path)
    if task is not None and metadata.task is not task:
        raise ModelFileError(f"{str(path)!r} is for {metadata.task}, not for {task}")
    if threads is None and _draws_curves(metadata):
        # Threads that wait for the next thumbnail would take the cores from what is done to the pictures.
        threads = 1
    # Between the tiles of a large picture the memory is needed for the picture itself.
    engine = open_engine(
        path,
        device,
        threads=threads,
        keep_memory=metadata.restoration is None,
        allow_fallback=allow_fallback,
        cache=True,
        tile=options.get("tile"),
    )
    try:
        return build_pipeline(engine, metadata, **options)
    except Exception:
        engine.close()
        raise


def build_pipeline(engine: Engine, metadata: ModelMetadata, **options: Any) -> Any:
    """The pipeline that ``metadata`` asks for on ``engine``, which it closes in turn."""
    if metadata.task not in PIPELINES:
        raise ModelFileError(f"{metadata.name!r} is for {metadata.task}, for which there is no pipeline to run it in")
    module, name = PIPELINES[metadata.task].split(":")
    return getattr(import_module(module), name)(engine, metadata, **options)


def _draws_curves(metadata: ModelMetadata) -> bool:
    return metadata.restoration is not None and metadata.restoration.predicts is Prediction.CURVES
