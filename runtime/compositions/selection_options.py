"""The options that say which things of a picture are meant, and what finds them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from edgevision.cli.numbers import real_number
from edgevision.core.errors import InputError
from edgevision.core.printable import shortened
from edgevision.runtime.compositions.finder import Box
from edgevision.runtime.compositions.picture_verb import PictureVerbOptions
from edgevision.runtime.compositions.selection import Selection
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.model_options import model_option
from edgevision.runtime.tasks.restoration.masks import match_masks

THINGS_PANEL = "Things"

BoxOption = Annotated[
    list[str],
    typer.Option(
        "--box", help="Whatever is in this box: left,top,right,bottom; repeatable.", rich_help_panel=THINGS_PANEL
    ),
]
DetectorOption = Annotated[
    Path | None, model_option("Model that finds things by boxes, in place of a segmenter.", "--detector")
]


@dataclass(frozen=True, kw_only=True)
class SelectionOptions(PictureVerbOptions):
    """Which things are meant, and the model that finds them."""

    classes: Annotated[
        list[str], typer.Option("--class", help="Things of this class; repeatable.", rich_help_panel=THINGS_PANEL)
    ] = ()  # type: ignore[assignment]  # a tuple stands for no list, which could be changed
    point: Annotated[
        list[str],
        typer.Option(
            "--point",
            help="The thing at this pixel of the picture, as 120,80; repeatable.",
            rich_help_panel=THINGS_PANEL,
        ),
    ] = ()  # type: ignore[assignment]
    mask: Annotated[
        str | None,
        typer.Option(
            "--mask",
            help="What is white in this picture, or in that of the same name in a folder; no model is asked.",
            rich_help_panel=THINGS_PANEL,
        ),
    ] = None
    min_score: Annotated[
        float | None,
        typer.Option(
            "--min-score",
            min=0,
            max=1,
            help="Least score of a thing.",
            show_default="the model's",
            rich_help_panel=THINGS_PANEL,
        ),
    ] = None
    segmenter: Annotated[
        Path | None,
        model_option("Model that finds things by masks, or the name of one that ships.", "--segmenter", "-m"),
    ] = None

    def selections(self, boxes: list[str] | tuple[str, ...] = ()) -> Callable[[PictureInput], Selection]:
        """What is meant in each picture.

        Raises:
            InputError: a point or a box is not written as one, or a mask is named together with a class.
        """
        meant = parse_selection(self.classes, self.point, boxes, masked=self.mask is not None)
        find = None if self.mask is None else match_masks(self.mask)
        return lambda picture: meant if find is None else replace(meant, mask=find(picture))


def require_things(classes: Sequence[str], points: Sequence[str], boxes: Sequence[str], mask: str | None) -> None:
    """Raise :class:`InputError` where none of these options says what is meant."""
    if not (classes or points or boxes or mask):
        raise InputError(
            "say what is to be removed: --class person, --point x,y, --box left,top,right,bottom or --mask"
        )


def mask_files(mask: str | None) -> list[Path]:
    """The masks that ``--mask`` names, which no result may take the place of."""
    if mask is None or mask == "-":
        return []
    return [found.place for found in expand_inputs([mask]) if isinstance(found.place, Path)]


def parse_selection(classes: Sequence[str], points: Sequence[str], boxes: Sequence[str], *, masked: bool) -> Selection:
    """What options say is meant, without the mask, of which ``masked`` says whether there is one.

    Raises:
        InputError: a point or a box is not written as one, or there is a mask together with a class or a box.
    """
    if masked and (classes or boxes):
        raise InputError("--mask says by itself what is meant; leave out --class and --box")
    return Selection(
        classes=tuple(classes),
        points=tuple(parse_point(text, "--point") for text in points),
        boxes=tuple(parse_box(text) for text in boxes),
    )


def parse_point(text: str, option: str) -> tuple[float, float]:
    """``120,80``; :class:`InputError` names ``option`` where it is not that."""
    x, y = _numbers(text, 2, f"{option} is x,y in pixels, as 120,80")
    return x, y


def parse_box(text: str) -> Box:
    """``10,20,200,300``; :class:`InputError` where it is not that."""
    x1, y1, x2, y2 = _numbers(text, 4, "--box is left,top,right,bottom in pixels, as 10,20,200,300")
    return x1, y1, x2, y2


def _numbers(text: str, count: int, rule: str) -> tuple[float, ...]:
    try:
        numbers = tuple(real_number(part.strip()) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise InputError(f"{rule}, not {shortened(text)}")
    return numbers
