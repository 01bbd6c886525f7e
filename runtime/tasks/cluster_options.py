"""The options of ``edgevision run`` for many pictures: a list of them, workers to spread them over."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevision.core.errors import InputError
from edgevision.core.printable import shortened
from edgevision.runtime.cluster.picture_work import OpenedWork, PictureWork, in_this_process
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.tasks.stream_options import StreamOptions, asks_for_stream

if TYPE_CHECKING:
    from edgevision.runtime.cluster.ray_workers import RayRequest

_PANEL = "Many workers"
_MOST_WORKERS = 10_000


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where pictures are done, if not in this process."""

    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="local|auto|ADDRESS",
            help="Spread the work over the workers of a Ray cluster: of this machine, the one it is in, or another.",
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

    def request(self, device: str, threads: int | None) -> "RayRequest":
        """What ``--ray`` asks for, for pipelines on a device with so many CPU threads (one, if it is not said).

        Raises:
            InputError: a resource without a name or an amount.
        """
        from edgevision.runtime.cluster.ray_workers import RayRequest

        assert self.ray is not None
        return RayRequest(
            address=self.ray,
            workers=self.ray_workers,
            threads=threads or 1,
            gpus=int(device.partition(":")[0] in ("cuda", "tensorrt")),
            resources=dict(map(_resource, self.ray_resource)),
        )

    def check_ray(self) -> None:
        """Raise :class:`InputError` where an option of workers has no meaning."""
        if self.ray is not None:
            from edgevision.runtime.cluster.ray_workers import check_address

            check_address(self.ray)
        elif self.ray_workers is not None or self.ray_resource:
            raise InputError("--ray-workers and --ray-resource are for --ray, which says where; give it too")

    @contextmanager
    def joined(self, device: str, threads: int | None) -> Iterator["RayRequest | None"]:
        """What ``--ray`` asks for, where it is given, with the cluster: for what takes long before it has work for it.

        Raises:
            InputError: as :meth:`request`.
            MissingExtraError, DeviceError: as :func:`.ray_cluster`.
        """
        if self.ray is None:
            yield None
            return
        from edgevision.runtime.cluster.ray_workers import ray_cluster

        request = self.request(device, threads)
        with ray_cluster(request):
            yield request


@dataclass(frozen=True, kw_only=True)
class ClusterOptions(RayOptions, StreamOptions):
    """What every verb takes whose pictures may be too many for a command line or for one process."""

    files: Annotated[
        Path | None,
        typer.Option(
            "--files",
            help="List of pictures in place of INPUT: a path or URL a line, or .parquet with a column of them.",
            show_default=False,
        ),
    ] = None

    @property
    def pipeline_threads(self) -> int | None:
        """CPU threads of one pipeline: of a worker one, where nothing else is said, for there are others."""
        return self.threads or (None if self.ray is None else 1)


def asks_for_frames(inputs: Sequence[str], output: str | None, options: ClusterOptions) -> bool:
    """As :func:`asks_for_stream`.

    Raises:
        InputError: too where nothing is named, or an option of workers has no meaning.
    """
    if (options.files is None) == (not inputs):
        raise InputError(f"name the pictures as INPUT, or a list of them with --files{', not both' * bool(inputs)}")
    streams = asks_for_stream(inputs or [str(options.files)], output, options)
    if streams and options.ray is not None:
        raise InputError(f"--ray is for pictures; the frames of {inputs[0]!r} come one after the other")
    options.check_ray()
    return streams


def pictures_of(inputs: Sequence[str], options: ClusterOptions) -> list[PictureInput]:
    """The pictures that are named, or listed.

    Raises:
        InputError: as :func:`.expand_inputs` and :func:`.listed_pictures`.
    """
    if options.files is None:
        return expand_inputs(inputs)
    from edgevision.runtime.files.picture_lists import listed_pictures

    return listed_pictures(options.files)


def opened(work: PictureWork, options: ClusterOptions) -> AbstractContextManager[OpenedWork]:
    """What does the work where the options say."""
    if options.ray is None:
        return in_this_process(work)
    from edgevision.runtime.cluster.ray_workers import ray_workers

    return ray_workers(work, options.request(options.device, options.threads))


def _resource(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        number = float(amount)
    except ValueError:
        number = 0
    if not name or not 0 < number < float("inf"):
        raise InputError(f"--ray-resource is NAME=AMOUNT, as npu=1, not {shortened(text)}")
    return name, number
