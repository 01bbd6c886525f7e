"""Opening a model file as the pipeline its metadata asks for."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from edgevision.core.errors import InputError, ModelFileError
from edgevision.modelfiles.composition_registry import COMPOSITIONS, open_composition
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import require_metadata
from edgevision.modelfiles.signature_policy import required_signatures, verified_where_required
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engines.engine import Engine
from edgevision.runtime.shipped_models import resolve_model, shipped_model, shipped_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgevision.imaging.picture_sources import ArrayColor
    from edgevision.runtime.compositions.cutter import Cutter
    from edgevision.runtime.compositions.follower import Follower
    from edgevision.runtime.compositions.remover import Remover
    from edgevision.runtime.compositions.replacer import Replacer
    from edgevision.runtime.tasks.autoencoding.autoencoder import Encoder, Reconstructor
    from edgevision.runtime.tasks.classification.classifier import Classifier
    from edgevision.runtime.tasks.compression.compressor import Compressor
    from edgevision.runtime.tasks.compression.decompressor import Decompressor
    from edgevision.runtime.tasks.detection.detector import Detector
    from edgevision.runtime.tasks.detection.spec import Merge
    from edgevision.runtime.tasks.generation.generator import Generator
    from edgevision.runtime.tasks.keypoints.finder import KeypointFinder
    from edgevision.runtime.tasks.restoration.inpainter import Inpainter
    from edgevision.runtime.tasks.restoration.restorer import Restorer
    from edgevision.runtime.tasks.segmentation.segmenter import Segmenter
    from edgevision.runtime.tasks.sequences.sequence_classifier import SequenceClassifier
    from edgevision.runtime.tasks.stylization.stylizer import Stylizer
    from edgevision.runtime.tasks.translation.translator import Translator
    from edgevision.runtime.tasks.windows import Tile


class LoadOptions(TypedDict, total=False):
    """What every model can be loaded with; :func:`load` says what it means."""

    threads: int | None
    allow_fallback: bool
    require_signature: "ModelPath | None"
    color: "ArrayColor"


class AnswerOptions(LoadOptions, total=False):
    """The options of a model that finds things: which are answers."""

    min_score: float | None
    most: int | None


class DetectionOptions(AnswerOptions, total=False):
    """The options of a detection model, which are those of a :class:`Detector`."""

    iou: float | None
    merge: "Merge | None"
    tile: "Tile | None"
    batch: int


class SegmentationOptions(AnswerOptions, total=False):
    """The options of a segmentation model, which are those of a :class:`Segmenter`."""

    threshold: float | None
    tile: "Tile | None"


class KeypointOptions(AnswerOptions, total=False):
    """The options of a keypoint model, which are those of a :class:`KeypointFinder`."""

    box: "Sequence[float] | None"
    detector: "Detector | str | os.PathLike[str] | None"


class RestorationOptions(LoadOptions, total=False):
    """The options of a restoration model, which are those of a :class:`Restorer`."""

    tile: int | None
    memory: int


ModelPath = str | os.PathLike[str]


# What a type checker knows of a pipeline: it is told by the name of a model that ships, or by the task.
@overload
def load(model: Literal["classify"], device: str = ..., **options: Unpack[LoadOptions]) -> "Classifier": ...
@overload
def load(model: Literal["compress"], device: str = ..., **options: Unpack[LoadOptions]) -> "Compressor": ...
@overload
def load(model: Literal["decompress"], device: str = ..., **options: Unpack[LoadOptions]) -> "Decompressor": ...
@overload
def load(model: Literal["generate"], device: str = ..., **options: Unpack[LoadOptions]) -> "Generator": ...
@overload
def load(model: Literal["inpaint"], device: str = ..., **options: Unpack[RestorationOptions]) -> "Inpainter": ...
@overload
def load(
    model: Literal["denoise", "brighten", "colorize", "upscale_x4"],
    device: str = ...,
    **options: Unpack[RestorationOptions],
) -> "Restorer": ...
@overload
def load(model: Literal["stylize"], device: str = ..., **options: Unpack[RestorationOptions]) -> "Stylizer": ...
@overload
def load(
    model: Literal["upscale"], device: str = ..., *, scale: int | None = ..., **options: Unpack[RestorationOptions]
) -> "Restorer": ...
@overload
def load(model: Literal["detect"], device: str = ..., **options: Unpack[DetectionOptions]) -> "Detector": ...
@overload
def load(
    model: Literal["segment", "segment_nuclei"], device: str = ..., **options: Unpack[SegmentationOptions]
) -> "Segmenter": ...
@overload
def load(model: Literal["keypoints"], device: str = ..., **options: Unpack[KeypointOptions]) -> "KeypointFinder": ...
@overload
def load(model: Literal["sequence"], device: str = ..., **options: Unpack[LoadOptions]) -> "SequenceClassifier": ...
@overload
def load(model: Literal["cutout"], device: str = ..., **options: Any) -> "Cutter": ...
@overload
def load(model: Literal["remove"], device: str = ..., **options: Any) -> "Remover": ...
@overload
def load(model: Literal["replace"], device: str = ..., **options: Any) -> "Replacer": ...
@overload
def load(model: Literal["track"], device: str = ..., **options: Any) -> "Follower": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["classify"], **options: Unpack[LoadOptions]
) -> "Classifier": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["detect"], **options: Unpack[DetectionOptions]
) -> "Detector": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["segment"], **options: Unpack[SegmentationOptions]
) -> "Segmenter": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["keypoints"], **options: Unpack[KeypointOptions]
) -> "KeypointFinder": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["generate"], **options: Unpack[LoadOptions]
) -> "Generator": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["inpaint"], **options: Unpack[RestorationOptions]
) -> "Inpainter": ...
@overload
def load(
    model: ModelPath,
    device: str = ...,
    *,
    task: Literal["denoise", "upscale", "brighten", "colorize"],
    **options: Unpack[RestorationOptions],
) -> "Restorer": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["stylize"], **options: Unpack[RestorationOptions]
) -> "Stylizer": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["translate"], **options: Unpack[RestorationOptions]
) -> "Translator": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["encode"], **options: Unpack[LoadOptions]
) -> "Encoder": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: Literal["reconstruct"], **options: Unpack[LoadOptions]
) -> "Reconstructor": ...
@overload
def load(
    model: ModelPath, device: str = ..., *, task: str | None = ..., scale: int | None = ..., **options: Any
) -> Any: ...
def load(
    model: ModelPath,
    device: str = "cpu",
    *,
    threads: int | None = None,
    allow_fallback: bool = False,
    task: str | None = None,
    scale: int | None = None,
    require_signature: ModelPath | None = None,
    **options: Any,
) -> Any:
    """Load a model on a device, as a pipeline to call on pictures.

        classify = edgevision.load("classify")
        classify("photo.jpg").top(3)                      # [("cat", 0.93), ("dog", 0.04), ("frog", 0.01)]
        [c.label for c in classify(["a.jpg", "b.jpg"])]   # a list runs in batches
        cut_out = edgevision.load("cutout", segmenter="persons.onnx")
        cut_out("photo.jpg").save("person.png")
        inpaint = edgevision.load("inpaint", memory=256 << 20)
        inpaint("photo.jpg", "mask.png").save("whole.png")
        denoise = edgevision.load("my.onnx", task="denoise", color="bgr")
        cv2.imwrite("clean.png", numpy.asarray(denoise(cv2.imread("photo.png"))))

    A picture is a path, encoded bytes, a Pillow image, a result that is a picture, or an array: (H, W) for gray,
    (H, W, 3) or with alpha (H, W, 4), of uint8, uint16 or floats in 0..1. Several are a list, or an array (N, H, W, C).

    Args:
        model: a path to an ``.onnx`` or ``.xml`` file, or the name of a model that ships with the package, which is
            that of its task; or ``"cutout"``, ``"remove"``, ``"replace"`` or ``"track"``, which take their models as
            options.
        device: one of ``cpu``, ``cuda``, ``tensorrt``, ``gpu``, ``npu``, ``auto``, with ``:N`` for one of several, or
            exact as in ``openvino:npu``.
        threads: bounds the CPU threads; by default the engine takes all cores where that helps.
        allow_fallback: let the CPU do what the device cannot.
        task: a model for another task is refused; a type checker then knows the pipeline.
        scale: of the models that ship for upscaling, the one that enlarges so many times: 2 or 4.
        require_signature: the public key, or the root's certificate, by which the model has to be signed.
        options: of the pipeline. All that take pictures have ``color``, the order of channels in arrays that they are
            called on and in those made of their results: ``"rgb"``, or ``"bgr"`` as in OpenCV. Restoration has ``tile``
            and ``memory``, as :class:`~edgevision.runtime.tasks.restoration.restorer.Restorer` explains them.

    Returns:
        A :class:`~edgevision.runtime.tasks.pipeline.Pipeline`; it is a context manager, and leaving it frees the model.

    Raises:
        InputError: a name that is neither of a file nor of a model that ships, or a scale at which none does.
        ModelFileError: missing, damaged, without metadata, or newer than this release.
        SignatureError: it has to be signed and is not, or has changed since.
        DeviceError: the device is not there or cannot run all of the model.
    """
    if require_signature is not None:
        with required_signatures(Path(require_signature)):
            return load(
                model,
                device,
                threads=threads,
                allow_fallback=allow_fallback,
                task=task,
                scale=scale,
                **options,
            )
    if model in COMPOSITIONS:
        return open_composition(str(model), device=device, threads=threads, allow_fallback=allow_fallback, **options)
    path = verified_where_required(resolve_model(model) if scale is None else _shipped_at(model, scale))
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


def _shipped_at(model: ModelPath, scale: int) -> Path:
    """The model that ships under that name for ``scale``, which one with a file of its own has already."""
    if str(model) not in shipped_names():
        raise InputError(f"scale chooses among the models that ship; {str(model)!r} has its own scale")
    return resolve_model(shipped_model(str(model), scale))


def build_pipeline(engine: Engine, metadata: ModelMetadata, **options: Any) -> Any:
    """The pipeline that ``metadata`` asks for on ``engine``, which it closes in turn."""
    return find_task(metadata.task).pipeline(engine, metadata, **options)
