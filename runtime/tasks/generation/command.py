"""The verb ``edgevision run generate``."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer

from edgevision.cli.numbers import LARGEST, positive_number, whole_number
from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import OUTPUT_PANEL, SeedOption
from edgevision.core.atomic_files import atomic_file, check_writable, translated_write_errors
from edgevision.core.errors import InputError, OutputError
from edgevision.core.printable import shortened
from edgevision.core.progress import track
from edgevision.imaging.picture_formats import GIF, WEBP, PictureFormat, written_format
from edgevision.imaging.picture_writing import encoded
from edgevision.imaging.pictures import Picture
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.tasks.generation.result import GeneratedPictures
from edgevision.runtime.tasks.generation.task import GENERATE
from edgevision.runtime.tasks.run_options import RunOptions, announce, open_pipeline, report_written

LARGEST_SHEET = 4096
"""Pictures on one sheet: beyond that nobody sees anything, and a folder holds any number."""

ANIMATIONS = (".gif", ".webp")
"""The formats that ``--interpolate`` makes a film in."""

MOST_PICTURES = 1_000_000
"""Of one call: their names alone take a tenth of a gigabyte."""

LARGEST_PICTURE = 2**26
"""Pixels of a texture, whose samples are most of a gigabyte."""

_FRAME_MS = 80


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """What to draw."""

    panel: ClassVar[str] = "Drawing"

    count: Annotated[int, typer.Option("--count", "-n", min=1, max=MOST_PICTURES, help="How many pictures.")] = 16
    seed: SeedOption = 0
    label: Annotated[str | None, typer.Option("--class", help="What to draw.", show_default="all classes in turn")] = (
        None
    )
    truncation: Annotated[
        float | None,
        typer.Option(min=0.01, max=100, help="Draw latents beyond it again, as 0.7: fewer surprises, less variety."),
    ] = None
    between: Annotated[
        str | None,
        typer.Option(
            "--interpolate",
            metavar="A:B",
            help="From one seed to another: a strip, or there and back in a .gif or .webp.",
        ),
    ] = None
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT, of textures only.", show_default="256x256")] = None
    zoom: Annotated[int, typer.Option(min=1, max=8, help="Enlarge the pictures; a sheet then names their classes.")] = 1


@on_boards("run generate", "edgevision.runtime.tasks.generation.board_files:generate_files")
@option_groups
def generate(
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="Sheet of all pictures (.png ...), or folder with a file for each.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = "generated.png",
    *,
    drawing: _Drawing,
    options: RunOptions,
) -> None:
    """Draw pictures from a generator. The same seed gives the same pictures on every device.

    The generator that ships draws the ten classes of CIFAR-10 in 32x32. Vehicles, ships, birds, dogs and horses are
    recognised, cats and deer half of the time, airplanes and frogs seldom.

    Examples:
        edgevision run generate --class horse --count 16 --seed 7 -o horses.png
        edgevision run generate --count 100 --zoom 3 -o classes.png
        edgevision run generate --interpolate 1:2 --count 24 -o morph.gif
    """
    seeds = parse_seeds(drawing.between)
    folder = is_folder(output)
    target = Path(output)
    what = {field.name: getattr(drawing, field.name) for field in fields(drawing)}
    count = drawing.count
    check_size(drawing.size, drawing.zoom)
    started = time.monotonic()
    with open_pipeline(GENERATE.name, options) as generator:
        if drawing.label is not None:
            # Said before what is wrong with the output, or nobody would see the classes.
            generator.index(drawing.label)
        if not folder:
            check_sheet(target, count, animated=seeds is not None, force=options.force)
        announce(generator, options)
        batches = drawn_batches(generator, **what)
        first = next(batches)  # what is wrong with the options shows before anything is written
        if folder:
            written = each_path(target, count, seeds, drawing.seed, force=options.force)
            with translated_write_errors(target):
                target.mkdir(parents=True, exist_ok=True)
            silent = options.quiet or options.as_json
            every = _chained(first, batches)
            for path, picture in zip(written, track(every, count, "generate", quiet=silent), strict=True):
                picture.save(path, force=options.force)
        else:
            pictures = GeneratedPictures.joined([first, *batches])
            captions = sheet_captions(generator, **what)
            _write_sheet(target, pictures, captions, animated=seeds is not None, force=options.force)
            written = [target]
        report_written(generator, written, time.monotonic() - started, options, count=count)


def drawn_batches(
    generator: Any,
    *,
    count: int,
    seed: int,
    label: str | None,
    truncation: float | None,
    between: str | None,
    size: str | None,
    zoom: int,
) -> Iterator[GeneratedPictures]:
    """The pictures that the verb's options ask for, a batch at a time; :class:`InputError` where they make no sense."""
    seeds = parse_seeds(between)
    height, width = check_size(size, zoom)
    settings: dict[str, Any] = {"label": label, "truncation": truncation, "height": height, "width": width}
    if seeds is not None:
        yield generator.between(seeds, count, **settings).enlarged(zoom)
        return
    for batch in generator.batches(count, seed=seed, **settings):
        yield batch.enlarged(zoom)


def sheet_captions(
    generator: Any, *, count: int, label: str | None, between: str | None, zoom: int, **_: Any
) -> list[str]:
    """The classes under the pictures of a sheet, where they are so large that there is room."""
    if not generator.labels or between is not None or zoom == 1:
        return []
    return [label or generator.labels[i % len(generator.labels)] for i in range(count)]


def is_folder(output: str) -> bool:
    """Whether ``--output`` asks for a file for each picture instead of a sheet; :class:`OutputError` for neither."""
    if output in ("", "-"):
        raise OutputError(f"pictures go into files: end -o in .png, or in / for a folder, not {output!r}")
    with translated_write_errors(Path(output)):
        return Path(output).is_dir() or output.endswith("/") or not Path(output).suffix


def check_sheet(target: Path, count: int, *, animated: bool, force: bool) -> None:
    """Refuse a sheet that could not be written, before anything is drawn."""
    if count > LARGEST_SHEET:
        raise InputError(
            f"a sheet holds at most {LARGEST_SHEET} pictures, not {count}; -o DIR/ writes each to a file of its own"
        )
    if not animated and target.suffix.lower() == ".gif":
        raise OutputError(f"{target.name!r} would be an animation, which --interpolate makes; end it in .png")
    if target.suffix.lower() != ".gif":
        written_format(target)
    check_writable(target, force=force)


def _write_sheet(
    target: Path, pictures: GeneratedPictures, captions: Sequence[str], *, animated: bool, force: bool
) -> None:
    if animated and target.suffix.lower() in ANIMATIONS:
        data = encoded_film(pictures, GIF if target.suffix.lower() == ".gif" else WEBP)
        with atomic_file(target, force=force) as temporary:
            temporary.write_bytes(data)
        return
    pictures.save(target, columns=len(pictures) if animated else None, captions=captions, force=force)


def encoded_film(pictures: GeneratedPictures, kind: PictureFormat) -> bytes:
    """The pictures one after the other, there and back, so that it can run for ever without a jump."""
    frames = [picture.to_pillow() for picture in pictures]
    return encoded(
        frames[0], kind.kind, save_all=True, append_images=frames[1:] + frames[-2:0:-1], duration=_FRAME_MS, loop=0
    )


def each_path(target: Path, count: int, seeds: tuple[int, int] | None, seed: int, *, force: bool) -> list[Path]:
    """A file for each picture in the folder ``target``; without ``force`` :class:`OutputError` where one exists."""
    name = f"{seeds[0]}-{seeds[1]}" if seeds is not None else f"{seed}"
    digits = max(4, len(str(count - 1)))
    paths = [target / f"{name}-{number:0{digits}d}.png" for number in range(count)]
    for path in paths if target.is_dir() else ():
        check_writable(path, force=force)
    return paths


def _chained(first: GeneratedPictures, batches: Iterator[GeneratedPictures]) -> Iterator[Picture]:
    yield from first
    for batch in batches:
        yield from batch


def parse_seeds(text: str | None) -> tuple[int, int] | None:
    """The two seeds of ``--interpolate A:B``; ``None`` without it, :class:`InputError` where they are none."""
    if text is None:
        return None
    try:
        start, end = map(whole_number, text.split(":"))
    except ValueError:
        start = end = -1
    if min(start, end) < 0:
        raise InputError(f"--interpolate is two seeds from 0 to {LARGEST}, as 3:7, not {shortened(text)}")
    return start, end


def check_size(text: str | None, zoom: int) -> tuple[int, int] | tuple[None, None]:
    """(height, width) of ``WIDTHxHEIGHT``, before it is enlarged; :class:`InputError` where it is none."""
    if text is None:
        return None, None
    try:
        width, height = (positive_number(side, LARGEST_PICTURE) for side in text.split("x"))
    except ValueError:
        width = height = LARGEST_PICTURE
    if width * height * zoom**2 > LARGEST_PICTURE:
        enlarged = f" enlarged {zoom} times" if zoom > 1 else ""
        raise InputError(
            f"--size is WIDTHxHEIGHT, as 640x480, {LARGEST_PICTURE} pixels in all at most,"
            f" not {shortened(text)}{enlarged}"
        )
    return height, width
