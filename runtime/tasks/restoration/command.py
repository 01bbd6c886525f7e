"""The verbs ``edgevision run inpaint``, ``denoise``, ``upscale``, ``brighten`` and ``colorize``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from edgevision.cli.option_groups import option_groups
from edgevision.cli.options import DEVICE_PANEL, OUTPUT_PANEL
from edgevision.core.errors import InputError
from edgevision.imaging.pictures import Picture
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.remote.on_boards import on_boards
from edgevision.runtime.shipped_models import shipped_model
from edgevision.runtime.tasks.picture_options import NO_INPUTS, InputsArgument
from edgevision.runtime.tasks.restoration.masks import mask_from_alpha, match_masks, read_mask, split_off_mask
from edgevision.runtime.tasks.restoration.running import (
    PictureOptions,
    SmoothOption,
    StrengthOption,
    run_on_pictures,
)
from edgevision.runtime.tasks.restoration.spec import HoleFill, RestorationKind

_MASK_PANEL = "Mask"
_HOLES_PANEL = "Large holes"


@on_boards("run inpaint", "edgevision.runtime.tasks.restoration.board_files:inpaint_files")
@option_groups
def inpaint(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT... MASK", help="Pictures, and last the mask (white is filled) or a folder of masks."
        ),
    ],
    invert_mask: Annotated[
        bool, typer.Option("--invert-mask", help="Fill what is black in the mask.", rich_help_panel=_MASK_PANEL)
    ] = False,
    from_alpha: Annotated[
        bool,
        typer.Option(
            "--mask-from-alpha",
            help="Fill what is transparent; no MASK is given then.",
            rich_help_panel=_MASK_PANEL,
        ),
    ] = False,
    fill: Annotated[
        HoleFill,
        typer.Option(
            help="Holes of more than some 60 pixels: texture copied from around them, smooth colours, or auto, which"
            " is texture where copies fit.",
            rich_help_panel=_HOLES_PANEL,
        ),
    ] = HoleFill.AUTO,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of texture: another draws another.", rich_help_panel=_HOLES_PANEL)
    ] = 0,
    *,
    options: PictureOptions,
) -> None:
    """Fill what a mask marks from its surroundings; every other pixel stays as it is.

    Objects that a large hole cuts are not completed: texture repeats what is around it, and smooth fills are fog.
    With --compare the mask stands between before and after.

    Examples:
        edgevision run inpaint photo.jpg mask.png
        edgevision run inpaint photos/ masks/ -o whole/ --resume
    """
    pictures, masks_path = split_off_mask(inputs, from_alpha=from_alpha)
    find = match_masks(masks_path) if masks_path is not None else None
    masks = [] if masks_path in (None, "-") else [mask.place for mask in expand_inputs([str(masks_path)])]

    def read_own_mask(picture: PictureInput, content: Picture) -> np.ndarray:
        mask = mask_from_alpha(content) if find is None else read_mask(find(picture), content.height, content.width)
        return ~mask if invert_mask else mask

    run_on_pictures(
        RestorationKind.INPAINT,
        pictures,
        options,
        name_suffix="inpainted",
        read_own_mask=read_own_mask,
        how={"opaque": from_alpha, "fill": fill, "seed": seed},
        protected=[path for path in masks if isinstance(path, Path)],
    )


@on_boards("run denoise", "edgevision.runtime.tasks.restoration.board_files:denoise_files")
@option_groups
def denoise(
    inputs: InputsArgument = NO_INPUTS,
    strength: StrengthOption = 1,
    smooth: SmoothOption = 0,
    *,
    options: PictureOptions,
) -> None:
    """Remove noise of any strength from gray and colour pictures: of cameras, JPEG files and impulses.

    Fine texture under heavy noise becomes smooth; --strength keeps some of both. Of noise that is white,
    --model denoise_white leaves less. A JPEG file of quality 95 is nearer to its original as it is.

    Examples:
        edgevision run denoise photo.jpg
        edgevision run denoise photos/ -o clean/ --quality 90 --resume
    """
    how = {"strength": strength}
    run_on_pictures(RestorationKind.DENOISE, inputs, options, name_suffix="denoised", how=how, smooth=smooth)


@on_boards("run upscale", "edgevision.runtime.tasks.restoration.board_files:upscale_files")
@option_groups
def upscale(
    inputs: InputsArgument = NO_INPUTS,
    scale: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=4,
            help="2 or 4, of the models that ship; a --model has its own.",
            show_default="2",
            rich_help_panel=DEVICE_PANEL,
        ),
    ] = None,
    smooth: SmoothOption = 0.5,
    *,
    options: PictureOptions,
) -> None:
    """Enlarge pictures two or four times, with finer detail than interpolation gives.

    Noise and the blocks of JPEG files are enlarged with the rest: denoise first.

    Examples:
        edgevision run upscale photo.jpg --scale 4 -o large.png --compare before-after.png
    """
    if options.model is not None and scale is not None:
        raise InputError("--scale chooses among the models that ship; a --model has its own scale")
    shipped = options.model is None
    options = replace(options, model=options.model or shipped_model(RestorationKind.UPSCALE, scale))
    suffix = f"x{scale or 2}" if shipped else "upscaled"
    run_on_pictures(RestorationKind.UPSCALE, inputs, options, name_suffix=suffix, smooth=smooth)


@on_boards("run brighten", "edgevision.runtime.tasks.restoration.board_files:brighten_files")
@option_groups
def brighten(
    inputs: InputsArgument = NO_INPUTS,
    strength: StrengthOption = 1,
    smooth: SmoothOption = 0.8,
    always: Annotated[
        bool,
        typer.Option(
            "--always",
            help="Also pictures that the model takes for well exposed, as dark ones with lamps in them.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = False,
    *,
    options: PictureOptions,
) -> None:
    """Light up dark pictures.

    The model that ships leaves alone what is exposed well, and some of what is dark around bright lights, unless
    --always says that it is dark.

    Examples:
        edgevision run brighten photos/ -o bright/ --device auto
        edgevision run brighten night.jpg --always --strength 0.7
    """
    how = {"strength": strength, "always": always}
    run_on_pictures(RestorationKind.BRIGHTEN, inputs, options, name_suffix="brightened", how=how, smooth=smooth)


@on_boards("run colorize", "edgevision.runtime.tasks.restoration.board_files:colorize_files")
@option_groups
def colorize(
    inputs: InputsArgument = NO_INPUTS,
    strength: StrengthOption = 1,
    smooth: SmoothOption = 0.9,
    always: Annotated[
        bool,
        typer.Option(
            "--always",
            help="Also pictures that have colours of their own, which else stay as they are.",
            rich_help_panel=OUTPUT_PANEL,
        ),
    ] = False,
    *,
    options: PictureOptions,
) -> None:
    """Give gray pictures, and toned ones as sepia prints, colours.

    They are guesses: likely for sky, plants and skin, pale or wrong for what may have any colour, as clothes and cars.

    Examples:
        edgevision run colorize scan.jpg --compare before-after.jpg
        edgevision run colorize album/ -o colours/ --strength 0.8
    """
    how = {"strength": strength, "always": always}
    run_on_pictures(RestorationKind.COLORIZE, inputs, options, name_suffix="colorized", how=how, smooth=smooth)
