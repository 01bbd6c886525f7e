"""The verb ``edgevision evaluate``."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import (
    DeviceOption,
    FallbackOption,
    ForceOption,
    HolesOption,
    JsonOption,
    NoiseOption,
    QuietOption,
    SeedOption,
    SigmaOption,
    ThreadsOption,
)
from edgevision.cli.output import echo, print_json
from edgevision.core.atomic_files import check_writable
from edgevision.core.errors import InputError, PartialFailureError
from edgevision.core.extras import requires_extra
from edgevision.core.lazy_objects import load_object
from edgevision.core.printable import one_line, shown
from edgevision.data.hole_kinds import HoleKind
from edgevision.data.noise_kinds import NoiseKind
from edgevision.modelfiles.task_registry import find_task
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.load import load
from edgevision.runtime.model_options import model_argument
from edgevision.runtime.shipped_models import resolve_model
from edgevision.runtime.spread_evaluation import EvaluationWork, spread_over
from edgevision.runtime.tasks.classification.membership import MembershipReport, evaluate_membership
from edgevision.runtime.tasks.cluster_options import RayOptions
from edgevision.runtime.tasks.evaluation import EvaluationOptions, spread
from edgevision.runtime.tasks.robustness import (
    AdversarialReport,
    RobustnessReport,
    evaluate_robustness,
    robustness_figure,
)

if TYPE_CHECKING:
    from edgevision.data.datasets import ImageFolder
    from edgevision.runtime.tasks.pipeline import Pipeline

_PICTURES_PANEL = "Pictures"
_GENERATORS_PANEL = "Of generators"


_RECORDED = "edgevision.exporters.recorded_figures"

_TRACK = Path("track")
"""Stands in the place of a model for tracks, which are files already."""


@option_groups
def evaluate(
    model: Annotated[
        Path, model_argument("Model file, or the name of one that ships, as classify; or track.", other=_TRACK)
    ],
    data: Annotated[Path, typer.Argument(help="Folder or zip of pictures: [test/][CLASS/]picture; or tracks.")],
    truth: Annotated[
        Path | None, typer.Argument(help="Of tracks the true ones; both are MOT files.", show_default=False)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, val or test, if the data is divided.",
            show_default="test, else val",
            rich_help_panel=_PICTURES_PANEL,
        ),
    ] = None,
    noise: NoiseOption = NoiseKind.WHITE,
    sigma: SigmaOption = 25.0,
    holes: HolesOption = HoleKind.STROKES,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out",
            help="Only the tenth that training (restore, compress, translate, keypoints) holds out.",
            rich_help_panel=_PICTURES_PANEL,
        ),
    ] = False,
    jitter: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            help="Move, grow and shrink the boxes of keypoints by up to such a share.",
            rich_help_panel=_PICTURES_PANEL,
        ),
    ] = 0.0,
    corruptions: Annotated[
        bool,
        typer.Option(
            "--corruptions",
            help="Also on noisy, blurred, foggy, bright and JPEG pictures, in five strengths: 25 evaluations more.",
            rich_help_panel=_PICTURES_PANEL,
        ),
    ] = False,
    privacy: Annotated[
        Path | None,
        typer.Option(
            metavar="TRAINED_ON",
            help="Also whether a classifier's loss tells these pictures, which it was trained on, from DATA.",
            rich_help_panel=_PICTURES_PANEL,
        ),
    ] = None,
    shadows: Annotated[
        list[Path] | None,
        typer.Option(
            "--shadow",
            metavar="MODEL",
            parser=resolve_model,
            help="Of --privacy: a model that was trained like this one on pictures of neither; twice at least.",
            rich_help_panel=_PICTURES_PANEL,
        ),
    ] = None,
    adversarial: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Also on up to 500 pictures that a classifier's checkpoint shows how to change (FGSM, PGD).",
            rich_help_panel=_PICTURES_PANEL,
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Write what --corruptions, --adversarial and --privacy find into the metadata of MODEL (.onnx).",
        ),
    ] = False,
    samples: Annotated[
        int,
        typer.Option(min=1, max=100_000, help="How many pictures are drawn.", rich_help_panel=_GENERATORS_PANEL),
    ] = 2000,
    judge: Annotated[
        Path | None,
        typer.Option(
            help="Classifier for judging samples, exported with --part features; a codec's half, --part decoder.",
            show_default="the one that ships",
            rich_help_panel=_GENERATORS_PANEL,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Page with the figures, and of a detector with curves, confusion and the worst pictures."),
    ] = None,
    force: ForceOption = False,
    device: DeviceOption = "cpu",
    allow_fallback: FallbackOption = False,
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    *,
    workers: RayOptions,
) -> None:
    """How good a model is on pictures.

    A classifier: accuracy, recall, F1 and confusions. A restoration model: PSNR and SSIM, before and after, of pictures
    that are damaged on purpose first (noise, holes, less light, or shrinking where the data does not hold pairs NAME_LR
    and NAME_HR). A generator: the Fréchet distance of its samples, their precision, recall, variety and, where they are
    drawn by class, the judge's agreement, in the features of a classifier that ships (or --judge); this is not FID,
    whose features are Inception's. An autoencoder: PSNR, SSIM and squared error of reconstructions. A codec: bits,
    PSNR and SSIM of every quality. A detector: COCO's average precision by class and size, confusion and the worst
    pictures. Tracks: HOTA, IDF1 and MOTA.

    Examples:
        edgevision evaluate classify photos.zip
        edgevision evaluate denoise.onnx photos/ --sigma 25 --held-out
        edgevision evaluate denoise photos/ --noise camera --sigma 15
        edgevision evaluate detector.onnx annotated/ --html detector.html
        edgevision evaluate classify photos.zip --corruptions
        edgevision evaluate detector.onnx annotated/ --ray local
        edgevision evaluate mine.onnx photos/test --adversarial mine.pt --record
        edgevision evaluate mine.onnx photos/test --privacy photos/train
        edgevision evaluate track followed.txt gt.txt
    """
    if (truth is not None) != (model == _TRACK):
        raise InputError(
            "tracks are evaluated as `edgevision evaluate track RESULT TRUTH`, anything else as `evaluate MODEL DATA`"
        )
    if truth is not None:
        from edgevision.runtime.tracking.track_report import evaluate_tracks

        evaluate_tracks(data, truth, as_json=as_json)
        return
    if html is not None:
        check_writable(html, force=force)
    workers.check_ray()
    if workers.ray is not None:
        threads = threads or 1  # an engine may add in another order with more
        if corruptions or privacy is not None or adversarial is not None:
            raise InputError("--corruptions, --adversarial and --privacy are measured by one process; leave out --ray")
    _check_shadows(privacy, shadows or [])
    if record:
        if not (corruptions or privacy is not None or adversarial is not None):
            raise InputError("--record writes what --corruptions, --adversarial or --privacy find; give one of them")
        with requires_extra("export"):
            load_object(f"{_RECORDED}:check_recordable")(model)
    with load(model, device, threads=threads, allow_fallback=allow_fallback) as pipeline:
        folder = find_task(pipeline.metadata.task).open_data(data, (split,) if split else ())
        if corruptions:
            robustness_figure(pipeline.metadata.task)
        trained_on = None if privacy is None else _trained_on(pipeline, privacy, folder)
        if adversarial is not None:
            _check_classifies(pipeline, "--adversarial")
        options = EvaluationOptions(
            noise=noise,
            sigma=sigma,
            holes=holes,
            held_out=held_out,
            jitter=jitter,
            samples=samples,
            judge=judge,
            seed=seed,
            threads=threads,
            quiet=quiet or as_json,
        )
        work = EvaluationWork(
            model=model,
            device=device,
            threads=threads or 1,
            allow_fallback=allow_fallback,
            data=data,
            splits=(split,) if split else (),
            options=options,
        )
        with _spread(work, workers):
            report = find_task(pipeline.metadata.task).evaluate(pipeline, folder, options)
        more: dict[str, RobustnessReport | AdversarialReport | MembershipReport] = {}
        if corruptions:
            clean = float(getattr(report, robustness_figure(pipeline.metadata.task)))
            more["corruptions"] = evaluate_robustness(pipeline, folder, options, clean)
        if adversarial is not None:
            with requires_extra("export"):
                attack = load_object("edgevision.exporters.adversarial:evaluate_adversarial")
            more["adversarial"] = attack(pipeline, adversarial, folder, seed=seed, quiet=options.quiet)
        if trained_on is not None:
            with ExitStack() as stack:
                opened = [stack.enter_context(load(one, device, task="classify")) for one in shadows or ()]
                more["privacy"] = evaluate_membership(pipeline, trained_on, folder, opened)
        part = f"{data.name} {folder.split}".strip()
        title = f"{one_line(model.name)} on {one_line(part)}, {report.images} picture{'s' * (report.images != 1)}"
        if html is not None:
            from edgevision.runtime.tasks.evaluation_page import write_evaluation

            write_evaluation(html, report, pipeline, folder, title, force=force)
        if as_json:
            engine = engine_facts(pipeline.engine)
            found = {name: one.to_dict() for name, one in more.items()}
            print_json({"model": str(model), "data": part} | engine | report.to_dict() | found)
        else:
            echo(title)
            for one in (report, *more.values()):
                echo(shown(one).table())
    if record:
        figures = {name: figure for one in more.values() for name, figure in one.figures().items()}
        load_object(f"{_RECORDED}:record_figures")(model, figures)
    if report.failures:
        for message in report.failures.values():
            echo(f"failed: {one_line(message)}", err=True)
        raise PartialFailureError(f"{len(report.failures)} pictures failed and are not counted")


@contextmanager
def _spread(work: EvaluationWork, workers: RayOptions) -> Iterator[None]:
    """Have the pictures measured where the options say."""
    if workers.ray is None:
        yield
        return
    from edgevision.runtime.cluster.ray_workers import ray_workers

    with ray_workers(work, workers.request(work.device, work.threads)) as working, spread(spread_over(working)):
        yield


def _trained_on(pipeline: "Pipeline", data: Path, others: "ImageFolder") -> "ImageFolder":
    """The pictures that a classifier was trained on, which ``others`` was not."""
    _check_classifies(pipeline, "--privacy")
    folder: ImageFolder = find_task(pipeline.metadata.task).open_data(data, ("train",))
    if (folder.path.resolve(), folder.split) == (others.path.resolve(), others.split):
        raise InputError(
            f"--privacy names the pictures of {str(data)!r} that are evaluated; give those that the model was trained"
            " on, and as DATA others"
        )
    return folder


def _check_classifies(pipeline: "Pipeline", option: str) -> None:
    task = pipeline.metadata.task
    if task != "classify":
        raise InputError(f"{option} is for classifiers, not for a model that is for {task}")


def _check_shadows(privacy: Path | None, shadows: list[Path]) -> None:
    if shadows and privacy is None:
        raise InputError("--shadow is for --privacy, which says what the model was trained on; give it too")
    if len(shadows) == 1:
        raise InputError("one shadow model does not tell how far such models differ; give --shadow twice at least")
