"""What autoencoders send to a board, and what comes back: pictures one for one, or the codes of all in one file."""

from functools import partial
from pathlib import Path

from edgevision.core.errors import ImageError
from edgevision.runtime.files.inputs import expand_inputs
from edgevision.runtime.files.outputs import plan_outputs
from edgevision.runtime.remote.documents import read_outputs_document
from edgevision.runtime.remote.job import Check
from edgevision.runtime.remote.picture_check import Size, picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand, model_metadata
from edgevision.runtime.tasks.autoencoding.command import check_codes
from edgevision.runtime.tasks.job_board_files import existing, send_jobs


def reconstruct_files(command: RemoteCommand) -> None:
    """Pictures, which come back at the size that the autoencoder was trained for."""
    given, model = command.given, _send_model(command)
    jobs = plan_outputs(
        expand_inputs(given["inputs"]), given["output"], name_suffix="reconstructed", force=given["force"]
    )
    send_jobs(command, jobs, lambda job: picture_check(job.target, partial(_reconstructed_size, model)))


def encode_files(command: RemoteCommand) -> None:
    """Pictures, whose codes come back as the rows of an array."""
    given = command.given
    _send_model(command)
    pictures = enumerate(expand_inputs(given["inputs"]), start=1)
    command.values["inputs"] = [command.send_file("in", number, picture) for number, picture in pictures]
    check_codes(given["output"], force=given["force"])
    check = codes_check(len(command.values["inputs"]))
    command.values["output"] = Path(command.fetch("out/00001.npy", given["output"], check, existing(command)))
    command.read_document = partial(read_outputs_document, known=command.outputs)


def _send_model(command: RemoteCommand) -> Path | None:
    """Add the user's model, as none ships: without one the board says so."""
    model: Path | None = command.given["model"]
    if model is not None:
        command.values["model"] = command.send_model(model)
    return model


def _reconstructed_size(model: Path | None) -> Size | None:
    metadata = None if model is None else model_metadata(model)
    return None if metadata is None or metadata.image is None else metadata.image.size


def codes_check(rows: int) -> Check:
    """That a file is NumPy's, of ``rows`` rows of finite float32 and of nothing else."""

    def check(path: Path) -> None:
        import numpy as np

        try:
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file) if version == (1, 0) else ((), False, None)
                if len(shape) != 2 or shape[0] != rows or dtype != np.float32:
                    raise ImageError(f"it holds {dtype} {shape} instead of {rows} rows of float32")
                # The header's word for the size is not taken before so much is there.
                if path.stat().st_size != file.tell() + 4 * shape[0] * shape[1]:
                    raise ImageError("it is longer or shorter than it says")
                if not np.isfinite(np.fromfile(file, np.float32)).all():
                    raise ImageError("it holds NaN or Inf")
        except (ValueError, OSError, EOFError) as error:
            raise ImageError("it is no file of NumPy's") from error

    return check
