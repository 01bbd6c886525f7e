"""The task ``generate``, served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevision.imaging.picture_formats import GIF, JPEG, PNG, WEBP, PictureFormat
from edgevision.runtime.tasks.generation.command import drawn_batches, encoded_film, parse_seeds, sheet_captions
from edgevision.runtime.tasks.generation.result import GeneratedPictures
from edgevision.runtime.tasks.served import AnswerKind, InBrowser, Inputs, ServedTask, Values


@dataclass(frozen=True, kw_only=True)
class _ServedGeneration(ServedTask):
    inputs: tuple[str, ...] = ()
    answer_kind: AnswerKind = "picture"

    def read(self, inputs: Inputs, values: Values) -> Any:
        return None

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        batches = drawn_batches(pipeline, **values)
        pictures = GeneratedPictures.joined(list(batches))
        captions = sheet_captions(pipeline, **values)
        return [(pictures, captions)] * len(contents)

    def document(self, result: Any, values: Values) -> dict[str, Any]:
        pictures: GeneratedPictures = result[0]
        return pictures.to_dict()

    def formats(self, values: Values) -> tuple[PictureFormat, ...]:
        return (PNG, JPEG, WEBP) if values["between"] is None else (PNG, JPEG, WEBP, GIF)

    def encoded(self, result: Any, content: Any, kind: PictureFormat, values: Values) -> bytes:
        pictures: GeneratedPictures
        pictures, captions = result
        animated = parse_seeds(values["between"]) is not None
        if animated and kind in (GIF, WEBP):
            return encoded_film(pictures, kind)
        return pictures.sheet(len(pictures) if animated else None, captions).encode(kind)


_OPTIONS = ("count", "seed", "label", "truncation", "between", "size", "zoom")

SERVED = _ServedGeneration(
    options=_OPTIONS,
    maximum={"count": 256},
    browser=InBrowser(
        module="generate",
        options=_OPTIONS,
        limits="In the browser a way between two seeds is a row of pictures, no film.",
    ),
)
