"""The options of ``edgevision run`` that spread pictures over workers, and what they stand for."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

import typer

from edgevision.core.errors import InputError
from edgevision.core.printable import shortened
from edgevision.runtime.cluster.picture_work import OpenedWork, PictureWork, in_this_process
from edgevision.runtime.tasks.stream_options import StreamOptions, asks_for_stream

_PANEL = "Many workers"
_MOST_WORKERS = 10_000


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(StreamOptions):
    """What every verb takes whose pictures may be too many for one process."""

    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="local|auto|ADDRESS",
            help="Spread pictures over the workers of a Ray cluster: of this machine, the one it is in, or another.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    ray_workers: Annotated[
        int | None,
        typer.Option(
            "--ray-workers",
            min=1,
            max=_MOST_WORKERS,
            help="How many, each with a pipeline of its own.",
            show_default="as many as there is room for",
            rich_help_panel=_PANEL,
        ),
    ] = None
    ray_resource: Annotated[
        list[str],
        typer.Option(
            "--ray-resource",
            metavar="NAME=AMOUNT",
            help="What each worker takes beside its --threads (1) and its GPU, as npu=1; repeatable.",
            rich_help_panel=_PANEL,
        ),
    ] = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed

    @property
    def pipeline_threads(self) -> int | None:
        """CPU threads of one pipeline: of a worker one, where nothing else is said, for there are others."""
        return self.threads or (None if self.ray is None else 1)


def asks_for_frames(inputs: Sequence[str], output: str | None, options: ClusterOptions) -> bool:
    """As :func:`asks_for_stream`; :class:`InputError` too where an option of workers has no meaning."""
    streams = asks_for_stream(inputs, output, options)
    if streams and options.ray is not None:
        raise InputError(f"--ray is for pictures; the frames of {inputs[0]!r} come one after the other")
    if options.ray is None and (options.ray_workers is not None or options.ray_resource):
        raise InputError("--ray-workers and --ray-resource are for --ray, which says where; give it too")
    return streams


def opened(work: PictureWork, options: ClusterOptions) -> AbstractContextManager[OpenedWork]:
    """What does the work where the options say."""
    if options.ray is None:
        return in_this_process(work)
    from edgevision.runtime.cluster.ray_workers import RayRequest, ray_workers

    request = RayRequest(
        address=options.ray,
        workers=options.ray_workers,
        threads=options.pipeline_threads or 1,
        gpus=int(options.device.partition(":")[0] in ("cuda", "tensorrt")),
        resources=dict(map(_resource, options.ray_resource)),
    )
    return ray_workers(work, request)


def _resource(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        number = float(amount)
    except ValueError:
        number = 0
    if not name or not 0 < number < float("inf"):
        raise InputError(f"--ray-resource is NAME=AMOUNT, as npu=1, not {shortened(text)}")
    return name, number
