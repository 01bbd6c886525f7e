"""The compositions that make a picture of a picture, served."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from edgevision.core.errors import InputError
from edgevision.imaging.cutouts import on_picture
from edgevision.imaging.images import check_pixels
from edgevision.imaging.picture_formats import JPEG, PNG, TIFF, WEBP, PictureFormat
from edgevision.imaging.pictures import Picture
from edgevision.runtime.compositions.cutout_command import plain_background
from edgevision.runtime.compositions.cutter import Cutter
from edgevision.runtime.compositions.remover import Remover
from edgevision.runtime.compositions.replacer import Replacer
from edgevision.runtime.compositions.selection import Selection
from edgevision.runtime.compositions.selection_options import parse_point, parse_selection
from edgevision.runtime.tasks.served import AnswerKind, Inputs, ServedTask, Values


class _Asked(NamedTuple):
    """A picture, what of it is meant, and the other files of the request."""

    picture: Picture
    selection: Selection
    others: dict[str, Picture]


@dataclass(frozen=True, kw_only=True)
class _ServedComposition(ServedTask):
    """What is asked for by ``classes`` and ``point``, ``box`` where it is an option, or the file ``mask``."""

    answer_kind: AnswerKind = "picture"

    def pipeline_options(self, values: Values) -> dict[str, Any]:
        return {"classes": tuple(values["classes"]), "min_score": values["min_score"]}

    def read(self, inputs: Inputs, values: Values) -> Any:
        mask = inputs.files.get("mask")
        meant = parse_selection(values["classes"], values["point"], values.get("box", ()), masked=mask is not None)
        others = {name: Picture.read(file) for name, file in inputs.files.items() if name not in ("image", "mask")}
        return _Asked(Picture.read(inputs.files["image"], name=inputs.name), replace(meant, mask=mask), others)

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        return [self.made(pipeline, asked, values) for asked in contents]

    def made(self, pipeline: Any, asked: _Asked, values: Values) -> Picture:
        """The picture that is made of one."""
        raise NotImplementedError

    def formats(self, values: Values) -> tuple[PictureFormat, ...]:
        return PNG, JPEG, WEBP, TIFF

    def encoded(self, result: Any, content: Any, kind: PictureFormat, values: Values) -> bytes:
        picture: Picture = result
        return picture.encode(kind, quality=values["quality"])


_SELECTED = ("classes", "point", "min_score", "quality")


@dataclass(frozen=True, kw_only=True)
class _ServedCutout(_ServedComposition):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        return super().pipeline_options(values) | {"matting": values["matting"]}

    def read(self, inputs: Inputs, values: Values) -> Any:
        behind = values["background"] is not None or "behind" in inputs.files
        if values["mask_only"] and behind:
            raise InputError("with mask-only there is no picture that something could be behind; leave one of them out")
        if values["background"] is not None and "behind" in inputs.files:
            raise InputError("background and the file behind are both what is behind it; leave one of them out")
        if values["background"] is not None:
            plain_background(values["background"])
        return super().read(inputs, values)

    def made(self, pipeline: Cutter, asked: _Asked, values: Values) -> Picture:
        cut = pipeline.cut(asked.picture, asked.selection)
        if values["mask_only"]:
            assert cut.alpha is not None
            return Picture(cut.alpha[:, :, None])
        if "behind" in asked.others:
            return on_picture(cut, asked.others["behind"])
        # A file of the server is never meant, whatever its name.
        return cut if values["background"] is None else plain_background(values["background"])(cut, asked.picture)

    def transparent(self, values: Values, files: Container[str]) -> bool:
        return values["background"] is None and not values["mask_only"] and "behind" not in files


@dataclass(frozen=True, kw_only=True)
class _ServedRemoval(_ServedComposition):
    def pipeline_options(self, values: Values) -> dict[str, Any]:
        finds = bool(values["classes"] or values["point"])
        return super().pipeline_options(values) | {"finds": finds, "growth": values["grow"] / 100}

    def read(self, inputs: Inputs, values: Values) -> Any:
        if not (values["classes"] or values["point"] or values["box"] or "mask" in inputs.files):
            raise InputError("say what is to be removed: a class, a point, a box, or the file mask")
        return super().read(inputs, values)

    def made(self, pipeline: Remover, asked: _Asked, values: Values) -> Picture:
        return pipeline.remove(asked.picture, asked.selection, fill=values["fill"])


@dataclass(frozen=True, kw_only=True)
class _ServedReplacement(_ServedComposition):
    def read(self, inputs: Inputs, values: Values) -> Any:
        if "other" not in inputs.files:
            raise InputError("the file other is missing: a cut-out, or a picture whose person is cut out")
        asked = super().read(inputs, values)
        other = asked.others["other"]
        scale = values["scale"] or 1
        check_pixels(round(other.width * scale), round(other.height * scale), "the cut-out at that scale")
        return asked

    def made(self, pipeline: Replacer, asked: _Asked, values: Values) -> Picture:
        center = None if values["at"] is None else parse_point(values["at"], "at")
        thing = pipeline.thing(asked.others["other"])
        meant = asked.selection
        replaces = meant.mask is not None or bool(meant.classes or meant.points or meant.boxes)
        return pipeline.replace(
            asked.picture,
            thing,
            meant if replaces else None,
            center=center,
            scale=values["scale"],
            blend=values["blend"],
        )


CUTOUT = _ServedCutout(
    inputs=("image", "mask", "behind"),
    optional=("mask", "behind"),
    options=(*_SELECTED, "matting", "background", "mask_only"),
)
REMOVE = _ServedRemoval(inputs=("image", "mask"), optional=("mask",), options=(*_SELECTED, "box", "grow", "fill"))
REPLACE = _ServedReplacement(
    inputs=("image", "other", "mask"), optional=("mask",), options=(*_SELECTED, "box", "at", "scale", "blend")
)
