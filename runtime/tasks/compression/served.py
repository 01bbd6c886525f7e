"""The tasks ``compress`` and ``decompress``, served."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgevision.imaging.picture_formats import PictureFormat
from edgevision.imaging.pictures import Picture
from edgevision.runtime.tasks.compression.evc_file import SIGNATURE, SUFFIX
from edgevision.runtime.tasks.restoration.served import ServedRestoration
from edgevision.runtime.tasks.served import AnswerKind, Inputs, ServedTask, Values

EVC = PictureFormat("X-EVC", (SUFFIX,), re.compile(re.escape(SIGNATURE)), plugin="", written=True, deep=True)
"""What compress answers with, of type ``image/x-evc``."""


@dataclass(frozen=True, kw_only=True)
class _ServedCompression(ServedTask):
    answer_kind: AnswerKind = "file"

    def read(self, inputs: Inputs, values: Values) -> Any:
        return Picture.read(inputs.files["image"], name=inputs.name)

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        return [pipeline(picture, quality=values["quality"]) for picture in contents]

    def formats(self, values: Values) -> tuple[PictureFormat, ...]:
        return (EVC,)

    def encoded(self, result: Any, content: Any, kind: PictureFormat, values: Values) -> bytes:
        compressed: bytes = result.content
        return compressed


@dataclass(frozen=True, kw_only=True)
class _ServedDecompression(ServedRestoration):
    def read(self, inputs: Inputs, values: Values) -> Any:
        return inputs.files["compressed"]

    def answer(self, pipeline: Any, contents: Sequence[Any], values: Values) -> Sequence[Any]:
        return [pipeline(content) for content in contents]

    def encoded(self, result: Any, content: Any, kind: PictureFormat, values: Values) -> bytes:
        picture: Picture = result
        return picture.encode(kind)


_NOT_IN_BROWSER = "its range coder is not written in JavaScript"

COMPRESS = _ServedCompression(options=("quality",), not_in_browser=_NOT_IN_BROWSER)
DECOMPRESS = _ServedDecompression(inputs=("compressed",), clips=("compressed",), not_in_browser=_NOT_IN_BROWSER)
