"""Opening a model file as the pipeline its metadata asks for."""

import os
from typing import Any

from edgevision.core.errors import ModelFileError
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.shipped_models import resolve_model


def load(
    model: str | os.PathLike[str],
    device: str = "cpu",
    *,
    threads: int | None = None,
    allow_fallback: bool = False,
    task: str | None = None,
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
    if task is not None and metadata.task != task:
        raise ModelFileError(f"{str(path)!r} is for {metadata.task}, not for {task}")
    needs = find_task(metadata.task).engine_needs(metadata)
    engine = open_engine(
        path,
        device,
        threads=threads if threads is not None else needs.threads,
        keep_memory=needs.keep_memory,
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
    return find_task(metadata.task).pipeline(engine, metadata, **options)
