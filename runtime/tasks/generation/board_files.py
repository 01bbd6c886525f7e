"""What generation brings back from a board: a sheet, an animation, or a file for each picture."""

from functools import partial
from pathlib import Path

from edgevision.imaging.contact_sheet import sheet_size
from edgevision.modelfiles.metadata import ModelMetadata
from edgevision.runtime.remote.documents import read_outputs_document
from edgevision.runtime.remote.job import Existing
from edgevision.runtime.remote.picture_check import Size, picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand, model_metadata
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.generation.command import ANIMATIONS, check_sheet, each_path, is_folder, parse_seeds
from edgevision.runtime.tasks.generation.task import GENERATE


def generate_files(command: RemoteCommand) -> None:
    """The model, and what it draws."""
    given = command.given
    called = None if given["model"] else f"{GENERATE.name} (shipped)"
    model = given["model"] or shipped_model(GENERATE.name)
    command.values["model"] = command.send_model(model, called=called)
    target, seeds, count, force = Path(given["output"]), parse_seeds(given["between"]), given["count"], given["force"]
    zoom = given["zoom"]
    existing: Existing = "replace" if force else "refuse"
    if is_folder(given["output"]):
        for path in each_path(target, count, seeds, given["seed"], force=force):
            command.fetch(f"out/{path.name}", path, picture_check(path, partial(_drawn_size, model, zoom)), existing)
        command.values["output"] = "out/"
    else:
        animated = seeds is not None and target.suffix.lower() in ANIMATIONS
        check_sheet(target, count, animated=seeds is not None, force=force)

        def find_size() -> Size | None:
            size = _drawn_size(model, zoom)
            if size is None or animated:
                return size
            captioned = zoom > 1 and seeds is None and _has_classes(model)
            return sheet_size(count, size, count if seeds is not None else None, captioned=captioned)

        check = picture_check(target, find_size, most_frames=2 * count if animated else 1)
        command.values["output"] = command.fetch(f"out/00001{target.suffix}", target, check, existing)
    command.read_document = partial(read_outputs_document, known=command.outputs)


def _drawn_size(model: Path, zoom: int) -> Size | None:
    """The size of what a generator draws, enlarged; ``None`` where that is any."""
    metadata = model_metadata(model)
    height, width = metadata.outputs[0].shape[2:] if metadata is not None and _is_picture(metadata) else (None, None)
    return (height * zoom, width * zoom) if isinstance(height, int) and isinstance(width, int) else None


def _is_picture(metadata: ModelMetadata) -> bool:
    return bool(metadata.outputs) and len(metadata.outputs[0].shape) == 4


def _has_classes(model: Path) -> bool:
    metadata = model_metadata(model)
    return metadata is not None and len(metadata.inputs) > 1
