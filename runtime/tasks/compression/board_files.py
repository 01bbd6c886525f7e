"""What compression sends to a board, and what comes back: files and pictures, one for one."""

from functools import partial
from pathlib import Path

from edgevision.core.errors import ImageError
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import PictureJob
from edgevision.runtime.remote.job import Check
from edgevision.runtime.remote.picture_check import Size, picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.compression.command import compression_jobs, decompression_jobs
from edgevision.runtime.tasks.compression.evc_file import SUFFIX, EvcFile
from edgevision.runtime.tasks.compression.spec import CodecHalf
from edgevision.runtime.tasks.job_board_files import send_comparisons, send_jobs
from edgevision.runtime.tasks.made_picture_board_files import upright_size
from edgevision.runtime.tasks.side_by_side import side_by_side_size


def compress_files(command: RemoteCommand) -> None:
    """Pictures, which come back in few bytes, and comparisons beside them."""
    given = command.given
    _send_half(command, CodecHalf.COMPRESS)
    jobs = compression_jobs(
        expand_inputs(given["inputs"]),
        given["output"],
        compare=given["compare"],
        force=given["force"],
        resume=given["resume"],
    )
    send_jobs(command, jobs, _file_check)
    if given["compare"] is not None:
        command.values["judge"] = command.send_model(given["judge"] or shipped_model(CodecHalf.DECOMPRESS), 2)
        send_comparisons(command, jobs, _comparison_check)


def decompress_files(command: RemoteCommand) -> None:
    """Compressed pictures, which come back whole."""
    given = command.given
    _send_half(command, CodecHalf.DECOMPRESS)
    files = expand_inputs(given["inputs"], [SUFFIX])
    jobs = decompression_jobs(files, given["output"], force=given["force"], resume=given["resume"])
    send_jobs(command, jobs, lambda job: picture_check(job.target, partial(_size, job.picture)))


def _send_half(command: RemoteCommand, task: str) -> None:
    given = command.given
    called = None if given["model"] else f"{task} (shipped)"
    command.values["model"] = command.send_model(given["model"] or shipped_model(task), called=called)


def _file_check(job: PictureJob) -> Check:
    def check(path: Path) -> None:
        EvcFile.read(path)

    return check


def _comparison_check(job: PictureJob) -> Check:
    def compared() -> Size | None:
        size = upright_size(job.picture)
        return None if size is None else side_by_side_size(size, masked=False)

    assert job.compare is not None
    return picture_check(job.compare, compared)


def _size(file: PictureInput) -> Size | None:
    try:
        read = EvcFile.read(file.source)
    except ImageError:  # which is the board's to say
        return None
    return read.height, read.width
