"""``edgevision.evaluate``: how good a model is on pictures."""

from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.load import ModelPath, load

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageFolder
    from edgevision.data.hole_kinds import HoleKind
    from edgevision.data.noise_kinds import NoiseKind
    from edgevision.runtime.tasks.autoencoding.autoencoder import Reconstructor
    from edgevision.runtime.tasks.autoencoding.evaluation import ReconstructionReport
    from edgevision.runtime.tasks.classification.classifier import Classifier
    from edgevision.runtime.tasks.classification.evaluation import ClassificationReport
    from edgevision.runtime.tasks.generation.evaluation import GenerationReport
    from edgevision.runtime.tasks.generation.generator import Generator
    from edgevision.runtime.tasks.pipeline import Pipeline
    from edgevision.runtime.tasks.restoration.evaluation import RestorationReport
    from edgevision.runtime.tasks.restoration.inpainter import Inpainter
    from edgevision.runtime.tasks.restoration.restorer import Restorer


class EvaluateOptions(TypedDict, total=False):
    """What :func:`evaluate` says that they are."""

    split: str | None
    device: str
    allow_fallback: bool
    threads: int | None
    noise: "NoiseKind | str"
    sigma: float
    holes: "HoleKind | str"
    held_out: bool
    jitter: float
    samples: int
    judge: ModelPath | None
    seed: int
    quiet: bool


_Restoration = Literal["inpaint", "denoise", "brighten", "colorize", "upscale", "upscale_x4", "stylize"]


# What a type checker knows of a report, which is told by the pipeline or by the name of a model that ships.
@overload
def evaluate(
    model: "Classifier | Literal['classify']", data: "ModelPath | ImageFolder", **options: Unpack[EvaluateOptions]
) -> "ClassificationReport": ...
@overload
def evaluate(
    model: "Generator | Literal['generate']", data: "ModelPath | ImageFolder", **options: Unpack[EvaluateOptions]
) -> "GenerationReport": ...
@overload
def evaluate(
    model: "Reconstructor", data: "ModelPath | ImageFolder", **options: Unpack[EvaluateOptions]
) -> "ReconstructionReport": ...
@overload
def evaluate(
    model: "Restorer | Inpainter | _Restoration",
    data: "ModelPath | ImageFolder",
    **options: Unpack[EvaluateOptions],
) -> "RestorationReport": ...
@overload
def evaluate(
    model: "ModelPath | Pipeline", data: "ModelPath | ImageFolder", **options: Unpack[EvaluateOptions]
) -> Any: ...
def evaluate(
    model: "ModelPath | Pipeline",
    data: "ModelPath | ImageFolder",
    *,
    split: str | None = None,
    device: str = "cpu",
    allow_fallback: bool = False,
    threads: int | None = None,
    noise: "NoiseKind | str" = "white",
    sigma: float = 25.0,
    holes: "HoleKind | str" = "strokes",
    held_out: bool = False,
    jitter: float = 0.0,
    samples: int = 2000,
    judge: ModelPath | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Any:
    """Measure how good a model is on pictures, by the figures of its task.

        report = edgevision.evaluate("classifier.onnx", "photos.zip")
        print(report.top1, report.table())
        with edgevision.load("denoise", "npu") as denoise:
            print(edgevision.evaluate(denoise, "photos", sigma=25, held_out=True).figures["psnr"])

    Args:
        model: a file, or the name of a model that ships, as for :func:`edgevision.load`; or what that gave.
        data: a folder or zip of pictures, ``[test/][CLASS/]picture``. Pictures to restore are damaged on purpose first;
            to upscale they may be pairs ``NAME_LR`` and ``NAME_HR``.
        split: ``train``, ``val`` or ``test``; by default test, else val, if the data is divided.
        device, allow_fallback, threads: of a model that is not loaded yet, as for :func:`edgevision.load`.
        noise: what is added to pictures to denoise: ``white``, ``camera``, ``jpeg``, ``impulse``, ``mixed``.
        sigma: how much of it, of 255; JPEG and impulse noise draw their own strength, mixed noise up to that.
        holes: what the holes look like that are to be filled: ``strokes``, ``text``, ``boxes``, ``blobs``, ``pixels``.
        held_out: only the tenth of the pictures that training leaves out, or of what they show.
        jitter: by what share of their sides boxes are moved, grown and shrunk, on whose things points are to be found.
        samples: how many pictures a generator draws.
        judge: the classifier in whose features drawn pictures are seen, or the half of a codec that decompresses;
            ``None`` for the one that ships.
        seed: of everything that is drawn.
        quiet: show no progress.

    Returns:
        A :class:`~edgevision.runtime.tasks.evaluation.QualityReport` with the figures of the task; its ``failures``
        name the pictures that could not be used, which the figures leave out.

    Raises:
        DatasetError: the data do not have what is needed, or not one picture can be used.
        InputError: there is no figure for such a model.
        ModelFileError, DeviceError: as :func:`edgevision.load`.
        ValueError: no such kind of noise or holes.
    """
    from edgevision.data.hole_kinds import HoleKind
    from edgevision.data.noise_kinds import NoiseKind
    from edgevision.runtime.tasks.evaluation import EvaluationOptions

    options = EvaluationOptions(
        noise=NoiseKind(noise),
        sigma=sigma,
        holes=HoleKind(holes),
        held_out=held_out,
        jitter=jitter,
        samples=samples,
        judge=None if judge is None else Path(judge),
        seed=seed,
        threads=threads,
        quiet=quiet,
    )
    if isinstance(model, str | PathLike):
        opened = load(model, device, threads=threads, allow_fallback=allow_fallback)
    else:
        opened = nullcontext(model)  # which its owner closes
    with opened as pipeline:
        task = find_task(pipeline.metadata.task)
        folder = task.open_data(data, (split,) if split else ()) if isinstance(data, str | PathLike) else data
        return task.evaluate(pipeline, folder, options)
