"""The options of ``edgevision run`` that are about streams, and what they stand for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any

import typer

from edgevision.core.errors import InputError
from edgevision.core.printable import shortened
from edgevision.runtime.streams.addresses import is_stream
from edgevision.runtime.streams.source import Excerpt
from edgevision.runtime.tasks.run_options import RunOptions

_PANEL = "Videos and cameras"
_LARGEST_RESIZE = 16_384


def _option(*names: str, **how: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, **how)


@dataclass(frozen=True, kw_only=True)
class StreamOptions(RunOptions):
    """What every verb takes that answers pictures and so the frames of a video or a camera, too."""

    every: Annotated[int, _option("--every", min=1, help="Of so many frames take one.")] = 1
    fps: Annotated[
        float | None, _option("--fps", min=0.001, max=1000, help="Take at most so many frames a second.")
    ] = None
    start: Annotated[str | None, _option("--start", help="From there on, as 90, 1:30 or 1:02:30.5.")] = None
    end: Annotated[str | None, _option("--end", help="Up to there.")] = None
    resize: Annotated[
        str | None, _option("--resize", help="Make frames fit into a size, as 640x480; they never grow.")
    ] = None
    retry: Annotated[
        float, _option("--retry", min=0, help="For how many seconds a stream that broke off is tried again.")
    ] = 60
    count_only: Annotated[
        bool, _option("--count-only", help="Print nothing of single frames; only how many there were of what.")
    ] = False
    codec: Annotated[
        str | None,
        _option("--codec", help="Of a video: h264, hevc, vp9, av1 or ffv1.", show_default="by the file's ending"),
    ] = None


def asks_for_stream(inputs: Sequence[str], output: str | None, options: StreamOptions) -> bool:
    """Whether ``inputs`` are videos or cameras.

    Raises:
        InputError: some are and others are pictures, or an option for streams is given for pictures.
    """
    streams = [is_stream(name, output) for name in inputs]
    if any(streams) and not all(streams):
        picture = inputs[streams.index(False)]
        raise InputError(f"{picture!r} is no video or camera, as the others are; give it to a call of its own")
    if not any(streams):
        for name in ("fps", "start", "end", "resize", "codec"):
            if getattr(options, name) is not None:
                raise InputError(f"--{name} is for videos and cameras; {inputs[0]!r} is a picture or a folder of them")
        for name, usual in (("every", 1), ("count_only", False)):
            if getattr(options, name) != usual:
                option = name.replace("_", "-")
                raise InputError(
                    f"--{option} is for videos and cameras; {inputs[0]!r} is a picture or a folder of them"
                )
    return any(streams)


def excerpt_of(options: StreamOptions) -> Excerpt:
    """Which frames the options ask for; :class:`InputError` where they contradict each other."""
    start, end = _seconds("--start", options.start), _seconds("--end", options.end)
    if start is not None and end is not None and end <= start:
        raise InputError(f"--end {options.end} lies before --start {options.start}, so that no frame is left")
    return Excerpt(
        start=start or Fraction(0),
        end=end,
        every=options.every,
        rate=None if options.fps is None else Fraction(options.fps).limit_denominator(1_000_000),
        size=_size(options.resize),
    )


def _seconds(option: str, text: str | None) -> Fraction | None:
    if text is None:
        return None
    if re.fullmatch(r"(\d{1,6}:){0,2}\d{1,9}(\.\d{1,9})?", text, re.ASCII) is None:
        raise InputError(f"{option} is a time as 90, 1:30 or 1:02:30.5, not {shortened(text)}")
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return seconds


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip(), re.ASCII)
    sides = tuple(int(side) for side in found.groups()) if found else (0, 0)
    if not all(2 <= side <= _LARGEST_RESIZE for side in sides):
        raise InputError(f"--resize is a size as 640x480, up to {_LARGEST_RESIZE} a side, not {shortened(text)}")
    return sides[0], sides[1]
