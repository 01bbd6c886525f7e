"""What compression sends to a board, and what comes back: files and pictures, one for one."""

from functools import partial
from pathlib import Path

from edgevision.core.errors import ImageError
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.files.outputs import PictureJob
from edgevision.runtime.remote.job import Check
from edgevision.runtime.remote.picture_check import Size, picture_check
from edgevision.runtime.remote.remote_command import RemoteCommand
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.compression.command import compression_jobs, decompression_jobs
from edgevision.runtime.tasks.compression.evc_file import EvcFile
from edgevision.runtime.tasks.compression.spec import CodecHalf
from edgevision.runtime.tasks.job_board_files import send_jobs


def compress_files(command: RemoteCommand) -> None:
    """Pictures, which come back in few bytes."""
    given = command.given
    _send_half(command, CodecHalf.COMPRESS)
    send_jobs(command, compression_jobs(given["inputs"], given["output"], force=given["force"]), _file_check)


def decompress_files(command: RemoteCommand) -> None:
    """Compressed pictures, which come back whole."""
    given = command.given
    _send_half(command, CodecHalf.DECOMPRESS)
    jobs = decompression_jobs(given["inputs"], given["output"], force=given["force"])
    send_jobs(command, jobs, lambda job: picture_check(job.target, partial(_size, job.picture)))


def _send_half(command: RemoteCommand, task: str) -> None:
    given = command.given["model"]
    called = None if given else f"{task} (shipped)"
    command.values["model"] = command.send_model(given or shipped_model(task), called=called)


def _file_check(job: PictureJob) -> Check:
    def check(path: Path) -> None:
        EvcFile.read(path)

    return check


def _size(file: PictureInput) -> Size | None:
    try:
        read = EvcFile.read(file.source)
    except ImageError:  # which is the board's to say
        return None
    return read.height, read.width
