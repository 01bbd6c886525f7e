"""The verb ``edgevision evaluate``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgevision.cli.options import (
    DeviceOption,
    FallbackOption,
    HolesOption,
    JsonOption,
    QuietOption,
    SeedOption,
    SigmaOption,
    ThreadsOption,
)
from edgevision.cli.output import echo, print_json
from edgevision.core.errors import InputError, PartialFailureError
from edgevision.core.printable import one_line, shown
from edgevision.data.datasets import ImageFolder
from edgevision.data.hole_kinds import HoleKind
from edgevision.modelfiles.metadata import Task
from edgevision.modelfiles.model_file import require_metadata
from edgevision.runtime.commands.model_options import ModelArgument
from edgevision.runtime.commands.quality_tables import (
    classification_table,
    generation_table,
    reconstruction_table,
    restoration_table,
)
from edgevision.runtime.commands.ran_on import engine_facts
from edgevision.runtime.load import load
from edgevision.runtime.shipped_models import shipped_judge


def evaluate(
    model: ModelArgument,
    data: Annotated[Path, typer.Argument(help="Folder or zip of pictures: [test/][CLASS/]picture.")],
    split: Annotated[
        str | None, typer.Option(help="train, val or test; by default test, else val, if the data is divided.")
    ] = None,
    sigma: SigmaOption = 25.0,
    holes: HolesOption = HoleKind.STROKES,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Only the tenth that edgevision train restore holds out.")
    ] = False,
    samples: Annotated[int, typer.Option(min=1, max=100_000, help="How many pictures a generator draws.")] = 2000,
    judge: Annotated[
        Path | None, typer.Option(help="Classifier for judging samples, exported with --part features.")
    ] = None,
    device: DeviceOption = "cpu",
    allow_fallback: FallbackOption = False,
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """How good a model is on pictures.

    A classifier: accuracy, recall, F1 and confusions. A restoration model: PSNR and SSIM, before and after, of pictures
    that are damaged on purpose first (noise, holes, less light, or shrinking where the data does not hold pairs NAME_LR
    and NAME_HR). A generator: the Fréchet distance of its samples, their precision, recall, variety and, where they are
    drawn by class, the judge's agreement, in the features of a classifier that ships (or --judge); this is not FID,
    whose features are Inception's. An autoencoder: PSNR, SSIM and squared error of reconstructions.

    Examples:
        edgevision evaluate classify photos.zip
        edgevision evaluate denoise.onnx photos/ --sigma 25 --held-out
    """
    if require_metadata(model).task is Task.ENCODE:
        raise InputError(
            f"{str(model)!r} only encodes, which shows nothing to compare; export the whole autoencoder, or its decoder"
        )
    folder = ImageFolder(data, (split,) if split else ())
    silent = quiet or as_json
    with load(model, device, threads=threads, allow_fallback=allow_fallback) as pipeline:
        report: Any
        task = pipeline.metadata.task
        # A model's kind of report is imported when it is made.
        if task is Task.CLASSIFY:
            from edgevision.runtime.tasks.classification.evaluation import evaluate_classifier

            report = evaluate_classifier(pipeline, folder, quiet=silent)
            table = classification_table(shown(report))
        elif task is Task.GENERATE:
            from edgevision.runtime.tasks.generation.evaluation import evaluate_generator
            from edgevision.runtime.tasks.generation.feature_classifier import FeatureJudge

            # On the CPU, so that samples of every device are measured alike.
            with FeatureJudge.open(judge or shipped_judge(), threads=threads) as opened:
                report = evaluate_generator(pipeline, folder, opened, samples=samples, seed=seed, quiet=silent)
            table = generation_table(shown(report))
        elif task is Task.RECONSTRUCT:
            from edgevision.runtime.tasks.autoencoding.evaluation import evaluate_reconstructor

            report = evaluate_reconstructor(pipeline, folder, quiet=silent)
            table = reconstruction_table(report)
        else:
            from edgevision.runtime.tasks.restoration.evaluation import Damage, evaluate_restorer

            damage = Damage(sigma=sigma, holes=holes, seed=seed)
            report = evaluate_restorer(pipeline, folder, damage, held_out=held_out, quiet=silent)
            table = restoration_table(report)
        part = f"{data.name} {folder.split}".strip()
        if as_json:
            engine = engine_facts(pipeline.engine)
            print_json({"model": str(model), "data": part} | engine | report.to_dict())
        else:
            echo(f"{one_line(model.name)} on {one_line(part)}, {report.images} pictures")
            echo(table)
    if report.failures:
        for message in report.failures.values():
            echo(f"failed: {one_line(message)}", err=True)
        raise PartialFailureError(f"{len(report.failures)} pictures failed and are not counted")
