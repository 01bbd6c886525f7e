"""What each verb's values mean for a board: which files go there, under which names, and which come back.

On the board a job's folder holds ``in``, ``mask`` and ``model`` with what was sent, numbered instead of named, and
``out`` and ``compare`` for what comes back. So no name of a user's file is a word there, and no name from there is a
path here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from edgevision.core.errors import ImageError
from edgevision.imaging.contact_sheet import sheet_size
from edgevision.modelfiles.metadata import Task
from edgevision.modelfiles.model_file import ModelFormat, companions, model_format
from edgevision.runtime.commands.deliveries import (
    Check,
    Size,
    codes_check,
    picture_check,
    size_of_drawing,
    size_of_result,
)
from edgevision.runtime.files.inputs import PictureInput, expand_inputs
from edgevision.runtime.files.outputs import plan
from edgevision.runtime.remote.job import Content
from edgevision.runtime.tasks.generation.command import (
    ANIMATIONS,
    check_codes,
    check_sheet,
    each_path,
    is_folder,
    parse_seeds,
)
from edgevision.runtime.tasks.restoration.masks import match_masks, split_words
from edgevision.runtime.tasks.restoration.side_by_side import side_by_side_size

FOLDERS = ("in", "mask", "model", "out", "compare")

_NUMBERED = re.compile(rf"\b(?:{'|'.join(FOLDERS)})/[\w./-]*\w", re.ASCII)
# The folder as a word: only the user's own folder of masks is called so, not the masks in it.
_MASKS = "mask/."
_SUFFIX = re.compile(r"\.\w{1,8}", re.ASCII)

Values = Mapping[str, Any]
"""A verb's parameters by name."""


@dataclass
class Freight:
    """``values`` as the verb gets them on the board, the ``files`` to send and to ``bring``, all by name there.

    ``checks`` look at what was brought, before it is the user's file. ``shown`` gives the user's own name for each of
    those names, ``amended`` what a JSON report says otherwise.
    """

    values: dict[str, Any]
    files: dict[str, Content] = field(default_factory=dict)
    bring: dict[str, Path] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    formats: set[ModelFormat] = field(default_factory=set)
    amended: dict[str, Any] = field(default_factory=dict)

    def send(self, folder: str, number: int, picture: PictureInput) -> str:
        """Pack a picture; its name there, which keeps the ending because that sets the format of the result.

        One that does not exist is lacking there too, which is said there, for this picture alone.
        """
        suffix = Path(picture.name).suffix
        name = f"{folder}/{number:05d}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        if isinstance(picture.source, bytes) or picture.source.is_file():
            self.files[name] = picture.source
        self.shown[name] = picture.name
        return name

    def take_back(self, name: str, target: Path, check: Check) -> str:
        """Bring a result to where the user wants it; returns its name there."""
        self.bring[name], self.checks[name], self.shown[name] = target, check, str(target)
        return name

    def send_model(self, path: Path, number: int = 1) -> Path:
        """Pack a model with what lies beside it; its name is kept, because reports show it."""
        folder = f"model/{number:05d}"
        for name in companions(path):
            self.files[f"{folder}/{name}"] = path.parent / name
        there = f"{folder}/{path.name}"
        self.files[there], self.shown[there] = path, str(path)
        self.formats.add(model_format(path))
        return Path(there)

    def in_users_names(self, text: str) -> str:
        """``text`` from the board with the user's names in the place of those there."""
        for name in self.shown:
            if name.startswith("model/") or name == _MASKS:
                text = text.replace(name, self.shown[name])
        return _NUMBERED.sub(lambda found: self.shown.get(found[0], found[0]), text)


Packer = Callable[[Freight, Values], None]


def pack(words: str, values: Values) -> Freight:
    """The freight of the verb that is called by ``words``.

    Raises:
        InputError, OutputError: as the verb itself, before anything is sent.
    """
    freight = Freight(dict(values))
    if isinstance(values.get("model"), Path):
        freight.values["model"] = freight.send_model(values["model"])
    PACKERS[words](freight, values)
    freight.formats = freight.formats or {ModelFormat.ONNX}
    return freight


def _nothing(freight: Freight, values: Values) -> None:
    """Every value means the same there as here."""


def _measured(freight: Freight, values: Values) -> None:
    """Models and pictures to measure with; the report comes as JSON, and is judged and written here."""
    models = enumerate(values["models"], start=1)
    freight.values["models"] = [freight.send_model(path, number) for number, path in models]
    pictures = enumerate(values["picture"] or (), start=1)
    freight.values["picture"] = [freight.send("in", number, PictureInput(str(p), p)) for number, p in pictures]
    freight.values |= {"as_json": True, "strict": False, "force": False}
    freight.values |= {name: None for name in ("output", "csv", "html") if name in values}


def _pictures(freight: Freight, values: Values) -> None:
    """Pictures to look at, without files as results."""
    pictures = expand_inputs(values["inputs"])
    words = [freight.send("in", number, picture) for number, picture in enumerate(pictures, start=1)]
    freight.values["inputs"] = words


def _restored(task: Task, ending: Callable[[Values], str]) -> Packer:
    """Pictures that come back changed, one for one."""

    def pack_restored(freight: Freight, values: Values) -> None:
        find_size = partial(size_of_result, task, values.get("model"), values.get("scale"))
        masked = "from_alpha" in values
        words, mask = values["inputs"], None
        if "from_alpha" in values:
            words, mask = split_words(words, from_alpha=values["from_alpha"])
        pictures = expand_inputs(words)
        jobs = plan(
            pictures,
            values["output"],
            ending=ending(values),
            compare=values.get("compare"),
            protected=[m.source for m in _masks(mask) if isinstance(m.source, Path)],
            force=values["force"],
            resume=values.get("resume", False),
        )
        freight.amended = {"skipped": len(pictures) - len(jobs)}
        freight.values["inputs"] = [freight.send("in", number, job.picture) for number, job in enumerate(jobs, start=1)]
        for number, job in enumerate(jobs, start=1):
            # A name of its own for a single result, a folder for several: the verb's rule for its -o.
            single = len(jobs) == 1
            find = partial(find_size, job.picture)
            check = picture_check(job.target, find)
            name = freight.take_back(f"out/{number:05d}{job.target.suffix}", job.target, check)
            freight.values["output"] = name if single else "out/"
            if job.compare is not None:
                check = picture_check(job.compare, partial(_compared_size, find, masked=masked))
                name = freight.take_back(f"compare/{number:05d}{job.compare.suffix}", job.compare, check)
                freight.values["compare"] = Path(name if single else "compare")
        if mask is not None and jobs:
            freight.values["inputs"].append(_send_masks(freight, mask, [job.picture for job in jobs]))

    return pack_restored


def _compared_size(find: Callable[[], Size | None], *, masked: bool) -> Size | None:
    size = find()
    return None if size is None else side_by_side_size(size, masked=masked)


def _masks(word: str | None) -> list[PictureInput]:
    return [] if word in (None, "-") else expand_inputs([str(word)])


def _send_masks(freight: Freight, word: str, pictures: Sequence[PictureInput]) -> str:
    """Pack the masks of the pictures; the word there that stands for them."""
    find, found = match_masks(word), _masks(word)
    if len(found) == 1 and not Path(word).is_dir():
        return freight.send("mask", 1, found[0])
    if word == "-":
        return freight.send("mask", 1, PictureInput("-", find(pictures[0])))
    for number, picture in enumerate(pictures, start=1):
        try:
            mask = find(picture)
        except ImageError:
            continue  # which is said there, for this picture alone
        freight.send("mask", number, PictureInput(str(mask), mask))
    freight.shown[_MASKS] = word
    return _MASKS


def _upscaled(values: Values) -> str:
    return "upscaled" if values["model"] is not None else f"x{values['scale'] or 2}"


def _generated(freight: Freight, values: Values) -> None:
    target, seeds, count = Path(values["output"]), parse_seeds(values["between"]), values["count"]
    find_size = partial(size_of_drawing, values.get("model"))
    if is_folder(values["output"]):
        for path in each_path(target, count, seeds, values["seed"], force=values["force"]):
            freight.take_back(f"out/{path.name}", path, picture_check(path, find_size))
        freight.values["output"] = "out/"
        return
    animated = seeds is not None and target.suffix.lower() in ANIMATIONS
    check_sheet(target, count, animated=seeds is not None, force=values["force"])

    def find_sheet_size() -> Size | None:
        size = find_size()
        return size if size is None or animated else sheet_size(count, size, count if seeds is not None else None)

    check = picture_check(target, find_sheet_size, most_frames=2 * count if animated else 1)
    freight.values["output"] = freight.take_back(f"out/00001{target.suffix}", target, check)


def _encoded(freight: Freight, values: Values) -> None:
    _pictures(freight, values)
    check_codes(values["output"], force=values["force"])
    check = codes_check(len(freight.values["inputs"]))
    freight.values["output"] = Path(freight.take_back("out/00001.npy", values["output"], check))


PACKERS: Mapping[str, Packer] = {
    "devices": _nothing,
    "bench": _measured,
    "run classify": _pictures,
    "run inpaint": _restored(Task.INPAINT, lambda values: "inpainted"),
    "run denoise": _restored(Task.DENOISE, lambda values: "denoised"),
    "run upscale": _restored(Task.UPSCALE, _upscaled),
    "run brighten": _restored(Task.BRIGHTEN, lambda values: "brightened"),
    "run reconstruct": _restored(Task.RECONSTRUCT, lambda values: "reconstructed"),
    "run encode": _encoded,
    "run generate": _generated,
}
"""The one table from a verb to what packs its freight."""
