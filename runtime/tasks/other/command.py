"""The verb ``edgevision run other``."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL
from edgevision.cli.output import echo, end_with_failures, print_json
from edgevision.core.atomic_files import check_writable
from edgevision.core.errors import InputError
from edgevision.core.printable import one_line
from edgevision.core.regular_files import open_regular
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.modelfiles.model_file import read_metadata
from edgevision.modelfiles.signature_policy import verified_where_required
from edgevision.runtime.devices.opening import open_engine
from edgevision.runtime.engine_facts import engine_facts
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.model_options import model_option
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.other.task import OTHER
from edgevision.runtime.tasks.raw_model import Outputs, RawModel, check_ending
from edgevision.runtime.tasks.run_options import RunOptions, announce

_ARRAYS = (".npz", ".npy")
_LARGEST_ARRAYS = 1 << 31


@dataclass(frozen=True, kw_only=True)
class _Options(RunOptions):
    """What the verb takes, which has no model by default."""

    model: Annotated[
        Path | None,
        model_option(
            "Model file (.onnx, .xml, .tflite, .param, .rknn), or the name of one that ships; it has to be given."
        ),
    ] = None


@on_boards("run other", "edgevision.runtime.tasks.other.board_files:other_files")
@option_groups
def other(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help=".npz with an array for each input, .npy of one, or pictures."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File of all outputs (.npz, or .npy of one), or folder for several inputs.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = None,
    *,
    options: _Options,
) -> None:
    """Run a model that is for no known task, or any other as such: its outputs as they are.

    Without -o a line for each output says what it is; --json prints all values.

    Examples:
        edgevision run other inputs.npz --model model.onnx -o outputs.npz
        edgevision run other photo.jpg --model classify --json
    """
    if options.model is None:
        raise InputError(f"no model ships for {OTHER.name}: name one with --model")
    sources = expand_sources(inputs)
    started = time.monotonic()
    failures: list[tuple[str, str]] = []
    results: list[dict[str, Any]] = []
    with _open(options.model, options) as model:
        targets = find_targets(output, sources, len(model.engine.outputs), force=options.force)
        announce(model, options)

        def run(one: tuple[PictureInput, Path | None]) -> Outputs:
            source, target = one
            outputs = _run(model, source)
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                outputs.save(target, force=options.force)
            if options.as_json:
                own = {"outputs": outputs.to_dict()} if target is None else {"output": str(target)}
                results.append({"input": source.name, **own})
            return outputs

        def failed(one: tuple[PictureInput, Path | None], error: Exception) -> None:
            failures.append((one[0].name, failure_message(one[0].name, error)))

        for (source, target), outputs in each_done(list(zip(sources, targets, strict=True)), run, failed):
            if not options.as_json:
                echo(_table(source.name, outputs) if target is None else one_line(target))
        if options.as_json:
            print_json(
                {
                    "model": str(options.model),
                    "name": model.metadata.name,
                    **engine_facts(model.engine),
                    "seconds": round(time.monotonic() - started, 3),
                    "results": results,
                    "failures": [{"input": name, "error": message} for name, message in failures],
                }
            )
    end_with_failures(failures, len(sources))


def _open(path: Path, options: RunOptions) -> RawModel:
    """The model as it is, whatever it is for, also one that says nothing of itself."""
    path = verified_where_required(path)
    metadata = read_metadata(path) or ModelMetadata(task=OTHER.name, name=path.stem)
    engine = open_engine(
        path, options.device, threads=options.threads, allow_fallback=options.allow_fallback, cache=True
    )
    return RawModel(engine, metadata)


def expand_sources(inputs: list[str]) -> list[PictureInput]:
    """Files of arrays as they are named, and every picture that other arguments stand for."""
    sources: list[PictureInput] = []
    for name in inputs:
        path = Path(name)
        sources += [PictureInput(name, path)] if path.suffix in _ARRAYS and path.is_file() else expand_inputs([name])
    return sources


def find_targets(output: str | None, sources: list[PictureInput], outputs: int, *, force: bool) -> list[Path | None]:
    """A file for each source, or none; refuses what could not be written for a model of so many ``outputs``."""
    if output is None:
        return [None] * len(sources)
    if len(sources) == 1 and not output.endswith("/") and not Path(output).is_dir():
        targets = [Path(output)]
    else:
        targets = [Path(output) / f"{Path(source.name).stem}.npz" for source in sources]
        if len(set(targets)) < len(targets):
            raise InputError("several inputs have one name, so their outputs would have too; give one folder at a time")
    for target in targets:
        check_ending(target, outputs)
        if target.parent.exists():  # else it is made
            check_writable(target, force=force)
    return [*targets]


def _run(model: RawModel, source: PictureInput) -> Outputs:
    if not isinstance(source.source, Path) or source.source.suffix not in _ARRAYS:
        return model(source.source)
    arrays = _arrays(source.source)
    if isinstance(arrays, dict):
        return model(arrays)
    first = next((spec.name for spec in model.engine.inputs), "an array")
    return model({first: arrays})


def _arrays(path: Path) -> Any:
    """What ``np.load`` reads, the arrays of an ``.npz`` in a dictionary."""
    try:
        with open_regular(path) as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            size = sum(entry.file_size for entry in loaded.zip.infolist())
            if size > _LARGEST_ARRAYS:
                raise ValueError(f"it unpacks to {size >> 20} MB, and {_LARGEST_ARRAYS >> 20} MB is the most")
            return {name: loaded[name] for name in loaded.files}
    # A zip that is cut off, encrypted or lies ends in almost anything, and so does an array of objects.
    except Exception as error:
        raise InputError(f"{str(path)!r} holds no arrays that can be read: {error}") from error


def _table(name: str, outputs: Outputs) -> str:
    lines = [one_line(name)]
    for row in outputs.to_rows():
        values = [f"{key} {row[key]:.6g}" for key in ("least", "mean", "largest") if row[key] != ""]
        if row["not_finite"]:
            values.append(f"{row['not_finite']} NaN or Inf")
        lines.append(f"  {one_line(row['output'])}  {row['type']}  {', '.join(values)}".rstrip())
    return "\n".join(lines)
