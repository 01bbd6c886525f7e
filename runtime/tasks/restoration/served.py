"""The tasks ``inpaint``, ``denoise``, ``upscale``, ``brighten`` and ``colorize``, served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevision.core.errors import InputError
from edgevision.imaging.images import check_pixels
from edgevision.imaging.picture_formats import JPEG, PNG, TIFF, WEBP, PictureFormat
from edgevision.imaging.pictures import Picture
from edgevision.runtime.tasks.restoration.masks import mask_from_alpha, read_mask
from edgevision.runtime.tasks.served import AnswerKind, InBrowser, Inputs, ServedTask, Values

_HOW = ("strength", "always", "fill", "seed", "style")
"""Options of the verbs that their pipelines are called with."""


@dataclass(frozen=True, kw_only=True)
class ServedRestoration(ServedTask):
    """A picture in, its restored form out; ``options`` are those of its verb."""

    answer_kind: AnswerKind = "picture"

    def read(self, inputs: Inputs, values: Values) -> Any:
        return Picture.read(inputs.files["image"], name=inputs.name), {}

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        how = {name: values[name] for name in _HOW if name in values}
        scale = getattr(pipeline, "scale", 1)
        for picture, _ in contents:
            check_pixels(picture.width * scale, picture.height * scale, "the result")
        return [pipeline(picture, **masked, **how, in_place=True) for picture, masked in contents]

    def formats(self, values: Values) -> tuple[PictureFormat, ...]:
        return PNG, JPEG, WEBP, TIFF

    def encoded(self, result: Any, content: Any, kind: PictureFormat, values: Values) -> bytes:
        picture: Picture = result
        return picture.encode(kind, quality=values["quality"])


@dataclass(frozen=True, kw_only=True)
class _ServedInpainting(ServedRestoration):
    def read(self, inputs: Inputs, values: Values) -> Any:
        picture = Picture.read(inputs.files["image"], name=inputs.name)
        if values["from_alpha"]:
            mask = mask_from_alpha(picture)
        elif "mask" in inputs.files:
            mask = read_mask(inputs.files["mask"], picture.height, picture.width)
        else:
            raise InputError("inpainting takes the files image and mask, or mask-from-alpha=true")
        return picture, {"mask": ~mask if values["invert_mask"] else mask, "opaque": values["from_alpha"]}


INPAINT = _ServedInpainting(
    inputs=("image", "mask"),
    options=("invert_mask", "from_alpha", "fill", "seed", "quality"),
    browser=InBrowser(
        module="inpaint",
        options=("invert_mask", "from_alpha", "quality"),
        limits="In the browser large holes are filled smoothly, without texture.",
    ),
)
DENOISE = ServedRestoration(
    options=("strength", "quality"), browser=InBrowser(module="restore", options=("strength", "quality"))
)
UPSCALE = ServedRestoration(options=("quality",), browser=InBrowser(module="restore", options=("quality",)))
BRIGHTEN = ServedRestoration(
    options=("strength", "always", "quality"),
    browser=InBrowser(module="restore", options=("strength", "always", "quality")),
)
COLORIZE = ServedRestoration(
    options=("strength", "always", "quality"),
    browser=InBrowser(module="restore", options=("strength", "always", "quality")),
)
