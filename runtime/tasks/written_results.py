"""The end of a verb whose every input becomes one file."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from edgevision.cli.output import end_with_failures
from edgevision.core.errors import ImageError
from edgevision.runtime.files.batch import each_done, failure_message
from edgevision.runtime.files.outputs import PictureJob, make_folders
from edgevision.runtime.tasks.run_options import RunOptions, announce, report_written


def write_each(
    pipeline: Any, jobs: Sequence[PictureJob], write: Callable[[PictureJob], None], options: RunOptions, **more: Any
) -> None:
    """Do what each job asks for, say what was written and with which model, and name what failed.

    ``more`` is said with ``--json``, too.

    Raises:
        PartialFailureError: one of several did.
        EdgevisionError: the only one did.
    """
    failures: list[tuple[str, str]] = []
    started = time.monotonic()
    announce(pipeline, options)
    make_folders(jobs)

    def failed(job: PictureJob, error: Exception) -> None:
        if len(jobs) == 1 and isinstance(error, ImageError):
            raise ImageError(failure_message(job.picture.name, error)) from error
        failures.append((job.picture.name, failure_message(job.picture.name, error)))

    def stored(job: PictureJob) -> None:
        with job.writing() as here:
            write(here)

    written = [job.place for job, _ in each_done(jobs, stored, failed)]
    report_written(pipeline, written, time.monotonic() - started, options, **more)
    end_with_failures(failures, len(jobs))
